"""One layer's value and every gradient, by any implementation and by the float64 loop."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import reference
from jax.experimental import rnn

from rnnsent import cells, recurrence
from rnnsent.kernels import cudnn

B, T, E, H = 5, 21, 3, 12


class Case(NamedTuple):
    """What one layer is run with; ``dy_BTH`` and ``dcarry`` are the loss's weights."""

    params: cells.Params
    carry: cells.Carry
    x_BTE: np.ndarray
    mask_BT: np.ndarray | None
    dy_BTH: np.ndarray
    dcarry: cells.Carry


def case(cell_type, mask_BT, zero_carry: bool = False) -> Case:
    generator = np.random.default_rng(0)

    def normal(*shape):
        return generator.standard_normal(shape, np.float32)

    cell = cell_type(H)
    variables = cell.init(
        jax.random.key(1), cell.initialize_carry(None, (B, E)), jnp.zeros((B, E))
    )["params"]
    carry, dcarry = (tuple(normal(B, H) for _ in range(cell.carry_size)) for _ in range(2))
    if zero_carry:
        carry, dcarry = jax.tree.map(np.zeros_like, (carry, dcarry))
    return Case(variables, carry, normal(B, T, E), mask_BT, normal(B, T, H), dcarry)


def value_and_grads(cell_type, implementation: str):
    """A compiled function of a case: (final carry, outputs), and the gradients of
    (params, carry, x_BTE)."""

    def loss(params, carry, x_BTE, mask_BT, dy_BTH, dcarry):
        final, y_BTH = recurrence.scan(
            cell_type.step, params, carry, x_BTE, mask_BT, implementation=implementation
        )
        parts = jax.tree.map(lambda a, weight: (a * weight).sum(), (y_BTH, final), (dy_BTH, dcarry))
        return sum(jax.tree.leaves(parts)), (final, y_BTH)

    run = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True))

    def outputs_and_grads(case: Case):
        (_, outputs), grads = run(*case)
        return outputs, grads

    return outputs_and_grads


def by_loop(case: Case):
    """The outputs of an LSTM that starts at zero, and the gradients of params and inputs."""
    params, x_BTE, dy_BTH = jax.tree.map(
        lambda a: np.asarray(a, np.float64), (case.params, case.x_BTE, case.dy_BTH)
    )
    x_BTE = x_BTE * case.mask_BT[..., None]
    y_BTH, kept = reference.layer("lstm", params, x_BTE, case.mask_BT)
    return y_BTH, reference.layer_backward("lstm", params, x_BTE, case.mask_BT, kept, dy_BTH)


def assert_forward(a, b):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=5e-6, rtol=0), a, b)


def assert_grads(a, b):
    """Each leaf to 1e-5 of its largest entry."""

    def close(x, y):
        scale = np.abs(y).max(initial=0)
        np.testing.assert_allclose(x, y, atol=1e-5 * scale, rtol=0)

    jax.tree.map(close, a, b)


def assert_same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def rubbish_in_padding(case: Case) -> Case:
    rubbish = np.resize(np.float32([7, np.nan, np.inf, -np.inf]), case.x_BTE.shape)
    return case._replace(x_BTE=np.where(case.mask_BT[..., None], case.x_BTE, rubbish))


def _lstm_ref(x_BTE, h_1BH, c_1BH, weights, length_B):
    sizes = (x_BTE.shape[-1], h_1BH.shape[-1], 1)
    parts = rnn.unpack_lstm_weights(weights, *sizes, bidirectional=False)
    return rnn.lstm_ref(x_BTE, h_1BH, c_1BH, *parts, length_B, *sizes, 0.0, False)


def _lstm_ref_backward(kept, cotangents):
    *floats, length_B = kept
    return jax.vjp(lambda *floats: _lstm_ref(*floats, length_B), *floats)[1](cotangents)


# In cuDNN's place: jax's reference of it.
LSTM_REF = cudnn.Lstm(lambda *arrays: (_lstm_ref(*arrays), arrays), _lstm_ref_backward)
