import json
import re

import jax
import numpy as np
import pytest

from rnnsent import checkpoints, data, runs
from rnnsent.errors import UserError
from rnnsent.model import ModelConfig
from rnnsent.training import create_state, optimizer, predict

CONFIG = ModelConfig(cell="simple_rnn", features=(8,), head=4, vocab_size=60, embedding_size=4)
ADAM = optimizer()


@pytest.fixture(scope="module")
def toy():
    return data.load("toy", num_words=60, maxlen=12)


def train(folder, toy, epochs=2):
    return runs.train_seed(
        folder, "toy RNN", CONFIG, ADAM, toy, seed=3, epochs=epochs, batch_size=512
    )


def test_a_seed_is_trained_once_and_reloads_to_the_bit(tmp_path, toy):
    folder = runs.seed_folder(tmp_path, "simple_rnn", 3)
    trained = train(folder, toy)
    assert [epoch["epoch"] for epoch in trained.history] == [1, 2]
    before = (folder / "result.json").stat().st_mtime_ns
    again = train(folder, toy)
    assert (folder / "result.json").stat().st_mtime_ns == before
    np.testing.assert_array_equal(trained.test_logits_N, again.test_logits_N)
    config, state = checkpoints.restore(folder / "checkpoint", ADAM)
    assert config == CONFIG and int(state.step) == 4
    logits_N = predict(config, state.params, toy.test.ids_NT)
    np.testing.assert_array_equal(logits_N, trained.test_logits_N)
    assert runs.seeds(tmp_path, "simple_rnn") == [3]
    with pytest.raises(UserError, match="epochs 2, not 5"):
        train(folder, toy, epochs=5)


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
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(UserError, match="No readable checkpoint"):
        checkpoints.restore(tmp_path, ADAM)


def test_new_folders_never_collide(tmp_path):
    assert len({runs.new_folder(tmp_path, "x") for _ in range(3)}) == 3
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot create"):
        runs.new_folder(tmp_path / "file", "x")


def test_provenance_says_what_a_result_rests_on(toy):
    found = json.loads(json.dumps(runs.provenance(toy)))
    assert found["data"]["source"] == "toy"
    assert found["versions"]["jax"] == jax.__version__
    assert found["device"]["devices"] == jax.local_device_count()
    assert re.match(r"[0-9a-f]{40}\+?$", found["git"] or "0" * 40)


def test_the_vocabulary_comes_back(tmp_path, toy):
    encoding = {"num_words": 60, "maxlen": 12, "padding": "pre", "truncating": "pre"}
    runs.save_vocabulary(tmp_path, toy.vocabulary, encoding)
    vocabulary, same = runs.load_vocabulary(tmp_path)
    assert same == encoding and vocabulary.words == toy.vocabulary.words[:60]


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
