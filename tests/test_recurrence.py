import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax.linen.initializers import glorot_uniform
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kernels.parity import LSTM_REF
from reference import mask_of

from rnnsent import cells, recurrence
from rnnsent.kernels import cudnn
from rnnsent.recurrence import Recurrent, dropout_mask, scan

B, T, E, H = 4, 11, 3, 5
IMPLEMENTATIONS = ("scan", "packed")
KERNELS = {"cudnn": (cells.LSTMCell,)}


class MinimalCell(cells.Cell):
    """A user's cell, as the module docstring of ``rnnsent.cells`` writes it."""

    def weights(self, input_size):
        return {
            "kernel": self.param("kernel", glorot_uniform(), (input_size, 2 * self.features)),
        }

    @staticmethod
    def step(params, carry, x_BE):
        (h_BH,) = carry
        z_BH, g_BH = jnp.split(x_BE @ params["kernel"], 2, axis=-1)
        z_BH = nn.sigmoid(z_BH)
        return ((1 - z_BH) * h_BH + z_BH * jnp.tanh(g_BH),)


CELLS = (cells.SimpleRNNCell, cells.LSTMCell, cells.GRUCell, MinimalCell)


CASES = (cells.SimpleRNNCell, cells.LSTMCell, MinimalCell)
PAIRS = [(cell, name) for cell in CASES for name in IMPLEMENTATIONS]
PAIRS += [(cell, name) for name, known in KERNELS.items() for cell in known]
every_implementation = pytest.mark.parametrize(
    ("case", "implementation"),
    PAIRS,
    indirect=["case"],
    ids=[f"{cell.__name__}-{name}" for cell, name in PAIRS],
)


@pytest.fixture(autouse=True)
def cudnn_on_a_cpu(monkeypatch):
    monkeypatch.setattr(cudnn, "_check_backend", lambda: None)
    monkeypatch.setattr(cudnn, "CUDNN", LSTM_REF)


@pytest.fixture(params=CASES, ids=lambda cell: cell.__name__)
def case(request):
    """A cell's step, parameters, a carry that is not zero, and inputs."""
    cell = request.param(H)
    x_BTE = jax.random.normal(jax.random.key(0), (B, T, E))
    variables = cell.init(jax.random.key(1), cell.initialize_carry(None, (B, E)), x_BTE[:, 0])
    keys = jax.random.split(jax.random.key(2), cell.carry_size)
    carry = tuple(jax.random.normal(key, (B, H)) for key in keys)
    return cell.step, variables["params"], carry, x_BTE


def loop(step, params, carry, x_BTE, mask_BT):
    """Step by step in Python: what the scan must equal."""
    outputs = []
    for t in range(x_BTE.shape[1]):
        new = step(params, carry, x_BTE[:, t])
        real = mask_BT[:, t, None]
        carry = tuple(jnp.where(real, n, o) for n, o in zip(new, carry, strict=True))
        outputs.append(carry[0])
    return carry, jnp.stack(outputs, 1)


def assert_close(a, b, atol=1e-6):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=atol, rtol=1e-5), a, b)


def assert_same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


@functools.cache  # compiled once for all kinds of masks
def compiled(step, **options):
    def loss(params, carry, x_BTE, mask_BT):
        final, y_BTH = scan(step, params, carry, x_BTE, mask_BT, **options)
        weights = jnp.arange(1, y_BTH.size + 1).reshape(y_BTH.shape) / y_BTH.size
        return (weights * y_BTH**2).sum() + sum((a**3).sum() for a in final), (final, y_BTH)

    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True))


def value_and_grads(case, mask_BT, **options):
    step, *arrays = case
    (_, out), grads = compiled(step, **options)(*arrays, mask_BT)
    return out, grads


@every_implementation
def test_one_pass_is_step_by_step(case, kind, implementation):
    mask_BT = mask_of(kind, B, T)
    out = scan(*case, mask_BT, implementation=implementation)
    assert_close(out, loop(*case, mask_BT))


