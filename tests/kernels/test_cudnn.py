"""cuDNN's wrapping, around jax's reference of it: the same weights, lengths and results."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.custom_batching import custom_vmap
from jax.experimental import rnn
from kernels import parity
from kernels.parity import B, H, T
from reference import mask_of

from rnnsent import cells
from rnnsent.cells import LSTMCell
from rnnsent.kernels import cudnn
from rnnsent.recurrence import Recurrent, scan

CHECK_BACKEND, CUDNN = cudnn._check_backend, cudnn.CUDNN


def no_vmap(function):
    """``function`` with no batching rule, as cuDNN's calls."""
    wrapped = custom_vmap(function)

    @wrapped.def_vmap
    def refuse(*args):
        raise NotImplementedError("no batching rule")

    return wrapped


STAND_IN = cudnn.Lstm(*map(no_vmap, parity.LSTM_REF))


@pytest.fixture(scope="module", autouse=True)
def on_a_cpu():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cudnn, "_check_backend", lambda: None)
        patch.setattr(cudnn, "CUDNN", STAND_IN)
        yield


@pytest.fixture(scope="module")
def runs():
    """Compiled once for all tests: by cuDNN's stand-in, and by the plain scan."""
    return tuple(parity.value_and_grads(LSTMCell, name) for name in ("cudnn", "scan"))


def test_value_and_every_gradient_are_the_scans(runs, kind):
    case = parity.case(LSTMCell, mask_of(kind, B, T))
    (out, grads), (expected, expected_grads) = (run(case) for run in runs)
    parity.assert_forward(out, expected)
    parity.assert_grads(grads, expected_grads)


def test_value_and_gradients_match_a_float64_loop(runs, kind):
    case = parity.case(LSTMCell, mask_of(kind, B, T), zero_carry=True)
    (_, y_BTH), (dparams, _, dx_BTE) = runs[0](case)
    expected, expected_grads = parity.by_loop(case)
    parity.assert_forward(y_BTH, expected)
    parity.assert_grads((dparams, dx_BTE), expected_grads)


def test_what_stands_in_padding_reaches_nothing(runs, kind):
    case = parity.case(LSTMCell, mask_of(kind, B, T))
    clean = runs[0](case)
    parity.assert_same(runs[0](parity.rubbish_in_padding(case)), clean)
    _, (_, _, dx_BTE) = clean
    assert not np.asarray(dx_BTE)[~case.mask_BT].any()


def test_an_empty_row_returns_its_initial_carry_which_the_reference_does_not(runs):
    case = parity.case(LSTMCell, mask_of("empty", B, T))
    (final, y_BTH), _ = runs[0](case)
    empty_B = ~case.mask_BT.any(1)
    assert empty_B.any()
    parity.assert_same([a[empty_B] for a in final], [a[empty_B] for a in case.carry])
    parity.assert_same(y_BTH[0], np.broadcast_to(case.carry[0][0], (T, H)))
    h_BH, c_BH = case.carry
    lengths_B = case.mask_BT.sum(1, dtype=np.int32)
    weights = cudnn.flat_weights(case.params)
    arrays = (case.x_BTE, h_BH[None], c_BH[None], weights, lengths_B)
    (_, h_1BH, _), _ = parity.LSTM_REF.forward(*arrays)
    assert (h_1BH[0][empty_B] != h_BH[empty_B]).any()  # or the mending may go


def test_the_promise_of_right_padding_changes_nothing():
    mask_BT = mask_of("right", B, T)
    case = parity.case(LSTMCell, mask_BT)
    args = (LSTMCell.step, case.params, case.carry, case.x_BTE * mask_BT[..., None], mask_BT)
    parity.assert_same(cudnn.scan(*args, right_padded=True), cudnn.scan(*args))


