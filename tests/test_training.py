import dataclasses
import functools
import json
import os
import subprocess
import sys

import jax
import numpy as np
import optax
import pytest

from rnnsent import data, training
from rnnsent.model import ModelConfig, SentimentClassifier
from rnnsent.training import create_state, epoch_order, fit, optimizer, plan, predict

CONFIG = ModelConfig(
    cell="lstm", features=(16, 8), head=8, vocab_size=60, embedding_size=8, recurrent_dropout=0.1
)
ADAM = optimizer(1e-2)


@pytest.fixture(scope="module")
def toy():
    return data.load("toy", data.Encoding(num_words=60, maxlen=16))


def run(toy, *, seed=0, epochs=2, rows=100, batch_size=32, **options):
    state = create_state(CONFIG, ADAM, seed)
    part = (toy.train.ids_NT[:rows], toy.train.label_N[:rows])
    return fit(CONFIG, ADAM, state, *part, epochs=epochs, batch_size=batch_size, **options)


def same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def without_time(history):
    return [dataclasses.replace(now, seconds=0) for now in history]


def test_one_seed_gives_one_result(toy):
    (first, history), (second, again) = run(toy), run(toy)
    same(first.params, second.params)
    assert without_time(history) == without_time(again)
    assert run(toy, seed=1)[1][-1].loss != history[-1].loss


def test_everything_random_follows_from_the_seed(toy):
    """The first weights, the order and dropout, each by itself."""
    zero, one = (create_state(CONFIG, ADAM, seed) for seed in (0, 1))
    for a, b in zip(jax.tree.leaves(zero.params), jax.tree.leaves(one.params), strict=True):
        assert a.ndim == 1 or (a != b).mean() > 0.9  # biases are the same
    orders = [epoch_order(state.key, 0, 100, plan(32, 1, 32)) for state in (zero, one)]
    assert (orders[0] != orders[1]).any()
    batch = data.pack_rows(toy.train.ids_NT[:32]), toy.train.label_N[:32], np.ones(32, "f")
    step = jax.jit(functools.partial(training.train_step, CONFIG, ADAM, micro_batch=32))
    states = zero, zero, zero.replace(key=one.key)
    first, again, other = (step(state, *batch)[1] for state in states)
    assert first.loss == again.loss != other.loss


def test_a_training_that_diverges_ends_with_that_epoch(toy):
    reckless = optimizer(1e30)
    state = create_state(CONFIG, reckless, 0)
    part = (toy.train.ids_NT[:100], toy.train.label_N[:100])
    state, history = fit(CONFIG, reckless, state, *part, epochs=3, batch_size=32)
    assert [now.epoch for now in history] == [1] and not np.isfinite(history[0].loss)
    assert int(state.step) == 4


def test_seeds_go_on_while_the_loss_of_one_is_finite():
    losses = {1: (1.0, np.nan), 2: (1.0, np.nan), 3: (np.inf, np.nan), 4: (1.0, 1.0)}

    def advance(epoch, taken, start, stop):
        return epoch + 1, training.Totals(np.array(losses[epoch + 1]), np.ones(2), np.ones(2))

    state, history = training.run_epochs(lambda *_: None, advance, 0, range(4), 1, None)
    assert state == 3 and len(history) == 3


@pytest.mark.parametrize("padding", ["pre", "post"])
def test_where_the_padding_stands_changes_nothing(toy, padding):
    """The toy task pads on either side and in between; the same words give the same training."""
    ids_NT, label_N = toy.train.ids_NT[:64], toy.train.label_N[:64]
    assert (ids_NT == 0).any(1).mean() > 0.5
    moved_NT = data.pack_rows(ids_NT)
    if padding == "pre":
        moved_NT = data.pack_rows(ids_NT[:, ::-1])[:, ::-1]
        assert (moved_NT != data.pack_rows(ids_NT)).any()
    states = [
        fit(CONFIG, ADAM, create_state(CONFIG, ADAM, 0), rows, label_N, epochs=1, batch_size=32)[0]
        for rows in (ids_NT, moved_NT)
    ]
    same(states[0].params, states[1].params)


def test_going_on_is_one_longer_run(toy):
    whole, history = run(toy, epochs=2)
    state, first = run(toy, epochs=1)
    rows = (toy.train.ids_NT[:100], toy.train.label_N[:100])
    state, second = fit(CONFIG, ADAM, state, *rows, epochs=1, batch_size=32)
    same(state.params, whole.params)
    assert [now.epoch for now in first + second] == [1, 2]
    assert second[0].loss == history[1].loss


