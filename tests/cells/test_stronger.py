"""The cells beyond the classic ones, beside the papers' formulas and other people's programs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cells import formulas
from cells.theirs import waves

from rnnsent.cells import CELLS, CLASSIC, IndRNNCell, LSTMCell, MLSTMCell, PeepholeLSTMCell
from rnnsent.layers import Recurrent

B, T, E, H = 3, 7, 4, 5
ADDED = ("peephole_lstm", "mgu", "ind_rnn", "mlstm", "min_gru", "min_lstm", "lru")
by_name = pytest.mark.parametrize("name", ADDED)


@functools.cache
def runner(cell):
    """``run(params, x_BTE) -> y_BTH``, and fresh parameters."""
    model = Recurrent([cell])
    params = model.init(jax.random.key(0), jnp.zeros((1, 1, E)))["params"]["cells_0"]
    return jax.jit(lambda p, x_BTE: model.apply({"params": {"cells_0": p}}, x_BTE)[1]), params


@functools.cache
def gradients(cell):
    """``(params, x_BTE) -> value, gradients`` of a loss of all outputs."""
    run, _ = runner(cell)
    return jax.jit(jax.value_and_grad(lambda p, x: (run(p, x) ** 2).mean(), argnums=(0, 1)))


def drawn(name, seed=0, scale=1.0):
    """A cell's run, parameters away from their start, and inputs."""
    run, params = runner(CELLS[name](H))
    generator = np.random.default_rng(seed)
    params = {
        n: a + 0.5 * generator.standard_normal(a.shape, np.float32) for n, a in params.items()
    }
    if name == "ind_rnn":
        params["recurrent_kernel"] = jnp.clip(params["recurrent_kernel"], -1, 1)
    return run, params, scale * generator.standard_normal((B, T, E), np.float32)


@by_name
def test_the_papers_formula_in_float64(name):
    run, params, x_BTE = drawn(name, scale=2.0)
    carry = CELLS[name](H).initialize_carry(None, (B, E))
    expected = formulas.run(getattr(formulas, name), params, carry, x_BTE)
    np.testing.assert_allclose(run(params, x_BTE), expected, atol=3e-6, rtol=1e-5)


