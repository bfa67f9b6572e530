import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from guests import CountingCell, MatrixCell, ShuffledCell
from kernels.parity import T, assert_close, assert_same, case, is_float, loss_of, normal
from reference import mask_of

from rnnsent.cells import GRUCell, LSTMCell, SimpleRNNCell
from rnnsent.kernels import packed
from rnnsent.layers import Recurrent
from rnnsent.recurrence import IMPLEMENTATIONS, scan

CLASSIC = (SimpleRNNCell, LSTMCell, GRUCell)
EVERY = (*CLASSIC, MatrixCell, CountingCell, ShuffledCell)
MASK_BT = mask_of("empty", 4, T)
by_cell = pytest.mark.parametrize("cell", CLASSIC, ids=lambda cell: cell.__name__)


def loss(case, implementation, sequences=True):
    """Of the floats of (params, carry, x_BTE), in order: integers are not differentiated."""
    leaves, treedef = jax.tree.flatten(case[1:])

    def run(floats, mask_BT=MASK_BT):
        rest = iter(floats)
        arrays = treedef.unflatten([next(rest) if is_float(a) else a for a in leaves])
        carry, y_BTH = scan(
            case.step, *arrays, jnp.asarray(mask_BT), sequences=sequences,
            implementation=implementation,
        )  # fmt: skip
        return loss_of(carry, y_BTH if sequences else jnp.zeros((0, 1)))

    return run, [a for a in leaves if is_float(a)]


def forward_over_reverse(function, at, along):
    return jax.jvp(jax.grad(function), (at,), (along,))[1]


def reverse_over_reverse(function, at, along):
    def slope(at):
        return sum((a * b).sum() for a, b in zip(jax.grad(function)(at), along, strict=True))

    return jax.grad(slope)(at)


def along(at):
    return [normal(11 + i, *a.shape) for i, a in enumerate(at)]


@functools.cache
def exact_second(cell):
    """The second derivative along a direction, by plain autodiff."""
    run, at = loss(case(cell), "scan-stored")
    return jax.jit(functools.partial(forward_over_reverse, run))(at, along(at))


@pytest.mark.parametrize("second", [forward_over_reverse, reverse_over_reverse])
@pytest.mark.parametrize("cell", EVERY, ids=lambda cell: cell.__name__)
def test_second_derivatives_are_those_of_plain_autodiff(cell, second):
    run, at = loss(case(cell), "packed")
    got = jax.jit(functools.partial(second, run))(at, along(at))
    assert_close(got, exact_second(cell), 1e-5)


@pytest.mark.parametrize("cell", (LSTMCell, CountingCell), ids=lambda cell: cell.__name__)
def test_gradients_under_vmap(cell):
    """Over masks, and so over numbers of steps."""
    masks = jnp.stack([mask_of("left", 4, T), mask_of("interior", 4, T), jnp.zeros((4, T), bool)])
    run, at = loss(case(cell), "packed")
    both = jax.jit(jax.vmap(jax.grad(run), in_axes=(None, 0)))(at, masks)
    one = jax.jit(jax.grad(run))
    each = [one(at, mask) for mask in masks]
    assert_close(both, jax.tree.map(lambda *grads: jnp.stack(grads), *each))


def test_forward_mode_alone_is_refused():
    run, at = loss(case(LSTMCell), "packed")
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(run, (at,), (at,))


def test_a_step_that_closes_over_what_is_differentiated_is_refused():
    """Its gradient would be missing; with the value in params it is there."""
    carry, x_BTE = (normal(1, 4, 3),), normal(2, 4, T, 3)

    def run(kernel, inside):
        step = lambda params, carry, x_BE: (jnp.tanh(x_BE @ kernel + carry[0] @ params),)  # noqa: E731
        return scan(step, inside, carry, x_BTE, MASK_BT, implementation="packed")[1].sum()

    with pytest.raises(jax.errors.UnexpectedTracerError):
        jax.grad(run)(normal(3, 3, 3), normal(4, 3, 3))
    assert jnp.isfinite(jax.grad(run, argnums=1)(normal(3, 3, 3), normal(4, 3, 3))).all()


def with_scratch(case, implementation="packed"):
    """Gradients of (params, carry, x_BTE) and the memory as it was used."""

    def run(params, carry, x_BTE, scratch):
        using = IMPLEMENTATIONS[implementation].using(scratch)
        mask_BT = jnp.asarray(MASK_BT)
        return loss_of(*scan(case.step, params, carry, x_BTE, mask_BT, implementation=using))

    return jax.jit(jax.grad(run, argnums=(0, 1, 2, 3)))


