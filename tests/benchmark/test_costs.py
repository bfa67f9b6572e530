import types

import jax
import jax.numpy as jnp
import pytest

from rnnsent import cells
from rnnsent.arrays import matmul
from rnnsent.benchmark import costs
from rnnsent.benchmark.costs import Product
from rnnsent.layers import Recurrent


def notebook(cell: str) -> types.SimpleNamespace:
    """The fields of a classifier that are counted."""
    return types.SimpleNamespace(cell=cell, cell_options=(), features=(128, 64), embedding_size=32)


@pytest.mark.parametrize(
    "cell, per_row_and_step, elements, carries",
    [("simple_rnn", 32_768, 192, 192), ("lstm", 131_072, 960, 384), ("gru", 98_304, 576, 192)],
)
def test_counts_of_the_shipped_cells(cell, per_row_and_step, elements, carries):
    model = notebook(cell)
    work = 512 * 132
    assert costs.flops(model, 512, 132, train=False) == 2 * work * per_row_and_step
    assert costs.flops(model, 512, 132, train=True) == 6 * work * per_row_and_step
    assert costs.transcendentals(model, 512, 132) == work * elements
    assert costs.traffic_bytes(model, 512, 132, train=False) == work * 32 * 4
    assert costs.traffic_bytes(model, 512, 132, train=True) == work * 4 * (3 * 32 + 2 * carries)


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
def test_counts_are_what_xla_counts_of_one_step(cell):
    """XLA counts element-wise work too, and a loop's body once, hence one step."""
    layers = [cells.create(cell, width, {}) for width in (128, 64)]
    model, x_BTE = Recurrent(layers), jnp.zeros((512, 1, 32))
    run = jax.jit(lambda params: model.apply(params, x_BTE, sequences=False)[0])
    params = jax.eval_shape(model.init, jax.random.key(0), x_BTE)
    counted = run.lower(params).compile().cost_analysis()["flops"]
    assert counted == pytest.approx(costs.flops(notebook(cell), 512, 1, train=False), rel=0.03)


def test_products_have_the_shapes_of_the_step_and_of_its_gradients():
    lower, upper = Product(6, 32 + 128, 512, 5), Product(6, 128 + 64, 256, 5)
    assert costs.products(notebook("lstm"), 6, 5, train=False) == [lower, upper]
    trained = costs.products(notebook("lstm"), 6, 5, train=True)
    assert trained[:3] == [lower, Product(6, 512, 160, 5), Product(160, 6, 512, 5)]
    apart = costs.products(notebook("gru"), 6, 5, train=False)
    assert apart[:2] == [Product(6, 32, 384, 5), Product(6, 128, 384, 5)]


class MemoryCell(cells.Cell):
    """A matrix memory with a counter, a loop, a branch and an output of its own."""

    turns: int = 3

    def weights(self, input_size):
        shape = (input_size, self.features)
        return {name: self.param(name, cells.glorot_uniform(), shape) for name in ("k", "v", "q")}

    def initialize_carry(self, rng, input_shape):
        rows = input_shape[0]
        return jnp.zeros((rows, self.features, self.features)), jnp.zeros((rows,), jnp.int32)

    def step(self, params, carry, x_BE):
        memory_BHH, count_B = carry
        k_BH, v_BH = matmul(x_BE, params["k"]), matmul(x_BE, params["v"])
        k_BH = jax.lax.fori_loop(0, self.turns, lambda _, k: jnp.exp(-jnp.tanh(k)), k_BH)
        k_BH = jax.lax.cond(k_BH.sum() > 0, jnp.tanh, lambda k: k, k_BH)
        return memory_BHH + jnp.einsum("bi,bj->bij", k_BH, v_BH), count_B + 1

    def output(self, params, carry, x_BE):
        return jnp.einsum("bij,bj->bi", carry[0], matmul(x_BE, params["q"]))


def test_a_cell_of_ones_own_is_counted_from_its_step():
    step = costs.step_of(MemoryCell(features=4), 3, rows=2)
    assert sum(product.flops for product in step.products) == 3 * 2 * (2 * 3 * 4) + 2 * 2 * 2 * 4**2
    assert step.transcendentals == 2 * 4 * (2 * 3 + 1)
    assert step.carry_bytes == 2 * 4 * 4 * 4 + 2 * 4
    assert costs.step_of(MemoryCell(features=4, turns=1), 3, rows=2).transcendentals == 2 * 4 * 3


class CountingCell(cells.Cell):
    """Neither parameters nor products."""

    def weights(self, input_size):
        return None

    def step(self, params, carry, x_BE):
        return (carry[0] + x_BE.sum(-1, keepdims=True),)


def test_a_cell_without_products_costs_none():
    assert costs.step_of(CountingCell(features=4), 3, rows=2) == ((), 0, 2 * 4 * 4)


X_BE, KERNEL_EE = jnp.ones((2, 3)), jnp.ones((3, 3))
STEP = costs.Operations(flops=2 * 2 * 3 * 3, transcendentals=2 * 3)


def test_a_loop_counts_as_often_as_it_turns():
    def scanned(x_BE):
        return jax.lax.scan(lambda x, _: (jnp.tanh(x @ KERNEL_EE), None), x_BE, length=7)[0]

    def until(x_BE, turns):
        return jax.lax.fori_loop(0, turns, lambda _, x: jnp.tanh(x @ KERNEL_EE), x_BE)

    assert costs.executed(scanned, X_BE, steps=1) == STEP.scaled(7)
    assert costs.executed(jax.jit(until), X_BE, 5, steps=4) == STEP.scaled(4)


def test_of_branches_the_largest_counts():
    def either(x_BE, first):
        return jax.lax.cond(first, lambda x: jnp.tanh(x @ KERNEL_EE), lambda x: x @ KERNEL_EE, x_BE)

    assert costs.executed(either, X_BE, True, steps=1) == STEP


def test_a_batched_product_and_what_is_called_count():
    def function(x_BE):
        return jax.jit(jnp.einsum, static_argnums=0)("be,bf->bf", x_BE, jax.nn.sigmoid(x_BE))

    assert costs.executed(function, X_BE, steps=1).transcendentals == 6
    batched = costs.executed(lambda a, b: a @ b, jnp.ones((5, 2, 3)), jnp.ones((5, 3, 4)), steps=1)
    assert batched == (2 * 5 * 2 * 3 * 4, 0)


def test_what_nothing_depends_on_does_not_count():
    def until(x_BE, turns):
        return jax.lax.fori_loop(0, turns, lambda _, x: (x @ KERNEL_EE, jnp.tanh(x))[1], x_BE)

    assert costs.executed(until, X_BE, 5, steps=4) == (0, 4 * STEP.transcendentals)


@pytest.mark.parametrize("again, products, elements", [(False, 3, 1), (True, 4, 2)])
def test_computing_again_is_seen(again, products, elements):
    def loss(kernel_EE):
        def body(x_BE, _):
            return jnp.tanh(x_BE @ kernel_EE), None

        body = jax.checkpoint(body) if again else body
        return jax.lax.scan(body, X_BE, length=7)[0].sum()

    counted = costs.executed(jax.grad(loss), KERNEL_EE, steps=1)
    assert counted == (products * 7 * STEP.flops, elements * 7 * STEP.transcendentals)
