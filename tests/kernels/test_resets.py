"""Several sequences in one row are those sequences, each in a row of its own."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from guests import CountingCell, MatrixCell
from kernels.parity import B, T, assert_close, assert_same, case, is_float, loss_of, normal
from reference import mask_of

from rnnsent.cells import LRUCell, LSTMCell, MinGRUCell
from rnnsent.kernels import packing
from rnnsent.recurrence import scan

AFFINE, OTHERS = (MinGRUCell, LRUCell), (LSTMCell, MatrixCell, CountingCell)
WAYS = [
    *((cell, name) for cell in AFFINE for name in ("packed", "associative")),
    *((cell, name) for cell in OTHERS for name in ("scan", "packed")),
]
by_way = pytest.mark.parametrize(
    ("cell", "implementation"), WAYS, ids=lambda value: getattr(value, "__name__", value)
)
RESET_BT = np.zeros((B, T), bool)
RESET_BT[0, [0, 4]] = RESET_BT[1, [2, 3, 9]] = RESET_BT[2, T - 1] = True


@functools.cache
def compiled(step, implementation, reverse=False):
    def loss(params, carry, first, x_BTE, mask_BT, reset_BT):
        options = {"implementation": implementation, "reverse": reverse}
        out = scan(step, params, carry, x_BTE, mask_BT, resets=(reset_BT, first), **options)
        return loss_of(*out), out

    grad = jax.value_and_grad(loss, argnums=(0, 1, 2, 3), has_aux=True, allow_int=True)
    return jax.jit(grad)


@functools.cache
def by_hand(step, reverse=False):
    """Step by step; the carry returns where a sequence begins, in the order it is read in."""

    def loss(params, carry, first, x_BTE, mask_BT, reset_BT):
        outputs, order = [], range(T)[::-1] if reverse else range(T)
        for t in order:
            if reverse:
                enters_B = reset_BT[:, t + 1] if t + 1 < T else jnp.zeros(B, bool)
            else:
                enters_B = reset_BT[:, t]
            carry = packing.where(enters_B, first, carry)
            carry = packing.where(mask_BT[:, t], step(params, carry, x_BTE[:, t]), carry)
            outputs.append(carry[0])
        out = carry, jnp.stack(outputs[::-1] if reverse else outputs, axis=1)
        return loss_of(*out), out

    grad = jax.value_and_grad(loss, argnums=(0, 1, 2, 3), has_aux=True, allow_int=True)
    return jax.jit(grad)


def arguments(cell):
    run = case(cell)
    first = tuple(normal(7, *a.shape).astype(a.dtype) if is_float(a) else a * 0 for a in run.carry)
    return run.step, (run.params, run.carry, first, run.x_BTE)


def floats(result):
    (_, out), grads = result
    return out, jax.tree.map(lambda a: a if is_float(a) else None, grads)


@by_way
def test_the_carry_returns_before_a_marked_step_masked_or_not(cell, implementation, kind):
    step, given = arguments(cell)
    mask_BT = jnp.asarray(mask_of(kind, B, T))
    got, want = (
        run(*given, mask_BT, jnp.asarray(RESET_BT))
        for run in (compiled(step, implementation), by_hand(step))
    )
    assert_close(floats(got), floats(want), atol=1e-5)


@pytest.mark.parametrize("implementation", ["packed", "associative"])
def test_in_reverse_a_sequence_is_entered_from_its_end(implementation, kind):
    step, given = arguments(MinGRUCell)
    mask_BT = jnp.asarray(mask_of(kind, B, T))
    got, want = (
        run(*given, mask_BT, jnp.asarray(RESET_BT))
        for run in (compiled(step, implementation, reverse=True), by_hand(step, reverse=True))
    )
    assert_close(floats(got), floats(want), atol=1e-5)


@by_way
def test_nothing_passes_a_reset(cell, implementation):
    """Neither a value nor a gradient: what stands before it may be anything."""
    step, (params, carry, first, x_BTE) = arguments(cell)
    mask_BT, reset_BT = jnp.ones((B, T), bool), jnp.zeros((B, T), bool).at[:, 6].set(True)
    run = compiled(step, implementation)

    def after(x_BTE):
        (_, (final, y_BTH)), _ = run(params, carry, first, x_BTE, mask_BT, reset_BT)
        return final, y_BTH[:, 6:]

    assert_close(after(x_BTE), after(x_BTE.at[:, :6].set(-3.0)))
    grads = jax.grad(lambda x_BTE: (after(x_BTE)[1] ** 2).sum())(x_BTE)
    assert not np.asarray(grads[:, :6]).any() and np.asarray(grads[:, 6:]).any()


def test_without_a_first_carry_it_is_the_one_given():
    step, params, carry, x_BTE = case(LSTMCell)
    reset_BT = jnp.asarray(RESET_BT)
    alone = scan(step, params, carry, x_BTE, resets=reset_BT)
    assert_same(alone, scan(step, params, carry, x_BTE, resets=(reset_BT, carry)))


def test_ill_fitting_resets_are_refused():
    step, params, carry, x_BTE = case(LSTMCell)
    with pytest.raises(ValueError, match=r"resets is int32\[4, 11\], expected bool\[4, 11\]"):
        scan(step, params, carry, x_BTE, resets=np.zeros((B, T), np.int32))
    with pytest.raises(ValueError, match="resets return to the carry .*, expected"):
        scan(step, params, carry, x_BTE, resets=(RESET_BT, carry[:1]))
