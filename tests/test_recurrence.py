import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from guests import CountingCell, MatrixCell, MinimalCell, PositiveCell, ShuffledCell
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kernels.parity import (
    B,
    E,
    H,
    T,
    assert_close,
    assert_same,
    case,
    is_float,
    loop,
    normal,
    value_and_grads,
)
from reference import OPTIMISED, mask_of

from rnnsent import recurrence
from rnnsent.cells import LSTMCell, SimpleRNNCell
from rnnsent.recurrence import IMPLEMENTATIONS, scan

CELLS = (SimpleRNNCell, LSTMCell, MinimalCell, MatrixCell, CountingCell, ShuffledCell)
STEPWISE = [name for name, way in IMPLEMENTATIONS.items() if way.stacks]
EXACT = "scan-stored"
"""Plain autodiff, which every other implementation must equal."""

by_cell = pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.__name__)
by_implementation = pytest.mark.parametrize("implementation", STEPWISE)
by_other = pytest.mark.parametrize("implementation", sorted({*STEPWISE} - {EXACT}))


@by_implementation
@by_cell
def test_one_pass_is_step_by_step(cell, kind, implementation):
    mask_BT = mask_of(kind, B, T)
    out, _ = value_and_grads(case(cell), mask_BT, implementation=implementation)
    assert_close(out, loop(case(cell), mask_BT))


@by_other
@by_cell
def test_implementations_agree_in_value_and_gradient(cell, kind, implementation):
    """For carries of any shape: a matrix memory, an integer counter, an index table in params."""
    mask_BT = mask_of(kind, B, T)
    got, want = (
        value_and_grads(case(cell), mask_BT, implementation=i) for i in (implementation, EXACT)
    )
    assert_close(got, want)


@by_implementation
@pytest.mark.parametrize(
    ("cell", "level"),
    [(cell, None) for cell in CELLS] + [(LSTMCell, OPTIMISED)],
    ids=lambda value: getattr(value, "__name__", "as users compile" if value else "here"),
)
def test_what_stands_in_padding_reaches_nothing(cell, level, kind, implementation):
    mask_BT, run = mask_of(kind, B, T), case(cell)
    rubbish = np.resize(np.float32([7.0, np.nan, np.inf, -np.inf]), run.x_BTE.shape)
    dirty = run._replace(x_BTE=jnp.where(mask_BT[..., None], run.x_BTE, rubbish))
    options = {"implementation": implementation, "level": level}
    clean = value_and_grads(run, mask_BT, **options)
    assert_same(value_and_grads(dirty, mask_BT, **options), clean)
    _, (_, _, dx_BTE) = clean
    assert not np.asarray(dx_BTE)[~mask_BT].any()


@by_implementation
@pytest.mark.parametrize("level", [None, OPTIMISED], ids=["here", "as users compile"])
def test_a_row_does_not_move_the_others(level, kind, implementation):
    """Neither its inputs nor its mask, in outputs or gradients, to the bit."""
    mask_BT, run = mask_of(kind, B, T), case(LSTMCell)
    options = {"implementation": implementation, "level": level}
    others = np.arange(B) != 1
    other = run._replace(x_BTE=run.x_BTE.at[1].set(normal(5, T, E)))
    mask_of_other = mask_BT.copy()
    mask_of_other[1] = ~mask_BT[1]
    got, want = (value_and_grads(*at, **options) for at in ((other, mask_of_other), (run, mask_BT)))
    rows = lambda result: jax.tree.map(lambda a: a[others], (result[0], result[1][1:]))  # noqa: E731
    assert_same(rows(got), rows(want))
    assert (got[0][1][1] != want[0][1][1]).any()


@by_implementation
@by_cell
def test_a_row_with_no_real_step_returns_its_initial_carry(cell, implementation):
    mask_BT, run = mask_of("empty", B, T), case(cell)
    (final, y_BTH), _ = value_and_grads(run, mask_BT, implementation=implementation)
    assert not mask_BT[0].any()
    assert_same(tuple(a[0] for a in final), tuple(a[0] for a in run.carry))
    assert_same(y_BTH[0], jnp.broadcast_to(run.carry[0][0], y_BTH[0].shape))