def test_vmap_over_masks_and_weights():
    masks = np.stack([mask_of("left", B, T), mask_of("empty", B, T)])
    case = parity.case(LSTMCell, None)
    params = jax.tree.map(lambda a: jnp.stack([a, 2 * a]), case.params)

    def loss(params, mask_BT, implementation):
        carry, y_BTH = scan(
            LSTMCell.step, params, case.carry, case.x_BTE, mask_BT, implementation=implementation
        )
        return (y_BTH * case.dy_BTH).sum() + (carry[1] ** 2).sum()

    def both(implementation):
        grad = jax.grad(lambda params, mask_BT: loss(params, mask_BT, implementation))
        return jax.jit(jax.vmap(grad))(params, masks)

    parity.assert_grads(both("cudnn"), both("scan"))


def test_without_mask_and_outputs():
    case = parity.case(LSTMCell, None)
    args = (LSTMCell.step, case.params, case.carry, case.x_BTE)
    out = scan(*args, implementation="cudnn")
    parity.assert_forward(out, scan(*args))
    parity.assert_same(scan(*args, implementation="cudnn", sequences=False), (out[0], None))


def test_stacked_layers_with_input_dropout():
    x_BTE, mask_BT = parity.case(LSTMCell, None).x_BTE, mask_of("interior", B, T)
    models = [
        Recurrent([LSTMCell(4), LSTMCell(H)], dropout=0.3, options={"implementation": name})
        for name in ("cudnn", "scan")
    ]
    variables = models[1].init(jax.random.key(0), x_BTE)
    rngs = {"dropout": jax.random.key(1)}
    runs = [
        jax.jit(lambda v, x, m=m: m.apply(v, x, mask_BT, train=True, rngs=rngs)) for m in models
    ]
    out, expected = (run(variables, x_BTE) for run in runs)
    parity.assert_forward(out, expected)


def test_no_steps():
    case = parity.case(LSTMCell, None)
    carry, y_BTH = cudnn.scan(LSTMCell.step, case.params, case.carry, case.x_BTE[:, :0])
    parity.assert_same(carry, case.carry)
    assert y_BTH.shape == (B, 0, H)


def test_what_cudnn_cannot_do_is_refused():
    case = parity.case(LSTMCell, None)
    with pytest.raises(ValueError, match="LSTMCell only, got SimpleRNNCell.step"):
        cudnn.scan(cells.SimpleRNNCell.step, *parity.case(cells.SimpleRNNCell, None)[:3])
    with pytest.raises(ValueError, match="no recurrent dropout"):
        cudnn.scan(LSTMCell.step, *case[:3], dropout_BH=jnp.ones((B, H)))
    with pytest.raises(ValueError, match="takes float32, got bfloat16, float32"):
        cudnn.scan(LSTMCell.step, *case[:2], jnp.asarray(case.x_BTE, jnp.bfloat16))


def test_a_cpu_is_refused(monkeypatch):
    monkeypatch.setattr(cudnn, "_check_backend", CHECK_BACKEND)
    with pytest.raises(ValueError, match="needs a CUDA GPU, and jax runs on cpu"):
        cudnn.scan(LSTMCell.step, *parity.case(LSTMCell, None)[:3])


def test_cudnn_is_called_as_jax_calls_it_and_without_tf32(monkeypatch):
    """Its primitives stand for themselves: what reaches them, there and back."""
    case, calls = parity.case(LSTMCell, None), []

    def primitive(outputs):
        def bind(*arrays, **options):
            calls.append((len(arrays), options))
            return (None,) * outputs

        return SimpleNamespace(bind=bind)

    monkeypatch.setattr(rnn, "rnn_fwd_p", primitive(4))
    monkeypatch.setattr(rnn, "rnn_bwd_p", primitive(4))
    length_B = np.full(B, T, np.int32)
    arrays = (case.x_BTE, *(a[None] for a in case.carry), cudnn.flat_weights(case.params), length_B)
    _, kept = CUDNN.forward(*arrays)
    assert len(CUDNN.backward(kept, (None, None, None))) == 4
    assert [count for count, _ in calls] == [5, 10]
    for _, options in calls:
        assert not options["cudnn_allow_tf32"]
        assert (options["input_size"], options["hidden_size"]) == (case.x_BTE.shape[-1], H)
        size = rnn.get_num_params_in_lstm(case.x_BTE.shape[-1], H, 1, bidirectional=False)
        assert arrays[3].shape == (size,)
