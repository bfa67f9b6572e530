import jax
import numpy as np
import pytest
from kernels.parity import assert_close, case
from reference import mask_of

from rnnsent.cells import GRUCell, LSTMCell, SimpleRNNCell
from rnnsent.kernels import plain

CELLS = (SimpleRNNCell, LSTMCell, GRUCell)
KEEPS = ("carries", "expensive", "all")
by_cell = pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.__name__)


def final(case, mask_BT, **knobs):
    """The final output as a function of the params and inputs, by one way of keeping."""

    def run(params, x_BTE):
        carry, y_BTH = plain.scan(case.step, params, case.carry, x_BTE, mask_BT, False, **knobs)
        assert y_BTH is None
        return carry[0]

    return run


@by_cell
def test_less_is_kept_for_the_backward_pass_than_by_plain_autodiff(cell):
    """A pullback's leaves are what it keeps; without a mask, that is of the steps alone."""
    run = case(cell)

    def kept(keep):
        function = final(run, None, keep=keep)
        leaves = jax.tree.leaves(jax.vjp(function, run.params, run.x_BTE)[1])
        return sum(leaf.size for leaf in leaves)

    carries, expensive, everything = map(kept, KEEPS)
    assert carries < expensive <= everything
    inputs = sum(a.size for a in jax.tree.leaves((run.params, run.x_BTE)))
    assert carries <= inputs + run.x_BTE.shape[1] * sum(a.size for a in run.carry)


def test_what_is_kept_and_how_many_steps_go_together_changes_nothing():
    run, mask_BT = case(LSTMCell), mask_of("interior", 4, 11)

    def gradient(**knobs):
        def loss(*at):
            return (final(run, mask_BT, **knobs)(*at) ** 2).sum()

        return jax.jit(jax.grad(loss, argnums=(0, 1)))(run.params, run.x_BTE)

    expected = gradient(keep="all")
    for knobs in ({"keep": "expensive", "unroll": 3}, {"unroll": 50}):
        assert_close(gradient(**knobs), expected)


@pytest.mark.parametrize("keep", KEEPS)
def test_forward_mode_and_second_derivatives(keep):
    run, mask_BT = case(SimpleRNNCell), mask_of("interior", 4, 11)

    @jax.jit
    def derivatives(scale):
        def loss(scale):
            return (final(run, mask_BT, keep=keep)(run.params, scale * run.x_BTE) ** 2).sum()

        slope = jax.grad(loss)
        return slope(scale), jax.jvp(loss, (scale,), (1.0,))[1], jax.grad(slope)(scale)

    slope, forward, second = derivatives(1.0)
    np.testing.assert_allclose(forward, slope, rtol=1e-4)
    numeric = (derivatives(1.01)[0] - derivatives(0.99)[0]) / 0.02
    np.testing.assert_allclose(second, numeric, rtol=2e-2, atol=1e-2)