@by_implementation
def test_masked_outputs_are_zero_on_request(kind, implementation):
    mask_BT, run = mask_of(kind, B, T), case(LSTMCell)
    (_, y_BTH), _ = value_and_grads(run, mask_BT, implementation=implementation)
    (_, zeroed_BTH), (_, _, dx_BTE) = value_and_grads(
        run, mask_BT, implementation=implementation, zero_masked=True
    )
    assert_close(zeroed_BTH, jnp.where(mask_BT[..., None], y_BTH, 0))
    assert not np.asarray(zeroed_BTH)[~mask_BT].any()
    assert not np.asarray(dx_BTE)[~mask_BT].any()


@by_implementation
def test_reverse_is_the_flipped_review(kind, implementation):
    mask_BT, run = mask_of(kind, B, T), case(LSTMCell)
    out, _ = value_and_grads(run, mask_BT, reverse=True, implementation=implementation)
    flipped = run._replace(x_BTE=run.x_BTE[:, ::-1])
    final, y_BTH = loop(flipped, mask_BT[:, ::-1])
    assert_close(out, (final, y_BTH[:, ::-1]))


@by_implementation
@pytest.mark.parametrize("reverse", [False, True])
def test_lengths_are_the_mask_of_rows_padded_on_the_right(implementation, reverse):
    run = case(LSTMCell)
    length_B = np.array([T, 0, 1, 7], np.int32)
    mask_BT = np.arange(T) < length_B[:, None]
    options = {"implementation": implementation, "reverse": reverse}
    got, want = (value_and_grads(run, mask, **options) for mask in (length_B, mask_BT))
    assert_close(got, want)


@by_implementation
@pytest.mark.parametrize("cell", [LSTMCell, CountingCell], ids=lambda c: c.__name__)
@pytest.mark.parametrize(("rows", "steps"), [(B, 0), (0, T)])
def test_no_rows_or_no_steps(cell, implementation, rows, steps):
    """The carry comes back, there are no outputs, and gradients of the right shapes are finite."""
    run = case(cell, rows, steps)
    bool_BT, length_B = np.ones((rows, steps), bool), np.full(rows, steps, np.int32)
    for mask in (bool_BT, length_B) if cell is LSTMCell else (bool_BT,):
        (final, y_BTH), grads = value_and_grads(run, mask, implementation=implementation)
        assert_same(final, run.carry)
        assert y_BTH.shape[:2] == (rows, steps)
        assert_same(grads[1], tuple(3 * a**2 if is_float(a) else None for a in run.carry))
        zeros = jax.tree.map(lambda a: jnp.zeros_like(a) if is_float(a) else None, run.params)
        assert_same((grads[0], grads[2]), (zeros, jnp.zeros_like(run.x_BTE)))


@by_implementation
def test_a_matrix_may_itself_be_the_output(implementation):
    """Outputs of any rank, from a step whose ``carry[0]`` is the memory."""
    cell = MatrixCell(H)
    params = jax.tree.map(lambda a: normal(1, *a.shape), {"kernel": jnp.zeros((E, 3 * H))})
    arrays = params | {"forget": jnp.ones(())}, (normal(3, B, H, H),), normal(0, B, T, E)
    mask_BT = jnp.asarray(mask_of("interior", B, T))
    got, want = (
        jax.jit(functools.partial(scan, cell.step, implementation=i, zero_masked=True))(
            *arrays, mask_BT
        )
        for i in (implementation, EXACT)
    )
    assert got[1].shape == (B, T, H, H)
    assert_close(got, want)


SMALL = st.floats(-3, 3, width=32)