@pytest.mark.parametrize(
    "options", [{"implementation": "packed"}, {"recompute": False}, {"unroll": 3}]
)
def test_implementations_agree_in_value_and_gradient(case, kind, options):
    mask_BT = mask_of(kind, B, T)
    assert_close(value_and_grads(case, mask_BT, **options), value_and_grads(case, mask_BT), 2e-6)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_what_stands_in_padding_reaches_nothing(case, kind, implementation):
    mask_BT = mask_of(kind, B, T)
    step, params, carry, x_BTE = case
    rubbish = np.resize([7.0, np.nan, np.inf, -np.inf], x_BTE.shape)
    dirty = (step, params, carry, jnp.where(mask_BT[..., None], x_BTE, rubbish))
    clean = value_and_grads(case, mask_BT, implementation=implementation)
    assert_same(value_and_grads(dirty, mask_BT, implementation=implementation), clean)
    _, (_, _, dx_BTE) = clean
    assert not np.asarray(dx_BTE)[~mask_BT].any()


@every_implementation
def test_a_row_with_no_real_step_returns_its_initial_carry(case, implementation):
    mask_BT = mask_of("empty", B, T)
    (final, y_BTH), _ = value_and_grads(case, mask_BT, implementation=implementation)
    assert not mask_BT[0].any()
    assert_same([a[0] for a in final], [a[0] for a in case[2]])
    assert_same(y_BTH[0], jnp.broadcast_to(case[2][0][0], (T, H)))


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_masked_outputs_are_zero_on_request(case, kind, implementation):
    mask_BT = mask_of(kind, B, T)
    step, params, carry, x_BTE = case
    _, y = scan(step, params, carry, x_BTE, mask_BT, implementation=implementation)
    _, zeroed = scan(
        step, params, carry, x_BTE, mask_BT, implementation=implementation, zero_masked=True
    )
    assert_same(zeroed, jnp.where(mask_BT[..., None], y, 0))


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_reverse_is_the_flipped_review(case, kind, implementation):
    mask_BT = mask_of(kind, B, T)
    step, params, carry, x_BTE = case
    final, y = scan(
        step, params, carry, x_BTE, mask_BT, reverse=True, implementation=implementation
    )
    expected_final, expected = loop(step, params, carry, x_BTE[:, ::-1], mask_BT[:, ::-1])
    assert_close((final, y), (expected_final, expected[:, ::-1]))


@settings(max_examples=25, deadline=None)
@given(hnp.arrays(bool, (B, T)), st.integers(0, T))
def test_two_halves_are_the_whole(mask_BT, cut):
    cell = cells.LSTMCell(H)
    x_BTE = jax.random.normal(jax.random.key(0), (B, T, E))
    carry = cell.initialize_carry(None, (B, E))
    params = cell.init(jax.random.key(1), carry, x_BTE[:, 0])["params"]
    whole, _ = scan(cell.step, params, carry, x_BTE, mask_BT)
    for part in (slice(0, cut), slice(cut, T)):
        carry, _ = scan(cell.step, params, carry, x_BTE[:, part], mask_BT[:, part])
    assert_close(carry, whole)


def test_without_a_mask_every_step_is_real(case):
    step, params, carry, x_BTE = case
    full = scan(step, params, carry, x_BTE, jnp.ones((B, T), bool))
    assert_close(scan(step, params, carry, x_BTE), full)


@pytest.mark.parametrize("mask", [np.ones((B, T)), np.ones((B, T - 1), bool), np.ones(T, bool)])
def test_ill_fitting_masks_are_refused(case, mask):
    with pytest.raises(ValueError, match="expected bool"):
        scan(*case, jnp.asarray(mask))


@pytest.mark.parametrize("name", ["fast", "fused"])
def test_an_unknown_implementation_is_refused(case, name):
    known = "expected one of auto, scan, packed, cudnn$"
    with pytest.raises(ValueError, match=f"unknown implementation '{name}'; {known}"):
        scan(*case, implementation=name)


def test_the_packed_gradient_works_under_vmap(case):
    step, params, carry, x_BTE = case
    masks = np.stack([mask_of("left", B, T), mask_of("interior", B, T)])

    def loss(x_BTE, mask_BT):
        final, _ = scan(step, params, carry, x_BTE, mask_BT, implementation="packed")
        return (final[0] ** 2).sum()

    both = jax.vmap(jax.grad(loss), in_axes=(None, 0))(x_BTE, masks)
    assert_close(both, jnp.stack([jax.grad(loss)(x_BTE, mask) for mask in masks]))


