"""Affine steps all at once are those steps one by one, under every mask."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from kernels.parity import B, T, assert_close, assert_same, case, loop, value_and_grads
from reference import mask_of

from rnnsent.arrays import applied
from rnnsent.cells import Cell, LRUCell, LSTMCell, MinGRUCell, MinLSTMCell, nn
from rnnsent.kernels import associative
from rnnsent.layers import Recurrent
from rnnsent.recurrence import scan


class AffineMemoryCell(Cell):
    """M' = f M + v k^T with one f a row: ``a`` is (B, 1, 1), the memory (B, H, H)."""

    def weights(self, input_size):
        return self.param("kernel", nn.initializers.normal(), (input_size, 2 * self.features + 1))

    def initialize_carry(self, rng, input_shape):
        del rng
        return (jnp.zeros((*input_shape[:-1], self.features, self.features)),)

    def affine(self, params, x_BE):
        k_BH, v_BH, f_B = jnp.split(x_BE @ params, (self.features, 2 * self.features), axis=-1)
        return ((nn.sigmoid(f_B)[..., None], v_BH[..., :, None] * k_BH[..., None, :]),)

    def output(self, params, carry, x_BE):
        return jnp.tanh(carry[0].sum(-1)) + x_BE.sum(-1, keepdims=True)


CELLS = (MinGRUCell, MinLSTMCell, LRUCell, AffineMemoryCell)
by_cell = pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.__name__)
ALL_AT_ONCE = {"implementation": "associative"}


@by_cell
def test_values_and_gradients_are_those_of_the_steps(cell, kind):
    mask_BT, run = mask_of(kind, B, T), case(cell)
    got = value_and_grads(run, mask_BT, **ALL_AT_ONCE)
    assert_close(got[0], loop(run, mask_BT))
    want = value_and_grads(run, mask_BT, implementation="scan-stored")
    assert_close(got, want, atol=1e-5)


@by_cell
def test_a_masked_step_keeps_the_carry_to_the_bit_and_padding_reaches_nothing(cell, kind):
    mask_BT, run = mask_of(kind, B, T), case(cell)
    rubbish = np.resize(np.float32([7.0, np.nan, np.inf, -np.inf]), run.x_BTE.shape)
    dirty = run._replace(x_BTE=jnp.where(mask_BT[..., None], run.x_BTE, rubbish))
    clean = value_and_grads(run, mask_BT, **ALL_AT_ONCE)
    assert_same(value_and_grads(dirty, mask_BT, **ALL_AT_ONCE), clean)
    (_, y_BTH), _ = clean
    before_BTH = jnp.concatenate([run.carry[0][:, None], y_BTH[:, :-1]], axis=1)
    masked_BT = ~jnp.asarray(mask_BT)
    if y_BTH.shape[2:] == run.carry[0].shape[1:]:
        assert_same(y_BTH[masked_BT], before_BTH[masked_BT])


def test_layers_run_one_after_another():
    layers = [MinGRUCell(4), LRUCell(3), AffineMemoryCell(5)]
    x_BTE, mask_BT = case(MinGRUCell).x_BTE, jnp.asarray(mask_of("interior", B, T))
    model = Recurrent(layers)
    variables = model.init(jax.random.key(0), x_BTE)
    carry, _ = model.apply(variables, x_BTE, mask_BT)
    runs = (
        jax.jit(functools.partial(model.clone(implementation=name).apply, carry=carry))
        for name in ("associative", "scan")
    )
    got, want = (run(variables, x_BTE, mask_BT) for run in runs)
    assert_close(got, want, atol=1e-5)
    (_, none), _ = (
        model.clone(implementation=name).apply(variables, x_BTE, mask_BT, sequences=False)
        for name in ("associative", "scan")
    )
    assert none is None


def test_other_steps_are_refused():
    with pytest.raises(ValueError, match="associative needs a step that is affine in its carry"):
        scan(*case(LSTMCell), **ALL_AT_ONCE)
    model = Recurrent([MinGRUCell(4)], **ALL_AT_ONCE)
    x_BTE = case(MinGRUCell).x_BTE
    with pytest.raises(ValueError, match="associative takes no nudges"):
        model.init(jax.random.key(0), x_BTE, nudges=[None])


def test_two_steps_compose_to_one():
    rng = np.random.default_rng(0)
    first, then = (((*rng.standard_normal((2, 3)),),) for _ in range(2))
    carry = (rng.standard_normal(3),)
    one = applied(associative.compose(first, then), carry)
    np.testing.assert_allclose(one, applied(then, applied(first, carry)))