@settings(max_examples=20, deadline=None)
@given(st.data(), st.sampled_from([1, 3]), st.sampled_from([0, 1, 4]), st.sampled_from(STEPWISE))
def test_any_mask_shape_and_carry_is_the_loop_in_float64(data, rows, steps, implementation):
    """A SimpleRNN, ``h' = tanh(x W + h R)``; a step that is none keeps h."""

    def drawn(*shape):
        return data.draw(hnp.arrays(np.float32, shape, elements=SMALL))

    x_BTE, h_BH, w_EH, r_HH = drawn(rows, steps, 2), drawn(rows, 3), drawn(2, 3), drawn(3, 3)
    mask = data.draw(
        hnp.arrays(bool, (rows, steps))
        | hnp.arrays(np.int32, rows, elements=st.integers(0, steps))
        | st.none()
    )
    real_BT = np.ones((rows, steps), bool) if mask is None else mask
    real_BT = real_BT if real_BT.ndim == 2 else np.arange(steps) < mask[:, None]
    want, want_BTH = h_BH.astype(np.float64), np.zeros((rows, steps, 3))
    for t in range(steps):
        new_BH = np.tanh(x_BTE[:, t].astype(np.float64) @ w_EH + want @ r_HH)
        want = np.where(real_BT[:, t, None], new_BH, want)
        want_BTH[:, t] = want
    run = simple_rnn(implementation)
    (final_BH,), y_BTH = run((w_EH, r_HH), (h_BH,), x_BTE, mask)
    np.testing.assert_allclose(final_BH, want, atol=2e-5, rtol=0)  # of sums of some 30
    np.testing.assert_allclose(y_BTH, want_BTH, atol=2e-5, rtol=0)
    untouched_B = ~real_BT.any(1)
    np.testing.assert_array_equal(np.asarray(final_BH)[untouched_B], h_BH[untouched_B])


@functools.cache
def simple_rnn(implementation):
    def step(params, carry, x_BE):
        return (jnp.tanh(x_BE @ params[0] + carry[0] @ params[1]),)

    return jax.jit(functools.partial(scan, step, implementation=implementation))


@functools.cache
def whole_or_part(implementation):
    run = case(LSTMCell)
    return jax.jit(functools.partial(scan, run.step, implementation=implementation))


@settings(max_examples=25, deadline=None)
@given(hnp.arrays(bool, (B, T)), st.integers(0, T), st.sampled_from(["scan", "packed"]))
def test_two_halves_are_the_whole(mask_BT, cut, implementation):
    _, params, carry, x_BTE = case(LSTMCell)
    run = whole_or_part(implementation)
    whole, _ = run(params, carry, x_BTE, mask_BT)
    first, second = np.arange(T) < cut, np.arange(T) >= cut
    for part_T in (first, second):  # one shape, so one program
        carry, _ = run(params, carry, x_BTE, mask_BT & part_T)
    assert_close(carry, whole)


@by_implementation
def test_without_a_mask_every_step_is_real(implementation):
    run = case(LSTMCell)
    every = value_and_grads(run, np.ones((B, T), bool), implementation=implementation)
    assert_close(value_and_grads(run, None, implementation=implementation), every)


def test_without_sequences_there_is_the_final_carry_alone():
    step, params, carry, x_BTE = case(LSTMCell)
    mask_BT = jnp.asarray(mask_of("interior", B, T))
    expected, _ = loop(case(LSTMCell), mask_BT)
    for implementation in STEPWISE:
        run = functools.partial(scan, step, sequences=False, implementation=implementation)
        final, none = jax.jit(run)(params, carry, x_BTE, mask_BT)
        assert none is None
        assert_close(final, expected)


@pytest.mark.parametrize(
    "mask",
    [
        np.ones((B, T)),
        np.ones((B, T - 1), bool),
        np.ones(T, bool),
        np.ones(B + 1, np.int32),
        np.ones(B, np.float32),
        [1.0] * B,
    ],
    ids=lambda mask: f"{np.asarray(mask).dtype}{np.shape(mask)}",
)
def test_ill_fitting_masks_are_refused(mask):
    with pytest.raises(ValueError, match=r"expected bool\[4, 11\], True where .* or int32\[4\]"):
        scan(*case(LSTMCell), mask)