def test_the_scan_has_forward_mode_and_second_derivatives(case):
    step, params, carry, x_BTE = case
    mask_BT = mask_of("interior", B, T)

    def loss(s):
        return (scan(step, params, carry, s * x_BTE, mask_BT)[0][0] ** 2).sum()

    forward = jax.jvp(loss, (1.0,), (1.0,))[1]
    np.testing.assert_allclose(forward, jax.grad(loss)(1.0), rtol=1e-4)
    second = jax.grad(jax.grad(loss))(1.0)
    numeric = (jax.grad(loss)(1.01) - jax.grad(loss)(0.99)) / 0.02
    np.testing.assert_allclose(second, numeric, rtol=2e-2, atol=1e-2)


def test_stacked_layers_are_layers_one_after_another():
    x_BTE, mask_BT = jax.random.normal(jax.random.key(0), (B, T, E)), mask_of("interior", B, T)
    model = Recurrent([cells.LSTMCell(4), cells.SimpleRNNCell(H)])
    variables = model.init(jax.random.key(1), x_BTE)
    carry, y_BTH = model.apply(variables, x_BTE, mask_BT)
    lower, upper = (variables["params"][f"cells_{i}"] for i in (0, 1))
    zeros = jnp.zeros((B, 4))
    first, y_first = scan(cells.LSTMCell.step, lower, (zeros, zeros), x_BTE, mask_BT)
    last = scan(cells.SimpleRNNCell.step, upper, (jnp.zeros((B, H)),), y_first, mask_BT)
    assert_close((carry, y_BTH), ((*last[0], *first), last[1]))


FLAX_CELLS = (nn.GRUCell, nn.SimpleCell, nn.LSTMCell, nn.OptimizedLSTMCell)


@pytest.mark.parametrize("cell", FLAX_CELLS, ids=lambda cell: cell.__name__)
def test_flax_cells_run_in_our_recurrence(cell):
    x_BTE = jax.random.normal(jax.random.key(0), (B, T, E))
    theirs = nn.RNN(cell(H))
    variables = theirs.init(jax.random.key(1), x_BTE)
    expected = theirs.apply(variables, x_BTE)
    ours = {"params": {"cells_0": variables["params"]["cell"]}}
    for implementation in IMPLEMENTATIONS:
        model = Recurrent([cell(H)], options={"implementation": implementation})
        _, y_BTH = model.apply(ours, x_BTE, np.ones((B, T), bool))
        assert_close(y_BTH, expected)
    mask_BT = mask_of("right", B, T)
    lengths = mask_BT.sum(1)
    expected = theirs.apply(variables, x_BTE, seq_lengths=lengths)
    _, y_BTH = Recurrent([cell(H)]).apply(ours, x_BTE, mask_BT)
    assert_close(y_BTH[mask_BT], expected[mask_BT])


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.__name__)
def test_our_cells_run_in_flax(cell):
    x_BTE = jax.random.normal(jax.random.key(0), (B, T, E))
    theirs = nn.RNN(cell(H))
    variables = theirs.init(jax.random.key(1), x_BTE)
    ours = {"params": {"cells_0": variables["params"]["cell"]}}
    assert_close(Recurrent([cell(H)]).apply(ours, x_BTE)[1], theirs.apply(variables, x_BTE))


def test_our_gru_is_flaxs():
    x_BTE = jax.random.normal(jax.random.key(0), (B, T, E))
    theirs = nn.RNN(nn.GRUCell(H, bias_init=nn.initializers.normal(1.0)))
    variables = theirs.init(jax.random.key(1), x_BTE)
    p = variables["params"]["cell"]
    ours = {
        "kernel": jnp.concatenate([p[n]["kernel"] for n in ("ir", "iz", "in")], 1),
        "recurrent_kernel": jnp.concatenate([p[n]["kernel"] for n in ("hr", "hz", "hn")], 1),
        "bias": jnp.concatenate([p[n]["bias"] for n in ("ir", "iz", "in")]),
        "new_bias": p["hn"]["bias"],
    }
    _, y_BTH = scan(cells.GRUCell.step, ours, (jnp.zeros((B, H)),), x_BTE)
    assert_close(y_BTH, theirs.apply(variables, x_BTE))


