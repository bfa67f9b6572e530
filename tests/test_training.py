import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from on_devices import ADAM, MODEL

from rnnsent import data, evaluation, optimizers, training
from rnnsent.fitting import fit
from rnnsent.inference import predict
from rnnsent.layout import Batch, Rows, epoch_order, plan
from rnnsent.model import SentimentClassifier
from rnnsent.training import create_state, gradients, loss_sums, train_step

SEEDS = (0, 3, 5)


@pytest.fixture(scope="module")
def toy():
    return data.load("toy", data.Encoding(num_words=60, maxlen=16))


def fitted(toy, model=MODEL, *, seeds=(0,), epochs=2, rows=75, batch_size=32, **options):
    states = [create_state(model, ADAM, seed) for seed in seeds]
    return go_on(toy, states, model, epochs=epochs, rows=rows, batch_size=batch_size, **options)


def go_on(toy, states, model=MODEL, *, epochs=1, rows=75, batch_size=32, **options):
    part = toy.train[:rows]
    return fit(model, ADAM, states, part, epochs=epochs, batch_size=batch_size, **options)


def same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def close(a, b, atol=2e-5):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=atol, rtol=0), a, b)


def without_time(history):
    return [dataclasses.replace(now, seconds=0) for now in history]


def losses(history):
    return [now.loss for now in history]


def batch_of(toy, rows=32, weight_B=None) -> Batch:
    ids_BT = data.pack_rows(toy.train.ids_NT[:rows])
    weight_B = np.ones(rows, np.float32) if weight_B is None else np.asarray(weight_B, np.float32)
    arrays = (ids_BT, data.lengths(ids_BT), toy.train.label_N[:rows], weight_B, np.arange(rows))
    return Batch(*map(jnp.asarray, arrays))


@pytest.fixture(scope="module")
def once(toy):
    """State and history of seed 0 after two epochs."""
    (state,), (history,) = fitted(toy)
    return state, history


def test_one_seed_gives_one_result(toy, once):
    (again,), (history,) = fitted(toy)
    same(again.params, once[0].params)
    assert without_time(history) == without_time(once[1])


def test_everything_random_follows_from_the_seed(toy):
    """The first weights, the order and dropout, each by itself."""
    zero, one = (create_state(MODEL, ADAM, seed) for seed in (0, 1))
    for a, b in zip(jax.tree.leaves(zero.params), jax.tree.leaves(one.params), strict=True):
        assert a.ndim == 1 or (a != b).mean() > 0.9  # biases are the same
    orders = [epoch_order(state.key, 0, 100, plan(32, 1, 32)) for state in (zero, one)]
    assert (orders[0] != orders[1]).any()
    step = jax.jit(functools.partial(train_step, MODEL, ADAM, micro_batch=32))
    states = zero, zero, zero.replace(key=one.key)
    first, again, other = (step(state, batch_of(toy))[1] for state in states)
    assert first.loss == again.loss != other.loss


def test_every_seed_is_what_it_is_alone(toy):
    seen = []
    ended, histories = fitted(toy, seeds=SEEDS, progress=seen.append)
    lines = [seeds for seeds in seen if seeds[0].ended]
    assert lines == [list(epoch) for epoch in zip(*histories, strict=True)]
    assert len(ended) == len(histories) == len(SEEDS)
    for seed, state, history in zip(SEEDS, ended, histories, strict=True):
        (by_itself,), (expected,) = fitted(toy, seeds=(seed,))
        close(state.params, by_itself.params)
        assert int(state.step) == int(by_itself.step) == 6
        assert [now.rows for now in history] == [75, 75]
        np.testing.assert_allclose(losses(history), losses(expected), rtol=1e-5)


