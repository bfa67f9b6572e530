"""The step in which a training is lost, against a plain loop over steps that calls nothing else."""

import functools
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rnnsent import data, divergence
from rnnsent.epochs import Keeping
from rnnsent.fitting import fit
from rnnsent.layout import Batch, Rows, epoch_order, plan
from rnnsent.model import SentimentClassifier
from rnnsent.optimizers import scale_by_adam
from rnnsent.training import DROPOUT, ORDER, batch_of, create_state, loss_sums, train_step

MODEL = SentimentClassifier(
    cell="simple_rnn", features=(4,), head=4, vocab_size=60, embedding_size=4, recurrent_dropout=0.1
)
BATCH, COUNT = 8, 75
STEPS = -(-COUNT // BATCH)
BAD = STEPS + 3
"""The step, from 0, after which the parameters are enormous, and soon lost."""


def _rate(done):
    return jnp.where(done == BAD, 1e30, 1e-3)


OPTIMIZER = optax.chain(scale_by_adam(), optax.scale_by_learning_rate(_rate))


@pytest.fixture(scope="module")
def rows():
    return data.load("toy", data.Encoding(num_words=60, maxlen=8)).train[:COUNT]


def find(state, rows, **options):
    return divergence.find(MODEL, OPTIMIZER, state, rows, batch_size=BATCH, **options)


@pytest.fixture(scope="module")
def plain(rows):
    """Up to the first step that is not finite: state before it, loss, gradients, row numbers."""
    state, layout = create_state(MODEL, OPTIMIZER, 0), plan(BATCH, 1, None)
    held = Rows.of(rows.ids_NT, rows.label_N)
    step = jax.jit(functools.partial(train_step, MODEL, OPTIMIZER))
    slope = jax.jit(jax.grad(functools.partial(loss_sums, MODEL), has_aux=True))
    key, found, finite = jax.random.fold_in(state.key, ORDER), [], True
    while finite:
        epoch, index = divmod(len(found), STEPS)
        order_B = epoch_order(key, epoch, COUNT, layout)[index]
        batch = batch_of(held, order_B)
        dropout = jax.random.fold_in(jax.random.fold_in(state.key, DROPOUT), state.step)
        gradients, _ = slope({"params": state.params}, batch, dropout)
        before = state.replace(epoch=jnp.int32(epoch))
        state, totals = step(state, batch)
        gradients = optax.tree_utils.tree_scale(1 / totals.weight, gradients["params"])
        loss = float(totals.loss / totals.weight)
        found.append((before, loss, gradients, np.asarray(order_B)))
        leaves = jax.tree.leaves((loss, gradients, state.params))
        finite = all(np.isfinite(leaf).all() for leaf in leaves)
    return found


@pytest.fixture(scope="module")
def begun(rows):
    """The states as each epoch of a run begins."""
    kept = []
    keeping = Keeping(lambda *_: False, print, begin=lambda states, at: kept.append((states, at)))
    start = [create_state(MODEL, OPTIMIZER, 0)]
    fit(MODEL, OPTIMIZER, start, rows, epochs=2, batch_size=BATCH, keeping=keeping)
    assert [(at.epoch, at.step) for _, at in kept] == [(0, 0), (1, 0)]
    return [state for (state,), _ in kept]


def test_the_step_is_the_first_that_a_plain_loop_finds(rows, plain, begun):
    assert find(begun[0], rows) is None  # an epoch before
    found, first = find(begun[1], rows), len(plain) - 1
    assert BAD <= first < BAD + 3
    assert (found.epoch, found.step, found.steps) == (2, first - STEPS + 1, STEPS)
    assert found.total_step == first + 1 and found.first_nan is None
    _, loss, _, order_B = plain[first]
    assert found.loss == (pytest.approx(loss, rel=1e-5) if math.isfinite(loss) else None)
    assert found.rows == tuple(order_B[order_B >= 0])
    assert found.names == tuple(rows.names[row] for row in found.rows)
    assert found.gradient or found.parameter


def test_its_gradients_are_those_of_the_last_good_step(rows, plain, begun):
    found = find(begun[1], rows)
    expected = [float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(plain[-2][2])]
    before = {one.name: one.before for one in found.gradients}
    np.testing.assert_allclose(list(before.values()), expected, rtol=1e-4)
    name, value = found.largest
    assert before[name] == value == max(before.values())
    assert name in found.why and "layer_0/recurrent_kernel" in before


def test_what_was_before_the_state_is_not_known(rows, plain):
    found = find(plain[-1][0], rows, step=len(plain) - 1 - STEPS)
    assert found.total_step == len(plain) and {one.before for one in found.gradients} == {None}


def test_op_by_op_the_line_of_the_first_nan_is_named(rows, plain):
    found = find(plain[-1][0], rows, step=len(plain) - 1 - STEPS, debug_nans=True)
    assert re.fullmatch(r"first NaN: .*\(nan\).* at \w+/\w+\.py:\d+, `.*`", found.first_nan)
    assert found.first_nan in found.why and "\n" not in found.why


def test_the_line_is_that_of_the_cell_where_the_cell_makes_it():
    """Zero times infinity; where sums overflow, versions of XLA differ in what is lost first."""
    state = create_state(MODEL, OPTIMIZER, 0)
    layer = state.params["layer_0"]
    lost = {"recurrent_kernel": jnp.full_like(layer["recurrent_kernel"], jnp.inf)}
    state = state.replace(params=state.params | {"layer_0": layer | lost})
    batch = Batch(
        *(jnp.ones(shape, jnp.int32) for shape in ((2, 8), 2, 2)), jnp.ones(2), jnp.arange(2)
    )
    assert " at cells/classic.py:" in divergence.first_nan(MODEL, OPTIMIZER, state, batch)
