import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from rnnsent.arrays import matmul
from rnnsent.kernels.bfloat16 import in_bfloat16

A, C = (jax.random.normal(jax.random.key(i), shape) for i, shape in enumerate(((3, 4), (4, 5))))


def rounded(a) -> np.ndarray:
    """float64 of what bfloat16 keeps."""
    return np.asarray(jnp.asarray(a).astype(jnp.bfloat16).astype(jnp.float32), np.float64)


WAYS = {
    "matmul": matmul,
    "operator": lambda a, c: a @ c,
    "einsum": functools.partial(jnp.einsum, "ij,jk->ik"),
    "jitted": jax.jit(lambda a, c: a @ c),
    "checkpointed": jax.checkpoint(lambda a, c: a @ c),
    "dense": lambda a, c: nn.Dense(5, use_bias=False).apply({"params": {"kernel": c}}, a),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_operands_are_rounded_and_sums_and_gradients_are_float32(way):
    out, pull = jax.vjp(in_bfloat16(way), A, C)
    g = jax.random.normal(jax.random.key(2), out.shape)
    exact = rounded(A) @ rounded(C)
    np.testing.assert_allclose(out, exact, rtol=1e-5, atol=1e-6)
    da, dc = pull(g)
    np.testing.assert_allclose(da, rounded(g) @ rounded(C).T, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dc, rounded(A).T @ rounded(g), rtol=1e-5, atol=1e-6)
    assert {x.dtype for x in (out, da, dc)} == {jnp.dtype("float32")}


def test_products_are_in_bfloat16_in_the_program_too():
    text = jax.jit(jax.grad(lambda a: in_bfloat16(matmul)(a, C).sum())).lower(A).as_text()
    products = [line for line in text.splitlines() if "dot_general" in line]
    assert products and all("xbf16>" in line and "-> tensor<3x4xf32>" in line for line in products)


def test_all_else_stays_to_the_bit():
    def gate(a):
        return {"x": nn.relu(a) * nn.log_sigmoid(a), "y": (a.sum(), jnp.int32(3), a > 0)}

    here, there = jax.jit(gate)(A), jax.jit(in_bfloat16(gate))(A)
    jax.tree.map(np.testing.assert_array_equal, here, there)
    grads = [
        jax.jit(jax.grad(lambda a, f=f: f(a)["x"].sum()))(A) for f in (gate, in_bfloat16(gate))
    ]
    np.testing.assert_array_equal(*grads)
    with jax.enable_x64(True):
        double = jnp.asarray(A, jnp.float64)
        product = in_bfloat16(lambda a: a @ a.T)(double)
        np.testing.assert_array_equal(product, double @ double.T)


def test_second_derivatives_are_defined():
    def total(c):
        return (in_bfloat16(matmul)(A, jnp.sin(c)) ** 2).sum()

    def exactly(c):
        return ((A @ jnp.sin(c)) ** 2).sum()

    def twice(f):
        return jax.jit(jax.grad(lambda c: (jax.grad(f)(c) ** 2).sum()))(C)

    found, exact = twice(total), twice(exactly)
    assert np.linalg.norm(found - exact) < 0.02 * np.linalg.norm(exact)


@jax.custom_jvp
def own_rule(a, c):
    return jnp.tanh(a @ c)


own_rule.defjvp(lambda primals, tangents: (own_rule(*primals), own_rule(*primals)))


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda a, c: jax.lax.scan(lambda s, _: (s @ c @ c.T, None), a, None, 2)[0], "scan"),
        (lambda a, c: jax.lax.cond(a[0, 0] > 0, lambda: a @ c, lambda: a @ c + 1), "cond"),
        (own_rule, "custom_jvp_call"),
    ],
)
def test_a_product_out_of_reach_is_refused_by_name(function, name):
    with pytest.raises(ValueError, match=f"does not reach the matrix product inside of {name}"):
        in_bfloat16(function)(A, C)
