import dataclasses
import json
import pathlib
import re
import subprocess
import sys

import jax
import numpy as np
import pytest

from rnnsent import checkpoints, config, data, runs
from rnnsent.errors import UserError
from rnnsent.model import ModelConfig
from rnnsent.training import create_state, optimizer, predict

CONFIG = ModelConfig(cell="simple_rnn", features=(8,), head=4, vocab_size=60, embedding_size=4)
ADAM = optimizer()


@pytest.fixture(scope="module")
def toy():
    return data.load("toy", data.Encoding(num_words=60, maxlen=12))


def train(folder, toy, epochs=2, adam=ADAM):
    return runs.train_seed(
        folder, "toy RNN", CONFIG, adam, toy, seed=3, epochs=epochs, batch_size=512
    )


def test_a_seed_is_trained_once_and_reloads_to_the_bit(tmp_path, toy):
    folder = runs.seed_folder(tmp_path, "simple_rnn", 3)
    trained = train(folder, toy)
    assert [epoch["epoch"] for epoch in trained.history] == [1, 2]
    before = (folder / "result.json").stat().st_mtime_ns
    again = train(folder, toy)
    assert (folder / "result.json").stat().st_mtime_ns == before
    np.testing.assert_array_equal(trained.test_logits_N, again.test_logits_N)
    model, state = checkpoints.restore(folder / "checkpoint", ADAM)
    assert model == CONFIG and int(state.step) == 4
    logits_N = predict(model, state.params, toy.test.ids_NT)
    np.testing.assert_array_equal(logits_N, trained.test_logits_N)
    assert runs.seeds(tmp_path, "simple_rnn") == [3]
    recipe = runs.read_json(folder / "config.json")
    assert recipe["model"]["cell"] == "simple_rnn" and recipe["learning_rate"] == 0.001
    assert (recipe["seed"], recipe["epochs"], recipe["batch_size"]) == (3, 2, 512)
    assert runs.read_json(folder / "provenance.json", "git", "device", "versions")
    assert trained.result["data"]["source"] == "toy"
    with pytest.raises(UserError, match="epochs 2, not 5"):
        train(folder, toy, epochs=5)
    refuse_damaged(folder)


def refuse_damaged(folder):
    """Each file of a finished training, damaged, is named."""
    changes = {
        "metrics.jsonl": (b"x", b""),
        "predictions.npz": (b"PK", b"PK\3\4" + bytes(50), b""),
        "result.json": (b"{", b"{}", b"[]"),
    }
    for name, contents in changes.items():
        whole = (folder / name).read_bytes()
        for content in contents:
            (folder / name).write_bytes(content)
            with pytest.raises(UserError, match=f"{folder}.*(damaged|cannot be read)"):
                runs.load_seed(folder)
        (folder / name).write_bytes(whole)
    runs.load_seed(folder)


def strictly(text):
    """What is read of JSON that must be valid: no bare NaN."""
    return json.loads(text, parse_constant=pytest.fail)


def test_a_training_that_diverged_is_finished_without_figures(tmp_path, toy, capsys):
    folder = runs.seed_folder(tmp_path, "simple_rnn", 3)
    reckless = optimizer(1e30)
    trained = train(folder, toy, adam=reckless)
    before = (folder / "result.json").stat().st_mtime_ns
    assert train(folder, toy, adam=reckless).diverged == trained.diverged == 1
    assert (folder / "result.json").stat().st_mtime_ns == before
    result = strictly((folder / "result.json").read_text())
    assert result["diverged"] == {"epoch": 1} and not [n for n in result if "accuracy" in n]
    (line,) = (folder / "metrics.jsonl").read_text().splitlines()
    assert strictly(line)["loss"] is None
    assert runs.diverged_text([trained]) == "toy RNN seed 3 diverged in epoch 1"
    with pytest.raises(UserError, match="seed 3 diverged in epoch 1.*lower --learning-rate"):
        runs.load_params(tmp_path, "simple_rnn", 3)
    with pytest.raises(UserError, match="seed 3 diverged in epoch 1.*lower --learning-rate"):
        runs.readable(tmp_path, ["simple_rnn", "lstm"])
    train(runs.seed_folder(tmp_path, "lstm", 3), toy)
    assert runs.readable(tmp_path, ["simple_rnn", "lstm"]) == [("lstm", 3)]
    assert capsys.readouterr().err.endswith("Left out: simple_rnn seed 3 diverged in epoch 1.\n")
    for damage in (3, {}, {"epoch": None}, {"epoch": 0}):
        runs.write_json(folder / "result.json", result | {"diverged": damage})
        with pytest.raises(UserError, match="result.json cannot be read"):
            runs.load_seed(folder)