THEIRS = {
    # tensorflow.python.keras.layers.recurrent.PeepholeLSTMCell of TensorFlow 2.21, in float64.
    "peephole_lstm": [
        [[0.07343041, 0.20999677, -0.06242354], [0.05002284, 0.16187743, 0.17613149],
         [-0.1585353, 0.31652567, 0.13187807], [0.05471057, 0.34359864, 0.15251853]],
        [[-0.10972006, 0.14863887, 0.17251962], [-0.28400489, 0.25655968, 0.13729715],
         [0.04710447, 0.31774671, 0.15385459], [0.00529836, 0.20387003, 0.1737552]],
    ],
    # memax.equinox.set_actions.mgu.MGUSetAction of memax 0.1.1, in float64.
    "mgu": [
        [[-0.92699323, -0.16812339, 0.07208801], [-0.40378888, 0.07254365, -0.5901408],
         [0.1757114, 0.25549966, -0.6874215], [-0.95078413, 0.05612005, -0.60560677]],
        [[0.45188903, 0.26818623, -0.41408043], [0.74773233, 0.4351799, -0.48719035],
         [-0.97010501, 0.29143116, -0.43357223], [-0.22484377, 0.40832269, -0.68714685]],
    ],
    # mlstm_kernels.jax.recurrent.native_step of mlstm-kernels 2.0.6, in float64, eps 0; times o.
    "mlstm": [
        [[0.76760823, 0.78793917, -0.47656281], [0.05650347, 1.22079711, -0.21583237],
         [-0.1237508, -0.80153372, 0.04875847], [0.26777833, 1.91720046, -0.18809007]],
        [[-0.02412752, 1.2958057, -0.00823147], [0.02870212, -0.86596029, 0.00469383],
         [0.18664352, 2.00101122, -0.13695826], [0.04345105, 1.22816743, -0.15943958]],
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", THEIRS)
def test_other_peoples_programs_gave_the_same(name):
    """Their outputs of the weights and inputs that are made here."""
    G = {"peephole_lstm": 4 * 3, "mgu": 2 * 3, "mlstm": 2 * 3 + 2}[name]
    params = {"kernel": waves(1.1, 3, G), "bias": waves(1.7, G)}
    if name == "mlstm":  # three times: gates that open and shut
        params = {key: 3 * a for key, a in params.items()}
        params |= {"read_kernel": waves(1.3, 3, 6), "read_bias": waves(1.9, 6)}
    else:
        params |= {"recurrent_kernel": waves(1.3, 3, G)}
    if name == "peephole_lstm":
        params |= {"peephole": waves(1.9, 9)}
    run, _ = runner(CELLS[name](3))
    np.testing.assert_allclose(
        run(params, np.float32(waves(0.7, 2, 4, 3))), THEIRS[name], atol=1e-6
    )


def test_an_lstm_without_peepholes_is_an_lstm():
    ours, params = runner(PeepholeLSTMCell(H))
    assert not params["peephole"].any()
    lstm, _ = runner(LSTMCell(H))
    x_BTE = np.float32(waves(0.7, B, T, E))
    plain = {name: a for name, a in params.items() if name != "peephole"}
    np.testing.assert_array_equal(ours(params, x_BTE), lstm(plain, x_BTE))


@pytest.mark.parametrize("limit", [0.5, 1.0])
def test_ind_rnn_keeps_its_recurrent_weights_in_range(limit):
    run, params = runner(IndRNNCell(H, recurrent_max=limit))
    u_H, x_BTE = params["recurrent_kernel"], np.float32(waves(0.7, B, T, E))
    assert (u_H >= 0).all() and limit > u_H.max() > 0.4 * limit
    beyond, at = (params | {"recurrent_kernel": jnp.full(H, u)} for u in (-9.0, -limit))
    np.testing.assert_array_equal(run(beyond, x_BTE), run(at, x_BTE))
    _, (found, _) = gradients(IndRNNCell(H, recurrent_max=limit))(beyond, x_BTE)
    assert not found["recurrent_kernel"].any() and found["kernel"].any()


@by_name
@pytest.mark.parametrize("scale", [0.0, 1e3])
def test_nothing_overflows_at_zero_or_at_large_pre_activations(name, scale):
    """In the value and in every gradient; from parameters as they start, and others."""
    _, params, x_BTE = drawn(name, scale=scale)
    for at in (runner(CELLS[name](H))[1], params):
        found = gradients(CELLS[name](H))(at, x_BTE)
        assert all(np.isfinite(a).all() for a in jax.tree.leaves(found))


@pytest.mark.parametrize("i", [-200.0, -30.0, 30.0, 200.0])
@pytest.mark.parametrize("f", [-200.0, 0.0, 200.0])
def test_an_mlstms_gates_may_be_shut_or_wide_open(i, f):
    """Within float32's digits of the formula in float64, where exp(200) is still a number."""
    run, params, x_BTE = drawn("mlstm")
    params["bias"] = jnp.concatenate([params["bias"][:-2], jnp.array([i, f])])
    carry = MLSTMCell(H).initialize_carry(None, (B, E))
    expected = formulas.run(formulas.mlstm, params, carry, x_BTE)
    np.testing.assert_allclose(run(params, x_BTE), expected, atol=1e-5, rtol=2e-3)


def test_an_mlstm_that_finds_nothing_says_nothing():
    """No key matches the query, where the bound of one, scaled e^-200, is no float32."""
    _, params, x_BTE = drawn("mlstm")
    params["bias"] = params["bias"].at[-2].set(200.0)
    params |= {name: jnp.zeros_like(params[name]) for name in ("read_kernel", "read_bias")}
    value, found = gradients(MLSTMCell(H))(params, x_BTE)
    assert value == 0 and all(np.isfinite(a).all() for a in jax.tree.leaves(found))


def test_the_classic_cells_come_first():
    assert tuple(CELLS)[: len(CLASSIC)] == CLASSIC and set(ADDED) < set(CELLS)