def test_a_mask_may_be_a_list():
    run, lengths = case(LSTMCell), [11, 0, 1, 7]
    rows = [[t < length for t in range(T)] for length in lengths]
    expected = value_and_grads(run, np.array(rows))
    for mask in (lengths, rows):
        assert_close(scan(*run, mask), expected[0])


def test_an_unknown_implementation_is_refused():
    known = (
        "expected auto or one of scan, scan-unrolled, scan-kept, scan-stored, packed, associative$"
    )
    for name in ("fast", "cudnn"):
        with pytest.raises(ValueError, match=f"unknown implementation '{name}'; {known}"):
            scan(*case(LSTMCell), implementation=name)


def test_auto_is_what_suits_the_backend(monkeypatch):
    assert recurrence.resolve("auto") == "packed"
    assert recurrence.resolve("auto", affine=True) == "scan"
    assert [recurrence.resolve(name) for name in IMPLEMENTATIONS] == list(IMPLEMENTATIONS)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert recurrence.resolve("auto") == "scan-unrolled"


@pytest.mark.parametrize(
    ("carry", "found"), [([jnp.zeros((B, H))], "list"), (jnp.zeros((B, H)), "Array"), ((), "tuple")]
)
def test_a_carry_that_is_no_tuple_is_refused(carry, found):
    with pytest.raises(ValueError, match=f"the carry is a .*{found}.*expected a tuple of arrays"):
        scan(lambda params, carry, x_BE: carry, None, carry, jnp.zeros((B, T, E)))


def test_a_carry_of_other_rows_is_refused():
    step, params, _, x_BTE = case(LSTMCell)
    for rows in (1, B + 1):
        with pytest.raises(
            ValueError, match=rf"the carry is .*{rows}, {H}.*expected arrays of {B} rows"
        ):
            scan(step, params, (jnp.zeros((rows, H)),) * 2, x_BTE)


@pytest.mark.parametrize(
    ("step", "found"),
    [
        (lambda p, carry, x: list(carry), r"into \['float32\[4, 5\]'\]"),
        (lambda p, carry, x: carry[0], r"into float32\[4, 5\]"),
        (lambda p, carry, x: (*carry, x), r"into \('float32\[4, 5\]', 'float32\[4, 3\]'\)"),
        (lambda p, carry, x: (x,), r"into \('float32\[4, 3\]',\)"),
        (lambda p, carry, x: (carry[0][0],), r"into \('float32\[5\]',\)"),
        (lambda p, carry, x: (carry[0].astype("int32"),), r"into \('int32\[4, 5\]',\)"),
        (lambda p, carry, x: (carry[0].astype("bfloat16"),), r"into \('bfloat16\[4, 5\]',\)"),
    ],
)
@by_implementation
def test_a_step_that_changes_the_carrys_form_is_refused(step, found, implementation):
    """The message names both."""
    before = r"the step turns the carry \('float32\[4, 5\]',\)"
    with pytest.raises(ValueError, match=f"{before} {found}"):
        scan(step, None, (jnp.zeros((B, H)),), jnp.zeros((B, T, E)), implementation=implementation)


STREAMED = (LSTMCell, MatrixCell, PositiveCell)


@by_implementation
@pytest.mark.parametrize("cell", STREAMED, ids=lambda cell: cell.__name__)
def test_streaming_is_one_pass(cell, kind, implementation):
    """One step at a time, each from the carry the last one left, as a server reads a review."""
    mask_BT, run = mask_of(kind, B, T), case(cell)
    (final, y_BTH), _ = value_and_grads(run, mask_BT, implementation=implementation)
    one, carry = streaming(run.step, implementation), run.carry
    for t in range(T):
        carry, y_B1H = one(run.params, carry, run.x_BTE[:, t : t + 1], mask_BT[:, t : t + 1])
        assert_close(y_B1H[:, 0], y_BTH[:, t])
    assert_close(carry, final)


@functools.cache
def streaming(step, implementation):
    return jax.jit(functools.partial(scan, step, implementation=implementation))
