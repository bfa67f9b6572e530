import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnnsent import recurrence
from rnnsent.cells import GRUCell, LSTMCell, SimpleRNNCell
from rnnsent.kernels import ragged

B, T, E, H = 3, 7, 4, 5
GATES = {SimpleRNNCell: 1, LSTMCell: 4, GRUCell: 3}
MASK_BT = np.array([[0, 1, 1, 0, 1, 0, 1], [0] * 7, [1] * 7], bool)


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def arguments(cell):
    width = GATES[cell] * H
    params = {
        "kernel": normal(0, E, width),
        "recurrent_kernel": normal(1, H, width) / 2,
        "bias": normal(2, width),
        "new_bias": normal(3, H),
    }
    carry = tuple(normal(4 + i, B, H) for i in range(cell.carry_size))
    return params, carry, normal(9, B, T, E)


def loss(cell, implementation, sequences=True):
    def run(params, carry, x_BTE, workspace=None):
        carry, y_BTH = recurrence.scan(
            cell.step,
            params,
            carry,
            x_BTE,
            jnp.asarray(MASK_BT),
            sequences=sequences,
            implementation=implementation,
            workspace=workspace,
        )
        total = sum((a**2).sum() for a in carry)
        return total + (y_BTH**3).sum() if sequences else total

    return run


def assert_close(got, want):
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5 * max(float(abs(b).max()), 1e-3), rtol=0)


def forward_over_reverse(function, at, along):
    return jax.jvp(jax.grad(function, argnums=(0, 1, 2)), at, along)[1]


def reverse_over_reverse(function, at, along):
    def slope(*at):
        grads = jax.grad(function, argnums=(0, 1, 2))(*at)
        return sum(jax.tree.leaves(jax.tree.map(lambda a, b: (a * b).sum(), grads, along)))

    return jax.grad(slope, argnums=(0, 1, 2))(*at)


@pytest.mark.parametrize("second", [forward_over_reverse, reverse_over_reverse])
@pytest.mark.parametrize("cell", GATES, ids=lambda cell: cell.__name__)
def test_second_derivatives_are_those_of_the_plain_scan(cell, second):
    at = arguments(cell)
    along = jax.tree.map(lambda a: normal(11, *a.shape), at)
    got, want = (
        jax.jit(lambda at, along, i=i: second(loss(cell, i), at, along))(at, along)
        for i in ("packed", "scan")
    )
    assert_close(got, want)


def test_gradients_under_vmap():
    params, carry, x_BTE = arguments(LSTMCell)
    scales = jnp.array([1.0, 0.5, -1.0])

    def gradient(scale, implementation):
        return jax.grad(loss(LSTMCell, implementation))(params, carry, scale * x_BTE)

    got, want = (
        jax.jit(jax.vmap(lambda s, i=i: gradient(s, i)))(scales) for i in ("packed", "scan")
    )
    assert_close(got, want)


@pytest.mark.parametrize("cell", GATES, ids=lambda cell: cell.__name__)
def test_a_workspace_may_hold_anything_and_is_given_back(cell):
    """Filled with NaN it changes nothing, and its cotangent serves the next call."""
    params, carry, x_BTE = arguments(cell)
    gradient = jax.jit(jax.grad(loss(cell, "packed"), argnums=(0, 1, 2, 3)))
    workspace = ragged.workspace(cell.step, params, carry, jnp.swapaxes(x_BTE, 0, 1))
    workspace = jax.tree.map(lambda a: jnp.full_like(a, jnp.nan), workspace)
    for scale in (1.0, -0.5):
        at = params, carry, scale * x_BTE
        *got, workspace = gradient(*at, workspace)
        assert_close(got, jax.jit(jax.grad(loss(cell, "packed"), argnums=(0, 1, 2)))(*at))
        carries, _ = workspace
        assert_close([all_[0] for all_ in carries], carry)  # what this call wrote, nothing else


def test_a_workspace_of_other_shapes_is_refused():
    params, carry, x_BTE = arguments(LSTMCell)
    short = ragged.workspace(LSTMCell.step, params, carry, jnp.swapaxes(x_BTE, 0, 1)[1:])
    with pytest.raises(ValueError, match="other shapes"):
        jax.grad(loss(LSTMCell, "packed"))(params, carry, x_BTE, short)


@pytest.mark.parametrize(
    ("cell", "count"), [(SimpleRNNCell, 3), (LSTMCell, 3), (GRUCell, 6)], ids=lambda c: str(c)
)
def test_no_product_is_computed_twice(cell, count):
    """Forward, towards the inputs, towards the weights; the GRU has two products in a step."""
    gradient = jax.jit(jax.grad(loss(cell, "packed", sequences=False), argnums=(0, 2)))
    compiled = gradient.lower(*arguments(cell)).compile().as_text()
    assert len(re.findall(r"= \S+ dot\(", compiled)) == count
