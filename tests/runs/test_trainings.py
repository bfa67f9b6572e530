import dataclasses
import json
import math

import msgspec
import numpy as np
import pytest

from rnnsent import data, fitting, inference, runs
from rnnsent.errors import UserError


def changed(recipe, **fields):
    """Under its own name."""
    return msgspec.structs.replace(recipe, **fields)


def test_a_seed_is_trained_once_and_loaded_after(tmp_path, toy, recipe):
    folder = runs.seed_folder(tmp_path, "tiny", 3)
    (trained,) = runs.train(tmp_path, recipe, [3], toy)
    assert [epoch.epoch for epoch in trained.history] == [1, 2] and not trained.diverged
    before = (folder / "result.json").stat().st_mtime_ns
    (again,) = runs.train(tmp_path, recipe, [3], toy)
    assert (folder / "result.json").stat().st_mtime_ns == before
    np.testing.assert_array_equal(trained.test_logits_N, again.test_logits_N)
    assert runs.seeds(tmp_path, "tiny") == [3]
    assert trained.recipe == recipe and trained.config.rows == len(toy.train)
    right_N = (trained.test_logits_N > 0) == (toy.test.label_N == 1)
    assert trained.result.final.test_accuracy == right_N.mean()
    assert trained.result.data.source == "toy" and trained.result.epochs == 2
    for change in ({"epochs": 5}, {"clip": 1.0}):
        with pytest.raises(UserError, match=f"{folder} holds .* {next(iter(change))} .*, not "):
            runs.train(tmp_path, changed(recipe, **change), [3], toy)
        with pytest.raises(UserError, match=f"{folder} holds"):  # which is not asked for
            runs.train(tmp_path, changed(recipe, **change), [4], toy)


def test_a_second_fit_goes_on_and_the_first_is_kept_beside_it(tmp_path, toy, recipe):
    told = []
    twice = changed(recipe, name="twice", fits=2, epochs=1)

    def tell(recipe, seeds, now):
        told.append((recipe.name, tuple(seeds), now.epoch))

    (two,) = runs.train(tmp_path, twice, [3], toy, progress=tell)
    assert told == [("twice", (3,), 1), ("twice", (3,), 2)]
    (one,) = runs.train(tmp_path, changed(recipe, name="one", epochs=1), [3], toy)
    (whole,) = runs.train(tmp_path, recipe, [3], toy)
    assert len(two.result.fits) == 2 and two.result.fits[0] == one.result.final
    assert two.result.final == whole.result.final
    np.testing.assert_array_equal(two.test_logits_N, whole.test_logits_N)
    assert [epoch.loss for epoch in two.history] == [epoch.loss for epoch in whole.history]


def test_what_a_recipe_adds_to_adam_is_trained_with(tmp_path, toy, recipe):
    """And of an average, that is what is measured and read back."""
    ways = {"clip": 1e-4, "schedule": "cosine", "weight_decay": 1.0, "averaging": 0.9}
    plain = runs.train(tmp_path, recipe, [3], toy)[0].test_logits_N
    for name, value in ways.items():
        (trained,) = runs.train(tmp_path, changed(recipe, name=name, **{name: value}), [3], toy)
        assert np.abs(trained.test_logits_N - plain).max() > 1e-6
        model, _, params = runs.restore(runs.read(runs.seed_folder(tmp_path, name, 3)))
        logits_N = inference.predict(model, params, toy.test.ids_NT)
        np.testing.assert_array_equal(logits_N, trained.test_logits_N)


def test_on_an_accelerator_all_seeds_are_one_program(tmp_path, toy, recipe, monkeypatch):
    """There each has a training of its own, as alone but for rounding."""
    fit, calls = fitting.fit, []

    def counted(model, optimizer, states, *arguments, **options):
        calls.append(len(states))
        return fit(model, optimizer, states, *arguments, **options)

    monkeypatch.setattr(fitting, "fit", counted)
    alone = runs.train(tmp_path / "alone", recipe, [3, 5], toy)
    monkeypatch.setattr(runs.trainings, "seeds_together", lambda seeds: seeds)
    together = runs.train(tmp_path / "together", recipe, [5, 3], toy)
    assert calls == [1, 1, 2]
    for a, b in zip(alone, reversed(together), strict=True):
        assert (a.seed, b.result.together) == (b.seed, 2)
        np.testing.assert_allclose(a.test_logits_N, b.test_logits_N, atol=1e-4)


def test_a_training_that_diverged_is_finished_without_figures(tmp_path, toy, recipe, capsys):
    reckless = changed(recipe, name="reckless", learning_rate=1e30)
    folder = runs.seed_folder(tmp_path, "reckless", 3)
    (trained,) = runs.train(tmp_path, reckless, [3], toy)
    before = (folder / "result.json").stat().st_mtime_ns
    assert runs.train(tmp_path, reckless, [3], toy)[0].diverged == trained.diverged == 1
    assert (folder / "result.json").stat().st_mtime_ns == before
    assert not trained.result.fits and not (folder / "predictions.npz").exists()
    (line,) = (folder / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line, parse_constant=pytest.fail)["loss"] is None
    told = runs.diverged_text([trained])
    assert told.startswith("reckless seed 3 diverged in epoch 1, step 2 of 2 (largest gradient 0.")
    for read in (
        lambda: runs.restore(runs.read(runs.seed_folder(tmp_path, "reckless", 3))),
        lambda: runs.readable(tmp_path),
    ):
        with pytest.raises(UserError, match="seed 3 diverged in epoch 1.*lower --learning-rate"):
            read()
    runs.train(tmp_path, recipe, [3], toy)
    assert [one.title for one in runs.readable(tmp_path)] == ["tiny"]
    assert capsys.readouterr().err.endswith(f"Left out: {told}.\n")


