import jax
import jax.numpy as jnp
import numpy as np
import pytest
from kernels import parity
from kernels.parity import B, H, T
from reference import mask_of

from rnnsent import cells
from rnnsent.kernels import fused
from rnnsent.model import ModelConfig, SentimentClassifier, init
from rnnsent.recurrence import Recurrent, scan


@pytest.fixture(
    scope="module", params=(cells.SimpleRNNCell, cells.LSTMCell), ids=lambda cell: cell.__name__
)
def cell(request):
    return request.param


@pytest.fixture(scope="module")
def runs(cell):
    """Compiled once for all tests: by the kernel, and by the plain scan."""
    return parity.value_and_grads(cell, "fused"), parity.value_and_grads(cell, "scan")


def test_value_and_every_gradient_are_the_scans(cell, runs, kind):
    case = parity.case(cell, mask_of(kind, B, T), dropout=True)
    (out, grads), (expected, expected_grads) = (run(case) for run in runs)
    parity.assert_forward(out, expected)
    parity.assert_grads(grads, expected_grads)


def test_value_and_gradients_match_a_float64_loop(cell, runs, kind):
    case = parity.case(cell, mask_of(kind, B, T), zero_carry=True)
    case = case._replace(dropout_BH=np.ones((B, H), np.float32))
    (_, y_BTH), (dparams, _, dx_BTE, _) = runs[0](case)
    expected, expected_grads = parity.by_loop(cell, case)
    parity.assert_forward(y_BTH, expected)
    parity.assert_grads((dparams, dx_BTE), expected_grads)


def test_what_stands_in_padding_reaches_nothing(cell, runs, kind):
    case = parity.case(cell, mask_of(kind, B, T), dropout=True)
    clean = runs[0](case)
    parity.assert_same(runs[0](parity.rubbish_in_padding(case)), clean)
    _, (_, _, dx_BTE, _) = clean
    assert not np.asarray(dx_BTE)[~case.mask_BT].any()


def test_a_row_with_no_real_step_keeps_its_carry_and_passes_its_gradient(cell, runs):
    case = parity.case(cell, mask_of("empty", B, T), dropout=True)
    (final, y_BTH), (_, dcarry, _, _) = runs[0](case)
    assert not case.mask_BT[0].any()
    parity.assert_same([a[0] for a in final], [a[0] for a in case.carry])
    parity.assert_same(y_BTH[0], np.broadcast_to(case.carry[0][0], (T, H)))
    expected = (case.dcarry[0][0] + case.dy_BTH[0].sum(0), *(a[0] for a in case.dcarry[1:]))
    parity.assert_grads([a[0] for a in dcarry], list(expected))


def test_rows_do_not_touch_one_another(cell, runs):
    case = parity.case(cell, mask_of("interior", B, T), dropout=True)
    other = case._replace(x_BTE=np.concatenate([case.x_BTE[:1] + 1, case.x_BTE[1:]]))
    (final, y_BTH), (_, _, dx_BTE, _) = runs[0](case)
    (_, other_y_BTH), (_, _, other_dx_BTE, _) = runs[0](other)
    parity.assert_same((y_BTH[1:], dx_BTE[1:]), (other_y_BTH[1:], other_dx_BTE[1:]))
    assert (y_BTH[0] != other_y_BTH[0]).any()


def test_without_mask_and_outputs(cell):
    """The shortest path: no mask, no dropout, no gradient, the carry alone."""
    case = parity.case(cell, None)
    run = jax.jit(scan, static_argnums=0, static_argnames=("implementation", "sequences"))
    args = (cell.step, case.params, case.carry, case.x_BTE)
    carry, nothing = run(*args, implementation="fused", sequences=False)
    assert nothing is None
    parity.assert_forward(carry, run(*args, implementation="scan")[0])


def test_no_rows_or_no_steps(cell):
    case = parity.case(cell, None)
    carry, y_BTH = fused.scan(cell.step, case.params, case.carry, case.x_BTE[:, :0])
    parity.assert_same(carry, case.carry)
    assert y_BTH.shape == (B, 0, H)


