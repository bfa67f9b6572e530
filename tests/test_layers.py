import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from guests import GUESTS, CountingCell, MatrixCell, MinimalCell, PositiveCell
from kernels.parity import B, E, H, T, assert_close, assert_same, normal
from reference import mask_of

from rnnsent.cells import CELLS, Cell, GRUCell, LSTMCell, SimpleRNNCell
from rnnsent.layers import Recurrent
from rnnsent.recurrence import IMPLEMENTATIONS, scan
from rnnsent.steps import Layer, dropout_mask, stack

EVERY = (*CELLS.values(), *GUESTS)
STEPWISE = [name for name, way in IMPLEMENTATIONS.items() if way.stacks]
by_cell = pytest.mark.parametrize("cell", EVERY, ids=lambda cell: cell.__name__)
x_BTE = normal(0, B, T, E)
RNGS = {"dropout": jax.random.key(3)}


def initialised(*cells, **options):
    model = Recurrent(cells, **options)
    return model, model.init(jax.random.key(1), x_BTE)


@pytest.mark.parametrize("implementation", STEPWISE)
def test_stacked_layers_are_layers_one_after_another(implementation):
    """The second one's output is apart from its carry."""
    mask_BT = jnp.asarray(mask_of("interior", B, T))
    model, variables = initialised(LSTMCell(4), MatrixCell(6), SimpleRNNCell(H))
    y_BTH, carries = x_BTE, []
    for i, cell in enumerate(model.cells):
        one = {"params": {"cells_0": variables["params"][f"cells_{i}"]}}
        carry, y_BTH = Recurrent([cell]).apply(one, y_BTH, mask_BT)
        carries.append(carry)
    run = jax.jit(model.clone(implementation=implementation).apply)
    assert_close(run(variables, x_BTE, mask_BT), (sum(reversed(carries), ()), y_BTH))


def test_a_stacks_carry_has_the_top_layers_first():
    layers = [Layer(None, None, carry) for carry in ((1, 2), (3,))]
    assert stack(layers).carry == (3, 1, 2)


@pytest.mark.parametrize("implementation", STEPWISE)
def test_a_stack_goes_on_from_any_carry(implementation):
    model, variables = initialised(LSTMCell(4), MatrixCell(H), implementation=implementation)
    mask_BT = jnp.asarray(mask_of("interior", B, T))
    run = jax.jit(model.apply)
    final, y_BTH = run(variables, x_BTE, mask_BT)
    half = jnp.arange(T) < T // 2
    carry, first_BTH = run(variables, x_BTE, mask_BT & half)
    carry, second_BTH = run(variables, x_BTE, mask_BT & ~half, carry=carry)
    assert_close(carry, final)
    assert_close(jnp.where(half[:, None], first_BTH, second_BTH), y_BTH)


def by_hand(cell: Cell, params, mask_BT):
    """Outputs of a bound cell, a step at a time through Flax's own call."""
    call = jax.jit(functools.partial(cell.apply, {"params": params}))
    carry = cell.initialize_carry(None, (B, E))
    y_BH, outputs = jnp.zeros((B, H)), []
    for t in range(T):
        new, y_new = call(carry, x_BTE[:, t])
        real_B = jnp.asarray(mask_BT[:, t])
        keep = lambda n, o: jnp.where(real_B.reshape(B, *(1,) * (n.ndim - 1)), n, o)  # noqa: B023, E731
        carry, y_BH = jax.tree.map(keep, new, carry), keep(y_new, y_BH)
        outputs.append(y_BH)
    return jnp.stack(outputs, 1)


@functools.cache
def matrix_layer(implementation):
    model, variables = initialised(MatrixCell(H), implementation=implementation)
    return variables, jax.jit(model.apply)


@pytest.mark.parametrize("implementation", STEPWISE)
def test_an_output_apart_from_the_carry_is_streamed_or_read_in_one_pass(kind, implementation):
    """Every masked step repeats the last output; before the first real step it is zero."""
    mask_BT = mask_of(kind, B, T)
    variables, run = matrix_layer(implementation)
    _, y_BTH = run(variables, x_BTE, mask_BT)
    assert_close(y_BTH, by_hand(MatrixCell(H), variables["params"]["cells_0"], mask_BT))
    before_BT = np.cumsum(mask_BT, axis=1) == 0
    assert not np.asarray(y_BTH)[before_BT].any()


