"""The product of a step against ``@``, in every way that JAX differentiates and vectorises."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnnsent.arrays import matmul

SHAPES = {
    "rows": ((4, 3), (3, 5)),
    "one row": ((3,), (3, 5)),
    "a batch of them": ((2, 4, 3), (3, 5)),
    "no rows": ((0, 3), (3, 5)),
}


@pytest.fixture(params=SHAPES)
def arrays(request):
    """Two factors, and tangents of them."""
    generator = np.random.default_rng(0)
    return [
        tuple(
            jnp.asarray(generator.normal(size=shape), jnp.float32)
            for shape in SHAPES[request.param]
        )
        for _ in range(2)
    ]


def assert_equal(ways, *arguments):
    """``way(product)(*arguments)`` of our product and of ``@``, to a few roundings."""
    got, want = (jax.jit(ways(product))(*arguments) for product in (matmul, jnp.matmul))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-6, rtol=1e-6), got, want)


def loss(product):
    """Of third order in the factors, so that second derivatives are not constant."""
    return lambda a, b: (product(a, b) ** 3).sum()


def test_the_value_is_that_of_the_operator(arrays):
    at, _ = arrays
    assert_equal(lambda product: product, *at)


def test_reverse_mode(arrays):
    at, _ = arrays
    assert_equal(lambda product: jax.grad(loss(product), argnums=(0, 1)), *at)


def test_forward_mode(arrays):
    assert_equal(lambda product: lambda at, along: jax.jvp(product, at, along), *arrays)


def test_second_derivatives(arrays):
    """Forward over reverse and reverse over reverse."""

    def forward_over_reverse(product):
        slope = jax.grad(loss(product), argnums=(0, 1))
        return lambda at, along: jax.jvp(slope, at, along)

    def reverse_over_reverse(product):
        slope = jax.grad(loss(product), argnums=(0, 1))

        def along_it(at, along):
            return sum((a * b).sum() for a, b in zip(slope(*at), along, strict=True))

        return jax.grad(along_it)

    assert_equal(forward_over_reverse, *arrays)
    assert_equal(reverse_over_reverse, *arrays)


def test_under_vmap(arrays):
    """Over the left factor, over both, and of gradients."""
    at, along = arrays
    both = tuple(jnp.stack(pair) for pair in zip(at, along, strict=True))
    assert_equal(lambda product: jax.vmap(product), *both)
    assert_equal(lambda product: jax.vmap(product, in_axes=(0, None)), both[0], at[1])
    assert_equal(lambda product: jax.vmap(jax.grad(loss(product), argnums=(0, 1))), *both)