def test_vmap_over_masks_and_weights():
    cell, masks = cells.LSTMCell, np.stack([mask_of("left", B, T), mask_of("empty", B, T)])
    case = parity.case(cell, None)
    params = jax.tree.map(lambda a: jnp.stack([a, 2 * a]), case.params)

    def loss(params, mask_BT, implementation):
        carry, y_BTH = scan(
            cell.step, params, case.carry, case.x_BTE, mask_BT, implementation=implementation
        )
        return (y_BTH * case.dy_BTH).sum() + (carry[1] ** 2).sum()

    def both(implementation):
        grad = jax.grad(lambda params, mask_BT: loss(params, mask_BT, implementation))
        return jax.jit(jax.vmap(grad))(params, masks)

    parity.assert_grads(both("fused"), both("scan"))


def test_a_training_step_of_the_classifier_is_the_scans():
    """Stacked layers with both kinds of dropout; one cell, for what is new here knows of none."""
    config = ModelConfig("simple_rnn", (20, 6), 4, 0.2, 0.2, vocab_size=30, embedding_size=5)
    generator = np.random.default_rng(0)
    ids_BT = generator.integers(1, 30, (B, T)) * mask_of("left", B, T)
    params = init(config, jax.random.key(0))

    def loss(params, implementation):
        logit_B = SentimentClassifier(config, implementation).apply(
            {"params": params}, ids_BT, train=True, rngs={"dropout": jax.random.key(1)}
        )
        return (logit_B**2).sum(), logit_B

    run = jax.jit(jax.grad(loss, has_aux=True), static_argnums=1)
    (grads, logit_B), (expected_grads, expected_B) = run(params, "fused"), run(params, "scan")
    parity.assert_forward(logit_B, expected_B)
    parity.assert_grads(grads, expected_grads)


@pytest.mark.parametrize(
    ("cell", "width"),
    [(cells.SimpleRNNCell, 128), (cells.LSTMCell, 64), (cells.LSTMCell, 128)],
)
def test_the_kernels_lower_to_triton(cell, width):
    """What a CPU can tell of a GPU: sizes, types and operations are such as Triton takes."""
    x_BTE, mask_BT = jnp.zeros((40, 7, 5)), jnp.ones((40, 7), bool)
    carry = (jnp.zeros((40, width)),) * cell.carry_size
    params = cell(width).init(jax.random.key(0), carry, x_BTE[:, 0])["params"]

    def loss(params):
        final, y_BTH = scan(cell.step, params, carry, x_BTE, mask_BT, implementation="fused")
        return (y_BTH**2).sum() + final[0].sum()

    lowered = jax.jit(jax.grad(loss)).trace(params).lower(lowering_platforms=("cuda",))
    assert lowered.as_text().count("xla.gpu.triton") == 2  # there and back


def test_what_the_kernel_cannot_do_is_refused():
    case = parity.case(cells.GRUCell, None)
    with pytest.raises(ValueError, match="no fused kernel for GRUCell.step"):
        fused.scan(cells.GRUCell.step, *case[:3])
    wide = (jnp.zeros((B, 129)),) * 2
    with pytest.raises(ValueError, match="at most 128 units on the chip, got 129"):
        fused.scan(cells.LSTMCell.step, case.params, wide, case.x_BTE)
    lstm = parity.case(cells.LSTMCell, None)
    with pytest.raises(ValueError, match="takes float32, got bfloat16, float32"):
        fused.scan(cells.LSTMCell.step, *lstm[:2], jnp.asarray(lstm.x_BTE, jnp.bfloat16))


def test_a_dropout_rule_of_its_own_is_refused():
    class Own(cells.LSTMCell):
        @classmethod
        def dropout_step(cls, params, carry, x_BE, dropout_BH):
            return cls.step(params, carry, x_BE)

    x_BTE = jnp.zeros((B, T, 3))
    model = Recurrent([Own(H)], recurrent_dropout=0.5, options={"implementation": "fused"})
    variables = Recurrent([Own(H)]).init(jax.random.key(0), x_BTE)
    with pytest.raises(ValueError, match="dropout_step of its own"):
        model.apply(variables, x_BTE, train=True, rngs={"dropout": jax.random.key(0)})
