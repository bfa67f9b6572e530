"""The step in which a training is lost, against a plain loop over steps that calls nothing else."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from on_devices import MODEL

from rnnsent import data, divergence
from rnnsent.epochs import Keeping
from rnnsent.fitting import fit
from rnnsent.layout import Rows, epoch_order, plan
from rnnsent.optimizers import scale_by_adam
from rnnsent.training import DROPOUT, ORDER, batch_of, create_state, loss_sums, train_step

BATCH, COUNT = 8, 75
STEPS = -(-COUNT // BATCH)


def lost_at(step: int) -> optax.GradientTransformation:
    """Adam whose rate is enormous in one step, from 0; the parameters then are, and soon lost."""

    def rate(done):
        return jnp.where(done == step, 1e30, 1e-3)

    return optax.chain(scale_by_adam(), optax.scale_by_learning_rate(rate))


@pytest.fixture(scope="module")
def rows():
    return data.load("toy", data.Encoding(num_words=60, maxlen=8)).train[:COUNT]


def plain(optimizer, rows, steps):
    """Of each step from the seed on: loss, gradients, row numbers, and whether all is finite."""
    state, layout = create_state(MODEL, optimizer, 0), plan(BATCH, 1, None)
    held = Rows.of(rows.ids_NT, rows.label_N)
    step = jax.jit(functools.partial(train_step, MODEL, optimizer))
    slope = jax.jit(jax.grad(functools.partial(loss_sums, MODEL), has_aux=True))
    key = jax.random.fold_in(state.key, ORDER)
    for index in range(steps):
        order_B = epoch_order(key, index // STEPS, COUNT, layout)[index % STEPS]
        batch = batch_of(held, order_B)
        dropout = jax.random.fold_in(jax.random.fold_in(state.key, DROPOUT), index)
        gradients, _ = slope({"params": state.params}, batch, dropout)
        state, totals = step(state, batch)
        gradients = optax.tree_utils.tree_scale(1 / totals.weight, gradients["params"])
        loss = float(totals.loss / totals.weight)
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves((loss, gradients, state.params))]
        yield loss, gradients, np.asarray(order_B), all(np.isfinite(one).all() for one in leaves)


def epoch_of(optimizer, rows, count):
    """The state as the last of so many epochs begins."""
    kept = []
    keeping = Keeping(lambda *_: False, print, begin=lambda states, at: kept.append((states, at)))
    start = [create_state(MODEL, optimizer, 0)]
    fit(MODEL, optimizer, start, rows, epochs=count, batch_size=BATCH, keeping=keeping)
    assert [at.epoch for _, at in kept] == list(range(count))
    return kept[-1][0][0]


@pytest.mark.parametrize("bad", [2, STEPS + 3])
def test_the_step_is_the_first_that_a_plain_loop_finds(rows, bad):
    optimizer = lost_at(bad)
    steps = list(plain(optimizer, rows, 2 * STEPS))
    first = next(i for i, (*_, finite) in enumerate(steps) if not finite)
    assert bad <= first < bad + 3
    state = epoch_of(optimizer, rows, bad // STEPS + 1)
    found = divergence.find(MODEL, optimizer, state, rows, batch_size=BATCH)
    assert (found.epoch, found.step, found.steps) == (first // STEPS + 1, first % STEPS + 1, STEPS)
    assert found.total_step == first + 1 and found.first_nan is None
    loss, _, order_B, _ = steps[first]
    assert found.loss == (pytest.approx(loss, rel=1e-5) if math.isfinite(loss) else None)
    assert found.rows == tuple(order_B[order_B >= 0])
    assert found.names == tuple(rows.names[row] for row in found.rows)
    expected = [float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(steps[first - 1][1])]
    np.testing.assert_allclose([one.before for one in found.gradients], expected, rtol=1e-4)
    name, value = found.largest
    assert value == max(one.before for one in found.gradients)
    assert {one.name: one.before for one in found.gradients}[name] == value
    assert found.gradient or found.parameter


def test_it_begins_where_the_state_stands(rows):
    """And what came before that is not known; a training that stays finite has no such step."""
    optimizer = lost_at(2)
    steps = list(plain(optimizer, rows, STEPS))
    first = next(i for i, (*_, finite) in enumerate(steps) if not finite)
    state = create_state(MODEL, optimizer, 0)
    step = jax.jit(functools.partial(train_step, MODEL, optimizer))
    held = Rows.of(rows.ids_NT, rows.label_N)
    for _, _, order_B, _ in steps[:first]:
        state, _ = step(state, batch_of(held, jnp.asarray(order_B)))
    found = divergence.find(MODEL, optimizer, state, rows, batch_size=BATCH, step=first)
    assert found.step == first + 1 and {one.before for one in found.gradients} == {None}
    sound = lost_at(10**6)
    start = create_state(MODEL, sound, 0)
    assert divergence.find(MODEL, sound, start, rows, batch_size=BATCH) is None


def test_op_by_op_the_line_of_the_first_nan_is_named(rows):
    optimizer = lost_at(0)
    start = create_state(MODEL, optimizer, 0)
    options = {"batch_size": BATCH, "debug_nans": True}
    found = divergence.find(MODEL, optimizer, start, rows, **options)
    assert "nan" in found.first_nan and ".py:" in found.first_nan and "\n" not in found.why
    assert found.first_nan in found.why