def test_logits_that_are_no_numbers_are_not_counted_as_negative(tmp_path, toy, monkeypatch):
    def nowhere(config, params, ids_NT):
        return np.full(len(ids_NT), np.nan, np.float32)

    monkeypatch.setattr(runs.training, "predict", nowhere)
    trained = train(tmp_path, toy)
    assert trained.diverged == 2 and len(trained.history) == 2
    assert not (tmp_path / "predictions.npz").exists()


def test_json_has_null_for_what_is_no_number(tmp_path):
    runs.write_json(tmp_path / "a.json", {"x": [np.float64("nan"), np.array([1.5, np.inf])]})
    assert strictly((tmp_path / "a.json").read_text()) == {"x": [None, [1.5, None]]}


def test_the_test_split_is_read_once_when_training_has_ended(tmp_path, toy, monkeypatch):
    read = []

    class Watched(data.Split):
        def __getattribute__(self, name):
            if name == "ids_NT":
                read.append(done[-1] if done else "before")
            return super().__getattribute__(name)

    done = []
    fit = runs.training.fit

    def fitted(*arguments, **options):
        result = fit(*arguments, **options)
        done.append("trained")
        return result

    monkeypatch.setattr(runs.training, "fit", fitted)
    watched = Watched(*(getattr(toy.test, f.name) for f in dataclasses.fields(data.Split)))
    train(tmp_path / "seed-3", dataclasses.replace(toy, test=watched), epochs=1)
    assert read == ["trained"]