def test_seeds_advance_as_one_vectorised_step_on_an_accelerator(toy, monkeypatch):
    """As there, but on this CPU: every row in one piece, and no loop over seeds."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(jax.lax, "map", None)
    # As no other test has compiled it.
    model = MODEL.clone(cell="simple_rnn", implementation="scan", head=7)
    together, _ = fitted(toy, model, seeds=SEEDS[:2], epochs=1)
    monkeypatch.undo()
    for seed, state in zip(SEEDS, together, strict=False):
        (by_itself,), _ = fitted(toy, model, seeds=(seed,), epochs=1)
        close(state.params, by_itself.params)


def test_a_training_that_diverges_ends_with_that_epoch(toy):
    reckless = optimizers.adam(1e30)
    part = toy.train[:75]
    state = create_state(MODEL, reckless, 0)
    (state,), (history,) = fit(MODEL, reckless, [state], part, epochs=3, batch_size=32)
    assert [now.epoch for now in history] == [1] and not np.isfinite(history[0].loss)
    assert int(state.step) == 3


def test_where_the_padding_stands_changes_nothing(toy):
    """The toy task pads on either side and in between; the same words give the same training."""
    ids_NT, label_N = toy.train.ids_NT[:64], toy.train.label_N[:64]
    assert (ids_NT == 0).any(1).mean() > 0.5
    right_NT = data.pack_rows(ids_NT)
    left_NT = data.pack_rows(ids_NT[:, ::-1])[:, ::-1]
    assert (left_NT != right_NT).any()
    states = [
        fit(MODEL, ADAM, [create_state(MODEL, ADAM, 0)], rows, epochs=1, batch_size=32)
        for rows in (Rows.of(padded_NT, label_N) for padded_NT in (ids_NT, right_NT, left_NT))
    ]
    (first,), *others = (state for state, _ in states)
    for (other,) in others:
        same(other.params, first.params)


@pytest.mark.parametrize("seeds", [(0,), SEEDS])
def test_going_on_is_one_longer_run(toy, seeds):
    whole, histories = fitted(toy, seeds=seeds, epochs=2)
    states, first = fitted(toy, seeds=seeds, epochs=1)
    states, second = go_on(toy, states)
    for state, expected, *parts, history in zip(
        states, whole, first, second, histories, strict=True
    ):
        same(state.params, expected.params)
        assert [now.epoch for part in parts for now in part] == [1, 2]
        assert losses(parts[1]) == losses(history)[1:]


def test_states_must_stand_at_the_same_epoch(toy):
    states, _ = fitted(toy, epochs=1)
    for wrong in ([*states, create_state(MODEL, ADAM, 1)], []):
        with pytest.raises(ValueError, match="same number of epochs"):
            go_on(toy, wrong)


def test_a_trained_state_knows_how_many_epochs_it_has_behind_it(toy):
    """Its steps do not tell: three in an epoch become two of a larger batch."""
    states, _ = fitted(toy, epochs=2)
    (state,), (history,) = go_on(toy, states, batch_size=40)
    assert [(now.epoch, now.epochs, now.steps) for now in history] == [(3, 3, 2)]
    assert (int(state.epoch), int(state.step)) == (3, 8)


def test_no_review_is_dropped_and_one_compilation_serves(toy, monkeypatch):
    seen, traced = [], []
    step = training.train_step
    monkeypatch.setattr(training, "train_step", lambda *a, **k: traced.append(1) or step(*a, **k))
    model = MODEL.clone(head=6)
    _, (history,) = fitted(toy, model, rows=97, batch_size=8, progress=seen.append)
    assert len(traced) == 1
    assert all(now.rows == 97 and now.step == now.steps == 13 for now in history)
    assert [now.step for (now,) in seen if now.epoch == 1] == [7, 13]


def test_loss_sums_weigh_rows(toy):
    model, batch = MODEL.clone(cell="simple_rnn"), batch_of(toy, 4)
    variables = {"params": create_state(model, ADAM, 0).params}
    part, _ = loss_sums(model, variables, jax.tree.map(lambda a: a[:2], batch))
    whole, totals = loss_sums(model, variables, batch_of(toy, 4, [1, 1, 0, 0]))
    np.testing.assert_allclose(part, whole, rtol=1e-6)
    assert totals.weight == 2


def test_totals_are_the_metrics_of_the_logits(toy, once):
    params, batch = once[0].params, batch_of(toy, 31)
    logits_B = MODEL.apply({"params": params}, toy.train.ids_NT[:31])
    loss, totals = loss_sums(MODEL, {"params": params}, batch)
    assert evaluation.accuracy(logits_B, batch.label_B) != 0.5
    np.testing.assert_allclose(totals.correct / 31, evaluation.accuracy(logits_B, batch.label_B))
    np.testing.assert_allclose(loss / 31, evaluation.log_loss(logits_B, batch.label_B), rtol=1e-5)
    assert totals.loss == loss


KEY = jax.random.key(5)


@functools.cache
def compiled_gradients(model, micro_batch):
    return jax.jit(functools.partial(gradients, model, micro_batch=micro_batch))


def test_the_micro_batch_does_not_matter(toy):
    variables = {"params": create_state(MODEL, ADAM, 0).params}
    whole, parts = (
        compiled_gradients(MODEL, size)(variables, batch_of(toy), KEY) for size in (None, 4)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), whole, parts)


def part_of(toy, rows):
    return jax.tree.map(lambda a: a[:rows], batch_of(toy))


def test_scratch_memory_serves_batch_after_batch(toy):
    """Whatever it holds, and micro-batch after micro-batch."""
    variables = {"params": create_state(MODEL, ADAM, 0).params}
    scratch = training.scratch(MODEL, variables["params"], part_of(toy, 4))
    assert jax.tree.leaves(scratch)
    run = compiled_gradients(MODEL, 4)
    expected, totals = run(variables, batch_of(toy), KEY)
    assert set(expected) == {"params"}
    for _ in range(2):
        scratch = jax.tree.map(lambda a: a + jnp.nan, scratch)
        grads, got = run(variables | scratch, batch_of(toy), KEY)
        same((grads["params"], got), (expected["params"], totals))
        scratch = {"scratch": grads["scratch"]}
        first = jax.tree.leaves(scratch)[0]
        assert np.isfinite(first[:2]).all()  # it was used


def test_a_state_hands_its_scratch_memory_on(toy):
    state = create_state(MODEL, ADAM, 0)
    step = jax.jit(functools.partial(train_step, MODEL, ADAM, micro_batch=8))
    scratch = training.scratch(MODEL, state.params, part_of(toy, 8))
    lent = state.replace(scratch=scratch)
    for _ in range(2):
        state, totals = step(state, batch_of(toy))
        lent, expected = step(lent, batch_of(toy))
        same((state.params, totals), (lent.params, expected))
        assert state.scratch is None
        assert jax.tree.structure(lent.scratch) == jax.tree.structure(scratch)
        assert any(np.any(leaf != 0) for leaf in jax.tree.leaves(lent.scratch))


def test_a_run_hands_out_no_scratch_memory(once):
    assert once[0].scratch is None


GUESTS = ("PositiveCell", "MatrixCell", "CountingCell", "ShuffledCell", "ConstantCell")


@pytest.mark.parametrize("name", GUESTS)
def test_any_cell_trains_on_every_implementation_alike(toy, name):
    """Gradients by packing, with its scratch memory, are those of plain autodiff."""
    model = MODEL.clone(cell=f"guests:{name}", recurrent_dropout=0.0)
    variables, batch = {"params": create_state(model, ADAM, 0).params}, batch_of(toy, 8)
    scratch = training.scratch(model, variables["params"], batch) or {}
    assert bool(scratch) == (name not in ("CountingCell",))
    got, totals = compiled_gradients(model, None)(variables | scratch, batch, KEY)
    exact = compiled_gradients(model.clone(implementation="scan-stored"), None)
    want, expected = exact(variables, batch, KEY)
    scale = max(float(abs(a).max()) for a in jax.tree.leaves(want))
    close(got["params"], want["params"], 1e-5 * scale)
    close(totals, expected, 1e-4)


def test_recurrent_dropout_of_a_cell_that_has_no_place_for_it_is_refused(toy):
    model = MODEL.clone(cell="guests:MinimalCell")
    with pytest.raises(ValueError, match="MinimalCell takes no recurrent dropout"):
        fitted(toy, model)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru", "guests:MinimalCell"])
def test_the_toy_task_is_learned(toy, cell):
    model = SentimentClassifier(cell, features=(16, 8), head=8, vocab_size=60, embedding_size=8)
    (state,), _ = go_on(toy, [create_state(model, ADAM, 0)], model, epochs=12, rows=None)
    logits_N = predict(model, state.params, toy.test.ids_NT)
    assert ((logits_N > 0) == (toy.test.label_N == 1)).mean() > 0.85