def filled_with_nan(tree):
    return jax.tree.map(lambda a: jnp.full_like(a, jnp.nan), tree)


@by_cell
def test_scratch_memory_may_hold_anything_and_is_given_back(cell):
    """Filled with NaN it changes nothing, and its cotangent serves the next call."""
    run, gradient = case(cell), with_scratch(case(cell))
    memory = filled_with_nan(packed.scratch(*run))
    steps = int(MASK_BT.sum(1).max())
    for scale in (1.0, -0.5):
        at = run.params, run.carry, scale * run.x_BTE
        *got, memory = gradient(*at, memory)
        *expected, none = gradient(*at, None)
        assert none is None
        assert_same(got, expected)
        carries, kept = memory
        assert_same(tuple(a[0] for a in carries), run.carry)  # what this call wrote
        for a in (*carries, *kept):  # and nothing else: neither cleared nor allocated
            assert np.isfinite(a[:steps]).all() and np.isnan(a[steps + 1 :]).all()


def test_scratch_memory_of_other_shapes_is_refused():
    run = case(LSTMCell)
    short = packed.scratch(run.step, run.params, run.carry, run.x_BTE[:, 1:])
    with pytest.raises(ValueError, match="other shapes"):
        with_scratch(run)(run.params, run.carry, run.x_BTE, short)


def scratch_of(model, variables, x_BTE):
    _, made = model.apply(variables, x_BTE, mutable=["scratch"])
    return dict(made)


def test_a_module_makes_scratch_memory_and_hands_it_on():
    """Through the collection ``scratch``: a gradient with respect to it is it, as it was used."""
    x_BTE = normal(0, 4, T, 3)
    model = Recurrent([LSTMCell(6), LSTMCell(5)], implementation="packed")
    variables = model.init(jax.random.key(0), x_BTE)
    assert set(variables) == {"params"}
    made = scratch_of(model, variables, x_BTE)

    @jax.jit
    def gradient(variables):
        def run(variables):
            carry, _ = model.apply(variables, x_BTE, MASK_BT, sequences=False)
            return (carry[0] ** 2).sum()

        return jax.grad(run)(variables)

    expected = gradient(variables)["params"]
    for _ in range(2):
        grads = gradient(variables | filled_with_nan(made))
        assert_same(grads["params"], expected)
        carries, _ = grads["scratch"]["memory"]
        steps = int(MASK_BT.sum(1).max())
        assert (
            np.isfinite(carries[0][: steps + 1]).all() and np.isnan(carries[0][steps + 1 :]).all()
        )
        made = {"scratch": grads["scratch"]}


@pytest.mark.parametrize("implementation", ["scan", "scan-unrolled", "scan-kept", "scan-stored"])
def test_other_implementations_make_no_scratch_memory(implementation):
    x_BTE, model = normal(0, 4, T, 3), Recurrent([LSTMCell(5)], implementation=implementation)
    variables = model.init(jax.random.key(0), x_BTE)
    assert not scratch_of(model, variables, x_BTE)


def test_a_carry_with_integers_makes_no_scratch_memory():
    """A gradient hands it on, and integers have none."""
    x_BTE, model = normal(0, 4, T, 3), Recurrent([CountingCell(5)], implementation="packed")
    variables = model.init(jax.random.key(0), x_BTE)
    assert not scratch_of(model, variables, x_BTE)


@by_cell
def test_no_product_is_computed_twice(cell):
    """Three times as many as a step has: forward, towards the inputs, towards the weights.

    Counted by the compiler's own estimate, which takes a loop's body once; the products are so
    large here that all else rounds away. ``scan`` computes the forward ones twice, a fourth time.
    """
    run = case(cell, 64, 3, 128)
    gates = jax.tree.leaves(run.params)[0].shape[-1]
    one = 2 * 64 * (3 + 128) * gates  # of x with K and h with R, together or apart

    def computed(implementation):
        def loss(params, x_BTE):
            carry, _ = scan(
                run.step, params, run.carry, x_BTE, sequences=False, implementation=implementation
            )
            return (carry[0] ** 2).sum()

        lowered = jax.jit(jax.grad(loss, argnums=(0, 1))).lower(run.params, run.x_BTE)
        return lowered.compile().cost_analysis()["flops"] / one

    assert computed("packed") == pytest.approx(3, abs=0.15)
    assert computed("scan-kept") == pytest.approx(3, abs=0.15)
    assert computed("scan") == pytest.approx(4, abs=0.15)
