import jax
import jax.numpy as jnp
import pytest

from rnnsent import costs, model
from rnnsent.cells import CELLS


@pytest.mark.parametrize("cell", costs.GATES)
def test_products_are_the_kernels_once_per_row_and_step(cell):
    config = model.ModelConfig(cell=cell)
    kernels = sum(
        (inputs + features) * costs.GATES[cell] * features
        for inputs, features in ((32, 128), (128, 64))
    )
    assert costs.flops(config, 6, 5, train=False) == 2 * 6 * 5 * kernels
    assert costs.flops(config, 6, 5, train=True) == 3 * 2 * 6 * 5 * kernels
    declared = model.init(config, jax.random.key(0))
    counted = sum(
        declared[layer][name].size
        for layer in ("layer_0", "layer_1")
        for name in ("kernel", "recurrent_kernel")
    )
    assert kernels == counted


def test_counts_of_the_notebooks_lstm():
    config = model.PRESETS["lstm"]
    assert costs.flops(config, 512, 132, train=True) == 3 * 512 * 132 * (163_840 + 98_304)
    assert costs.transcendentals(config, 512, 132) == 5 * 512 * 132 * 192
    assert costs.traffic_bytes(config, 512, 132, train=False) == 512 * 132 * 32 * 4


def test_every_cell_is_counted():
    assert set(CELLS) == set(costs.GATES) == set(costs.TRANSCENDENTALS) == set(costs.CARRIES)
    for name, cell in CELLS.items():
        assert cell.carry_size == costs.CARRIES[name]


X_BE, KERNEL_EE = jnp.ones((2, 3)), jnp.ones((3, 3))
STEP = costs.Operations(flops=2 * 2 * 3 * 3, transcendentals=2 * 3)


def test_a_loop_counts_as_often_as_it_turns():
    def scanned(x_BE):
        return jax.lax.scan(lambda x, _: (jnp.tanh(x @ KERNEL_EE), None), x_BE, length=7)[0]

    def until(x_BE, turns):
        return jax.lax.fori_loop(0, turns, lambda _, x: jnp.tanh(x @ KERNEL_EE), x_BE)

    assert costs.executed(scanned, X_BE, steps=1) == STEP.scaled(7)
    assert costs.executed(jax.jit(until), X_BE, 5, steps=4) == STEP.scaled(4)


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