def test_an_interrupted_seed_is_trained_again(tmp_path, toy, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    run = tmp_path / "run"
    folder = runs.seed_folder(run, "simple_rnn", 3)
    with monkeypatch.context() as patch:
        patch.setattr(runs.checkpoints, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(folder, toy)
    assert runs.seeds(run, "simple_rnn") == []
    with pytest.raises(UserError, match="no finished run"):
        runs.latest(tmp_path)
    assert len(train(folder, toy).history) == 2
    assert runs.latest(tmp_path) == run


def test_a_state_comes_back_whole(tmp_path):
    state = create_state(CONFIG, ADAM, 7)
    checkpoints.save(tmp_path, CONFIG, state)
    _, back = checkpoints.restore(tmp_path, ADAM)
    for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(back), strict=True):
        if jax.dtypes.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        np.testing.assert_array_equal(a, b)


def test_missing_and_damaged_checkpoints_are_user_errors(tmp_path):
    with pytest.raises(UserError, match="No readable checkpoint"):
        checkpoints.restore(tmp_path, ADAM)
    checkpoints.save(tmp_path, CONFIG, create_state(CONFIG, ADAM, 7))
    whole = (tmp_path / "model.json").read_text()
    for content in ("{", "{}", "[]", whole.replace("simple_rnn", "none")):
        (tmp_path / "model.json").write_text(content)
        with pytest.raises(UserError, match="No readable checkpoint"):
            checkpoints.restore(tmp_path, ADAM)


@pytest.mark.parametrize("damage", ["other model", "zeros"])
def test_damage_that_orbax_finds_is_a_user_error_too(tmp_path, damage):
    """In a process of its own: Orbax leaves reads behind that end in whatever runs next."""
    checkpoints.save(tmp_path, CONFIG, create_state(CONFIG, ADAM, 7))
    if damage == "zeros":
        for path in (tmp_path / "state").rglob("d/*"):
            path.write_bytes(bytes(path.stat().st_size))
    else:
        model = tmp_path / "model.json"
        model.write_text(model.read_text().replace("8", "9"))
    script = f"""
import pathlib
from rnnsent import checkpoints, errors, training
try:
    checkpoints.restore(pathlib.Path({str(tmp_path)!r}), training.optimizer())
except errors.UserError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.startswith(f"No readable checkpoint in {tmp_path}"), done.stderr
    assert len(done.stdout) < 600


def test_new_folders_never_collide(tmp_path):
    assert len({runs.new_folder(tmp_path, "x") for _ in range(3)}) == 3
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot create"):
        runs.new_folder(tmp_path / "file", "x")


@dataclasses.dataclass(frozen=True)
class Options(config.DataOptions):
    out: pathlib.Path = pathlib.Path("runs")
    run: pathlib.Path | None = None
    epochs: int = 2
    quick: bool = False


def opened(options, reviews):
    with runs.open_folder(options, reviews, runs.provenance(reviews), "test") as folder:
        return folder


def test_a_run_is_for_one_process_at_a_time(tmp_path, toy):
    options = Options(num_words=60, maxlen=12, run=tmp_path / "run")
    with runs.open_folder(options, toy, runs.provenance(toy), "test") as folder:
        before = {path: path.read_bytes() for path in folder.iterdir()}
        with pytest.raises(UserError, match=f"Another process works on {folder}"):
            opened(dataclasses.replace(options, epochs=3), toy)
        assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert opened(options, toy) == folder


def test_a_place_that_cannot_take_a_run_is_refused_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match="file is no folder.*--out"):
            runs.check_place(place, None)
        with pytest.raises(UserError, match="file is no folder.*--run"):
            runs.check_place(tmp_path, place)
    with pytest.raises(UserError, match="holds no run"):
        runs.check_place(tmp_path, tmp_path / "other")
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / ".lock").write_text("")  # by a process that came no further
    runs.check_place(tmp_path, tmp_path / "left")
    runs.check_place(tmp_path / "new" / "deep", None)
    runs.check_place(tmp_path / "file", tmp_path / "new")


def test_a_run_goes_on_with_its_own_data_and_recipe_only(tmp_path, toy):
    options = Options(num_words=60, maxlen=12, out=tmp_path)
    folder = opened(options, toy)
    assert folder.name.startswith("test-toy-") and runs.data_of(folder) == toy.provenance
    again = dataclasses.replace(options, run=folder)
    assert opened(again, toy) == folder
    for change in ({"epochs": 3}, {"quick": True}):
        with pytest.raises(UserError, match="holds a run with (epochs 2, not 3|quick False)"):
            opened(dataclasses.replace(again, **change), toy)
    longer = data.load("toy", data.Encoding(num_words=60, maxlen=13))
    with pytest.raises(UserError, match="holds a run on other data .toy task"):
        opened(again, longer)
    for content in ("{}", '{"data": 3}', '{"data": {}}', "["):
        (folder / "provenance.json").write_text(content)
        with pytest.raises(UserError, match="provenance.json cannot be read"):
            runs.data_of(folder)


def test_places_of_training_are_named_once(tmp_path, toy):
    here = runs.provenance(toy)
    for name, git in (("a", "one"), ("b", "two"), ("c", "one")):
        (tmp_path / name).mkdir()
        runs.write_json(tmp_path / name / "provenance.json", here | {"git": git})
    places = [tmp_path / name for name in "abc"]
    machine = here["device"]["name"]
    assert runs.origins(places) == [f"revision one on {machine}", f"revision two on {machine}"]


def test_a_package_inside_a_strangers_repository_has_no_revision(monkeypatch):
    monkeypatch.setattr(runs, "__file__", jax.__file__)
    assert runs._git_revision() is None


def test_provenance_says_what_a_result_rests_on(toy):
    found = json.loads(json.dumps(runs.provenance(toy)))
    assert found["data"]["source"] == "toy"
    assert found["versions"]["jax"] == jax.__version__
    assert found["device"]["devices"] == jax.local_device_count()
    assert re.match(r"[0-9a-f]{40}\+?$", found["git"] or "0" * 40)


def test_the_vocabulary_comes_back(tmp_path, toy):
    runs.save_vocabulary(tmp_path, toy.vocabulary, toy.encoding)
    vocabulary, encoding = runs.load_vocabulary(tmp_path)
    assert encoding == toy.encoding and vocabulary.words == toy.vocabulary.words[:60]


@pytest.mark.parametrize("encoding", [3, {"maxlen": "12"}, {"side": 1}, {"maxlen": 0}, None])
def test_an_encoding_that_is_none_is_refused_in_a_line(tmp_path, toy, encoding):
    content = {"origin": "o", "words": ["a"], "encoding": encoding}
    runs.write_json(tmp_path / "vocabulary.json", content)
    with pytest.raises(UserError, match="vocabulary.json cannot be read|maxlen=0 is no length"):
        runs.load_vocabulary(tmp_path)


@pytest.mark.parametrize("changes", [{}, {"validation": 0.3}])
@pytest.mark.parametrize("rows", [(5000, 5000), (100, 10)])
def test_a_run_finds_its_reviews_again(tmp_path, changes, rows):
    options = Options("toy", num_words=60, maxlen=12, out=tmp_path, **changes)
    reviews = options.load().first(*rows)
    folder = opened(options, reviews)
    again = config.RunOptions(run=folder).reviews(folder)
    assert again.provenance == reviews.provenance
    assert again.train.names == reviews.train.names and again.test.names == reviews.test.names
    path = folder / "provenance.json"
    held = json.loads(path.read_text())
    for name, value, message in (
        ("validation", 0.5, "are not the reviews of .*: .*title"),
        ("validation", "x", "is no share"),
        ("train", "x", "provenance.json cannot be read"),
        ("digest", "0", "are not the reviews of .*: digest differ"),
    ):
        path.write_text(json.dumps(held | {"data": held["data"] | {name: value}}))
        with pytest.raises(UserError, match=message):
            config.RunOptions(run=folder).reviews(folder)


def test_half_a_file_is_never_seen(tmp_path):
    path = tmp_path / "a.json"
    runs.write_json(path, {"x": 1})
    circular = []
    circular.append(circular)
    with pytest.raises(ValueError):
        runs.write_json(path, circular)
    assert runs.read_json(path) == {"x": 1}
    with pytest.raises(UserError, match="cannot be read"):
        runs.read_json(tmp_path / "none.json")