def test_the_others_of_a_program_go_on_where_one_seed_diverges(tmp_path, toy, recipe, monkeypatch):
    fit = fitting.fit

    def losing(*arguments, keeping, **options):
        def ended(states, seeds):
            keeping.ended(states, [dataclasses.replace(seeds[0], loss=math.nan), seeds[1]])

        return fit(*arguments, keeping=dataclasses.replace(keeping, ended=ended), **options)

    monkeypatch.setattr(fitting, "fit", losing)
    monkeypatch.setattr(runs.trainings, "seeds_together", lambda seeds: seeds)
    lost, kept = runs.train(tmp_path, changed(recipe, fits=2), [3, 5], toy)
    assert (lost.diverged, len(lost.history)) == (1, 1)
    assert (kept.diverged, len(kept.history), len(kept.result.fits)) == (None, 4, 2)


def test_logits_that_are_no_numbers_are_not_counted_as_negative(tmp_path, toy, recipe, monkeypatch):
    def nowhere(model, params, ids_NT):
        return np.full(len(ids_NT), np.nan, np.float32)

    monkeypatch.setattr(inference, "predict", nowhere)
    (trained,) = runs.train(tmp_path, recipe, [3], toy)
    assert trained.diverged == 2 and len(trained.history) == 2


def test_the_test_split_is_read_when_a_fit_has_ended(tmp_path, toy, recipe, monkeypatch):
    read, done = [], []

    class Watched(data.Split):
        def __getattribute__(self, name):
            if name == "ids_NT":
                read.append(len(done))
            return super().__getattribute__(name)

    fit = fitting.fit

    def fitted(*arguments, **options):
        result = fit(*arguments, **options)
        done.append("fit")
        return result

    monkeypatch.setattr(fitting, "fit", fitted)
    watched = Watched(*(getattr(toy.test, f.name) for f in dataclasses.fields(data.Split)))
    runs.train(tmp_path, changed(recipe, fits=2), [3], dataclasses.replace(toy, test=watched))
    assert read == [1, 2]


def test_an_interrupted_seed_is_trained_again(tmp_path, toy, recipe, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runs.courses.checkpoints, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            runs.train(tmp_path, recipe, [3, 5], toy)
    assert runs.pending(tmp_path, recipe, [3, 5]) == [3, 5]
    assert len(runs.train(tmp_path, recipe, [3], toy)[0].history) == 2
    assert runs.pending(tmp_path, recipe, [3, 5]) == [5]


@pytest.mark.parametrize("together", [1, 2])
def test_a_killed_training_shows_its_epochs_and_no_line_of_it_stays(
    tmp_path, toy, recipe, monkeypatch, together
):
    """One file per seed, also where several train as one program."""
    monkeypatch.setattr(runs.trainings, "seeds_together", lambda seeds: together)
    twice = changed(recipe, fits=2)  # four epochs in all

    def killed(recipe, seeds, now):
        if now.epoch == 4:
            raise KeyboardInterrupt

    def epochs(seed):
        path = runs.seed_folder(tmp_path, "tiny", seed) / "metrics.jsonl"
        return [json.loads(line)["epoch"] for line in path.read_text().splitlines()]

    with pytest.raises(KeyboardInterrupt):
        runs.train(tmp_path, twice, [3, 5], toy, progress=killed)
    for seed in [3, 5][:together]:
        assert epochs(seed) == [1, 2, 3]
    whole = runs.train(tmp_path, twice, [3, 5], toy)
    assert [epochs(seed) for seed in (3, 5)] == [[1, 2, 3, 4]] * 2
    alone, _ = runs.train(tmp_path / "whole", twice, [3, 5], toy)
    assert [one.loss for one in alone.history] == [one.loss for one in whole[0].history]


def test_a_batch_larger_than_the_data_is_the_data(tmp_path, toy, recipe, capsys):
    few = toy.first(40, 20)
    (trained,) = runs.train(tmp_path, recipe, [3], few)
    assert "all 40 training reviews are one batch" in capsys.readouterr().err
    assert trained.config.rows == 40 and trained.recipe.batch_size == 512


def test_layers_that_cannot_be_made_are_the_users_mistake(tmp_path, toy, recipe):
    start = changed(recipe, cell="lstm", recurrent_init="identity")
    with pytest.raises(UserError, match="^tiny: .*square"):
        runs.train(tmp_path, start, [3], toy)


def test_nothing_is_trained_before_every_recipe_can_be(tmp_path, toy, recipe):
    bad = changed(recipe, name="bad", cell="my_missing:Cell")
    for run in (tmp_path, None):
        with pytest.raises(UserError, match="my_missing"):
            runs.check(run, [recipe, bad], [3], 60)
    no_option = changed(recipe, cell_options={"scale": 2})
    with pytest.raises(UserError, match="no option scale"):
        runs.train(tmp_path, no_option, [3], toy)
    assert not list(tmp_path.iterdir())