def test_dropout_masks_belong_to_rows():
    key, rows_B = jax.random.key(0), jnp.arange(512)
    whole = dropout_mask(key, rows_B, 128, 0.1)
    parts = [dropout_mask(key, part, 128, 0.1) for part in jnp.split(rows_B, [100, 101, 400])]
    assert_same(jnp.concatenate(parts), whole)
    kept = whole > 0
    assert abs(float(kept.mean()) - 0.9) < 0.01
    np.testing.assert_allclose(np.unique(whole), [0, 1 / 0.9], rtol=1e-6)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.__name__)
def test_dropout_is_the_same_at_every_step(cell):
    """Dropping units is zeroing (and scaling) the rows of weights they meet, at all steps."""
    x_BTE = jax.random.normal(jax.random.key(0), (1, T, E))
    model = Recurrent([cell(H)], dropout=0.5, recurrent_dropout=0.5)
    variables = model.init(jax.random.key(1), x_BTE)
    rngs = {"dropout": jax.random.key(3)}
    _, y_BTH = model.apply(variables, x_BTE, train=True, rngs=rngs)
    layer = nn.apply(lambda m, x: m._layers(x, True, None), model)(variables, x_BTE, rngs=rngs)[0]
    _, input_BE, recurrent_BH = layer.params
    params = dict(variables["params"]["cells_0"])
    params["kernel"] = params["kernel"] * input_BE.T
    if "recurrent_kernel" in params:
        params["recurrent_kernel"] = params["recurrent_kernel"] * recurrent_BH.T
        _, expected = scan(cell.step, params, layer.carry, x_BTE)
        assert_close(y_BTH, expected)
    assert 0 < float((input_BE == 0).mean()) < 1 or 0 < float((recurrent_BH == 0).mean()) < 1


def test_recurrent_dropout_of_a_flax_cell_is_refused():
    x_BTE = jnp.zeros((B, T, E))
    model = Recurrent([nn.GRUCell(H)], recurrent_dropout=0.1)
    variables = Recurrent([nn.GRUCell(H)]).init(jax.random.key(0), x_BTE)
    with pytest.raises(ValueError, match="takes no recurrent dropout"):
        model.apply(variables, x_BTE, train=True, rngs={"dropout": jax.random.key(0)})


@pytest.mark.parametrize("implementation", KERNELS)
def test_kernels_run_in_reverse_and_zero_masked_outputs(implementation):
    x_BTE, mask_BT = jax.random.normal(jax.random.key(0), (B, T, E)), mask_of("interior", B, T)
    cell, options = cells.LSTMCell(H), {"reverse": True, "zero_masked": True}
    variables = Recurrent([cell]).init(jax.random.key(1), x_BTE)
    expected = Recurrent([cell], options=options).apply(variables, x_BTE, mask_BT)
    kernel = Recurrent([cell], options=options | {"implementation": implementation})
    assert_close(kernel.apply(variables, x_BTE, mask_BT), expected)


@pytest.mark.parametrize("implementation", KERNELS)
def test_kernels_run_stacks_from_any_carry(implementation):
    x_BTE, mask_BT = jax.random.normal(jax.random.key(0), (B, T, E)), mask_of("interior", B, T)
    layers = [cells.LSTMCell(4), cells.LSTMCell(H)]
    plain, kernel = (
        Recurrent(layers, options={"implementation": i}) for i in ("scan", implementation)
    )
    variables = plain.init(jax.random.key(1), x_BTE)
    carry = tuple(jax.random.normal(jax.random.key(i), (B, n)) for i, n in enumerate((H, H, 4, 4)))
    for sequences in (True, False):
        out, expected = (
            model.apply(variables, x_BTE, mask_BT, carry=carry, sequences=sequences)
            for model in (kernel, plain)
        )
        assert_close(out, expected)


@pytest.mark.parametrize("implementation", KERNELS)
def test_kernels_refuse_cells_they_do_not_know(implementation):
    model = Recurrent([MinimalCell(H)], options={"implementation": implementation})
    with pytest.raises(ValueError, match="got MinimalCell.step"):
        model.init(jax.random.key(0), jnp.zeros((B, T, E)))


def test_carries_come_apart_by_layer():
    layers = [recurrence.Layer(None, None, carry) for carry in ((1, 2), (3,))]
    carry = recurrence.stack(layers).carry
    assert carry == (3, 1, 2)
    assert recurrence.unstack_carry(carry, layers) == [(1, 2), (3,)]
