"""The state after the epoch that is best on the reviews held out, where there are any."""

import json
import shutil

import kills
import msgspec
import numpy as np
import pytest
from runs.made import TWO_FITS

from rnnsent import data, evaluation, inference, runs
from rnnsent.errors import UserError
from rnnsent.runs import last, records

RECIPE = msgspec.structs.replace(TWO_FITS, learning_rate=0.05)
"""With this rate the best epoch of seed 3 is not its last one."""

SEEDS = (3, 5)


@pytest.fixture(scope="module")
def held_out():
    return data.load("toy", data.Encoding(num_words=60, maxlen=12), validation=0.3)


@pytest.fixture(scope="module")
def run(held_out, tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    runs.train(run, RECIPE, SEEDS, held_out)
    return run


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def die(recipe, seeds, now):
    """In the last epoch, after the best one of seed 3 and a checkpoint at its step 7."""
    if (now.epoch, now.step) == (4, 12):
        raise KeyboardInterrupt


def test_the_state_of_the_lowest_validation_loss_is_kept(run, held_out, capsys):
    """What is read back comes to the figures of that epoch's line, and the last state to its."""
    bests = []
    for seed in SEEDS:
        one = runs.load(runs.seed_folder(run, "tiny", seed))
        losses = [line["validation_loss"] for line in lines(one.folder)]
        bests.append(int(np.argmin(losses)) + 1)
        for best, line in ((True, lines(one.folder)[bests[-1] - 1]), (False, lines(one.folder)[3])):
            model, _, params = runs.restore(one, best=best)
            pair = inference.predict(model, params, held_out.test.ids_NT), held_out.test.label_N
            assert evaluation.accuracy(*pair) == line["validation_accuracy"]
            assert evaluation.log_loss(*pair) == line["validation_loss"]
        assert one.best == one.history[bests[-1] - 1]
        assert one.result.final.test_loss == losses[3]
    told = [line.partition(", ")[2] for line in capsys.readouterr().err.splitlines()]
    both = zip(SEEDS, bests, strict=True)
    assert told == [f"seed {s}: the best state, after epoch {best} of 4." for s, best in both]
    assert bests[0] < 4, "a test of the best needs one that is not the last"


@pytest.mark.ci
def test_one_that_was_killed_after_it_comes_to_the_same(run, held_out, tmp_path, no_waiting):
    """Its state is in a checkpoint of a later one."""

    with pytest.raises(KeyboardInterrupt):
        runs.train(tmp_path, RECIPE, SEEDS[:1], held_out, progress=die, every=7)
    held = last.find(runs.seed_folder(tmp_path, "tiny", 3))
    assert (held.epoch, held.step) == (3, 7) and held.seeds[0].has_best
    runs.train(tmp_path, RECIPE, SEEDS, held_out)
    assert kills.come_to(tmp_path) == kills.come_to(run)


@pytest.mark.ci
def test_seeds_of_one_program_have_each_its_own(run, held_out, tmp_path, monkeypatch, no_waiting):
    monkeypatch.setattr(runs.trainings, "seeds_together", lambda seeds: max(seeds, 1))

    runs.train(tmp_path / "whole", RECIPE, SEEDS, held_out)
    with pytest.raises(KeyboardInterrupt):
        runs.train(tmp_path / "run", RECIPE, SEEDS, held_out, progress=die, every=7)
    trained = runs.train(tmp_path / "run", RECIPE, SEEDS, held_out)
    assert kills.come_to(tmp_path / "run") == kills.come_to(tmp_path / "whole")
    apart = [runs.read(runs.seed_folder(run, "tiny", seed)) for seed in SEEDS]
    for one, alone in zip(trained, apart, strict=True):
        assert one.best.epoch == alone.best.epoch
        assert abs(one.best.validation_loss - alone.best.validation_loss) < 1e-3


def test_with_a_test_split_there_is_none(finished):
    one = runs.read(runs.seed_folder(finished, "tiny", 3))
    assert one.best is None and not (one.folder / "best").exists()
    assert "validation_loss" not in lines(one.folder)[0]
    with pytest.raises(UserError, match="seed-3 has no best epoch.*no validation loss.*--best"):
        runs.restore(one, best=True)


def test_one_that_is_damaged_is_refused(run, held_out, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    folder = runs.seed_folder(tmp_path / "run", "tiny", 3)
    shutil.rmtree(folder / "best")
    for use in (
        lambda: runs.restore(runs.read(folder), best=True),
        lambda: runs.check(tmp_path / "run", [RECIPE], [3], 60),
    ):
        with pytest.raises(UserError, match="No readable checkpoint in .*best"):
            use()
    (folder / "metrics.jsonl").write_text('{"validation_loss": "low"}\n')
    with pytest.raises(UserError, match="metrics.jsonl"):
        runs.restore(runs.read(folder), best=True)


def test_no_number_is_never_the_best():
    line = records.Epoch(1, 0.5, 0.9, 1.0, 1.0)
    measured = [
        msgspec.structs.replace(line, epoch=i + 2, validation_accuracy=0.5, validation_loss=loss)
        for i, loss in enumerate((0.4, 0.3, 0.3))
    ]
    assert records.best([line, *measured, line]) is measured[1]  # the first of equal ones
    assert records.best([line]) is records.best([]) is None


def test_logits_that_are_no_numbers_give_no_figures(held_out, tmp_path, monkeypatch):
    def nowhere(model, params, ids_NT):
        return np.full(len(ids_NT), np.nan, np.float32)

    monkeypatch.setattr(inference, "predict", nowhere)
    (lost,) = runs.train(tmp_path, msgspec.structs.replace(RECIPE, fits=1), [3], held_out)
    assert lost.diverged == 2 and lost.best is None and not (lost.folder / "best").exists()
    assert "validation_loss" not in lines(lost.folder)[0]