FLAX_CELLS = (nn.GRUCell, nn.SimpleCell, nn.LSTMCell, nn.OptimizedLSTMCell)


@pytest.mark.parametrize("cell", FLAX_CELLS, ids=lambda cell: cell.__name__)
def test_flax_cells_run_in_our_recurrence(cell):
    theirs = nn.RNN(cell(H))
    variables = theirs.init(jax.random.key(1), x_BTE)
    ours = {"params": {"cells_0": variables["params"]["cell"]}}
    mask_BT = mask_of("right", B, T)
    lengths = mask_BT.sum(1)
    every, padded = (
        jax.jit(theirs.apply)(variables, x_BTE, **options)
        for options in ({}, {"seq_lengths": lengths})
    )
    for implementation in ("scan", "packed"):
        run = jax.jit(Recurrent([cell(H)], implementation=implementation).apply)
        assert_close(run(ours, x_BTE, np.ones((B, T), bool))[1], every)
        assert_close(run(ours, x_BTE, mask_BT)[1][mask_BT], padded[mask_BT])


def test_dropout_masks_belong_to_rows():
    key, rows_B = jax.random.key(0), jnp.arange(512)
    whole = dropout_mask(key, rows_B, 128, 0.1)
    parts = [dropout_mask(key, part, 128, 0.1) for part in jnp.split(rows_B, [100, 101, 400])]
    assert_same(jnp.concatenate(parts), whole)
    kept = whole > 0
    assert abs(float(kept.mean()) - 0.9) < 0.01
    np.testing.assert_allclose(np.unique(whole), [0, 1 / 0.9], rtol=1e-6)


def kernels_scaled(params, input_E, recurrent_H):
    """Parameters whose rows that meet a dropped unit are zero, and the others' are grown."""
    return params | {
        name: params[name] * mask.reshape(-1, *(1,) * (params[name].ndim - 1))
        for name, mask in (
            ("kernel", input_E),
            ("read_kernel", input_E),
            ("recurrent_kernel", recurrent_H),
        )
        if name in params and mask is not None
    }


WITH_KERNELS = [
    cell
    for cell in (*CELLS.values(), *GUESTS)
    if cell.__name__ not in ("ConstantCell", "LRUCell")  # none, and one beside its kernel
]


@pytest.mark.parametrize("cell", WITH_KERNELS, ids=lambda cell: cell.__name__)
def test_dropout_is_the_same_at_every_step(cell):
    """Dropping units is zeroing (and scaling) the rows of weights they meet, at all steps.

    Of the inputs for every cell; of the state for those whose step says where that acts.
    """
    recurrent = 0.5 if cell.drops_recurrence() else 0.0
    model, variables = initialised(cell(H), dropout=0.5, recurrent_dropout=recurrent)
    one = x_BTE[:1]

    @functools.partial(nn.apply, module=model)
    def masks(module):
        (layer,) = module.layers(one, train=True)
        return layer.params[1:]

    input_BE, recurrent_BH = masks(variables, rngs=RNGS)
    assert 0 < int((input_BE == 0).sum()) + (recurrent and int((recurrent_BH == 0).sum()))
    assert (recurrent_BH is None) == (not recurrent)
    _, got = model.apply(variables, one, train=True, rngs=RNGS)
    scaled = kernels_scaled(
        variables["params"]["cells_0"], input_BE[0], recurrent_BH[0] if recurrent else None
    )
    _, expected = model.apply({"params": {"cells_0": scaled}}, one)
    assert_close(got, expected)
    _, whole = model.apply(variables, one)
    assert np.abs(got - whole).max() > 1e-3