def test_no_review_is_dropped_and_one_compilation_serves(toy, monkeypatch):
    seen, traced = [], []
    step = training.train_step
    monkeypatch.setattr(training, "train_step", lambda *a, **k: traced.append(1) or step(*a, **k))
    _, history = run(toy, rows=97, batch_size=8, progress=seen.append)
    assert len(traced) == 1
    assert all(now.rows == 97 and now.step == now.steps == 13 for now in history)
    assert [now.step for now in seen if now.epoch == 1] == [7, 13]


def test_an_epochs_order_is_a_new_permutation():
    layout = plan(32, 2, 10)
    assert layout.rows >= 32 and layout.micro_batch <= 10
    orders = [np.asarray(epoch_order(jax.random.key(0), epoch, 100, layout)) for epoch in (0, 1)]
    for order in orders:
        assert order.shape == (4, layout.rows)
        assert sorted(order[order >= 0]) == list(range(100))
        assert (order[:, 32:] == -1).all()
    assert (orders[0] != orders[1]).any()


def gradient_of(toy, micro_batch, rows=32, workspace=None):
    state = create_state(CONFIG, ADAM, 0)
    ids = jax.numpy.asarray(data.pack_rows(toy.train.ids_NT[:rows]))
    return training.gradients(
        CONFIG,
        state.params,
        ids,
        toy.train.label_N[:rows],
        np.ones(rows, np.float32),
        dropout_key=jax.random.key(5),
        rows_B=np.arange(rows),
        micro_batch=micro_batch,
        workspace=workspace,
    )


def test_a_workspace_serves_batch_after_batch(toy):
    params = create_state(CONFIG, ADAM, 0).params
    workspace = training.workspace(CONFIG, params, toy.train.ids_NT.shape[1], 4)
    assert jax.tree.leaves(workspace)
    expected, none = gradient_of(toy, 4)[1:]
    assert none is None
    for _ in range(2):
        *got, workspace = gradient_of(toy, 4, workspace=workspace)
        same(tuple(got), gradient_of(toy, 4)[:2])
        assert got[1].loss == expected.loss


def test_the_micro_batch_does_not_matter(toy):
    whole, parts = gradient_of(toy, 32), gradient_of(toy, 4)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), whole, parts)


ONE_STEP = """
import json, jax, optax
from rnnsent import data
from rnnsent.training import create_state, fit, optimizer
from rnnsent.model import ModelConfig
toy = data.load("toy", data.Encoding(num_words=60, maxlen=16))
config = ModelConfig(cell="lstm", features=(16, 8), head=8, vocab_size=60, embedding_size=8,
                     recurrent_dropout=0.1)
adam = optimizer(1e-2)
state, history = fit(config, adam, create_state(config, adam, 0), toy.train.ids_NT[:50],
                     toy.train.label_N[:50], epochs=1, batch_size=50)
moment = optax.tree_utils.tree_get(state.opt_state, "mu")
print(json.dumps([jax.local_device_count(), history[0].loss,
                  [leaf.ravel().tolist() for leaf in jax.tree.leaves(moment)]]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("devices", [2, 3])
def test_the_number_of_devices_does_not_matter(toy, devices):
    """One step with dropout, against this process's one device; 3 do not divide 50 rows evenly."""
    assert jax.local_device_count() == 1
    state, history = run(toy, epochs=1, rows=50, batch_size=50)
    one = jax.tree.leaves(optax.tree_utils.tree_get(state.opt_state, "mu"))

    env = os.environ | {"JAX_NUM_CPU_DEVICES": str(devices)}
    command = [sys.executable, "-c", ONE_STEP]
    out = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    count, loss, moments = json.loads(out.stdout)
    assert count == devices
    assert loss == pytest.approx(history[0].loss, rel=1e-6)
    for a, b in zip(one, moments, strict=True):
        np.testing.assert_allclose(a.ravel(), b, rtol=1e-4, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
def test_the_toy_task_is_learned(toy, cell):
    config = dataclasses.replace(CONFIG, cell=cell, recurrent_dropout=0.0)
    state, _ = fit(
        config,
        ADAM,
        create_state(config, ADAM, 0),
        toy.train.ids_NT,
        toy.train.label_N,
        epochs=12,
        batch_size=32,
    )
    logits_N = predict(config, state.params, toy.test.ids_NT)
    assert ((logits_N > 0) == (toy.test.label_N == 1)).mean() > 0.85


@pytest.mark.parametrize("rows", [0, 1, 31, 70])
def test_predictions_are_the_models(toy, rows):
    params = create_state(CONFIG, ADAM, 0).params
    ids_NT = toy.test.ids_NT[:rows]
    logits_N = predict(CONFIG, params, ids_NT, batch_size=32)
    assert logits_N.shape == (rows,) and logits_N.dtype == np.float32
    expected_N = SentimentClassifier(CONFIG).apply({"params": params}, ids_NT) if rows else []
    np.testing.assert_allclose(logits_N, expected_N, atol=1e-6)