@by_cell
def test_recurrent_dropout_acts_where_the_step_says_or_is_refused(cell):
    model, variables = initialised(cell(H))
    model = model.clone(recurrent_dropout=0.5)
    if cell.drops_recurrence():
        _, y_BTH = model.apply(variables, x_BTE, train=True, rngs=RNGS)
        assert np.abs(y_BTH - model.apply(variables, x_BTE)[1]).max() > 1e-3
        return
    refusal = f"{cell.__name__} takes no recurrent dropout: its step has no argument h_BH"
    with pytest.raises(ValueError, match=refusal):
        model.apply(variables, x_BTE, train=True, rngs=RNGS)
    assert_same(model.apply(variables, x_BTE), Recurrent([cell(H)]).apply(variables, x_BTE))


def test_the_state_that_is_kept_is_never_dropped():
    """With all inputs zero and no products, a cell that keeps its state has it at the end."""
    model, variables = initialised(GRUCell(H), recurrent_dropout=0.9)
    params = jax.tree.map(jnp.zeros_like, variables["params"])
    params["cells_0"]["bias"] = jnp.full(3 * H, 50.0)  # gates open: h' = h
    carry = (normal(1, B, H),)
    (final,), _ = model.apply(
        {"params": params}, jnp.zeros((B, T, E)), carry=carry, train=True, rngs=RNGS
    )
    assert_close(final, carry[0])


def test_recurrent_dropout_of_a_flax_cell_is_refused():
    model, variables = initialised(nn.GRUCell(H))
    with pytest.raises(ValueError, match="GRUCell takes no recurrent dropout"):
        model.clone(recurrent_dropout=0.1).apply(variables, x_BTE, train=True, rngs=RNGS)


def test_without_training_nothing_is_dropped():
    model, variables = initialised(LSTMCell(H), dropout=0.9, recurrent_dropout=0.9)
    assert_same(model.apply(variables, x_BTE), Recurrent([LSTMCell(H)]).apply(variables, x_BTE))


@pytest.mark.parametrize("cell", (LSTMCell, CountingCell, PositiveCell), ids=lambda c: c.__name__)
def test_nudges_are_added_to_what_is_carried(cell):
    """Nothing where they are zero; and the last step's gradient is that of the final carry."""
    model, variables = initialised(cell(H))
    mask_BT = np.arange(T) < np.array([T, 4, 1, 0])[:, None]
    (layer,) = model.bind(variables).layers(x_BTE)
    nudges = [
        jnp.zeros((B, T, *a.shape[1:])) if jnp.issubdtype(a.dtype, jnp.floating) else None
        for a in layer.carry
    ]

    def final(nudges):
        carry, _ = model.apply(variables, x_BTE, mask_BT, nudges=nudges)
        return (carry[0] ** 2).sum(), carry

    grads, carry = jax.jit(jax.grad(final, has_aux=True))(nudges)
    assert_close(carry, jax.jit(model.apply)(variables, x_BTE, mask_BT)[0])
    for row, length in enumerate(mask_BT.sum(1)):
        if length:
            np.testing.assert_allclose(grads[0][row, length - 1], 2 * carry[0][row], rtol=1e-6)
        assert not grads[0][row, length:].any()


@pytest.mark.parametrize("cell", (LSTMCell, MatrixCell), ids=lambda c: c.__name__)
@pytest.mark.parametrize("steps", [0, 1])
def test_scratch_memory_of_few_steps(cell, steps):
    """A pass over no steps takes it as any other does."""
    model, variables = initialised(cell(H), implementation="packed")
    few = x_BTE[:, :steps]
    _, made = model.apply(variables, few, mutable=["scratch"])

    def loss(variables):
        carry, _ = model.apply(variables, few)
        return (carry[0] ** 2).sum()

    grads = jax.grad(loss)(variables | dict(made))
    assert_same(grads["params"], jax.grad(loss)(variables)["params"])


def test_a_minimal_cell_needs_no_state_of_its_own_kind():
    """A cell is given by its step alone: the same numbers as the plain function gives."""
    model, variables = initialised(MinimalCell(H))
    step, params = MinimalCell(H).step, variables["params"]["cells_0"]
    assert_close(model.apply(variables, x_BTE), scan(step, params, (jnp.zeros((B, H)),), x_BTE))
