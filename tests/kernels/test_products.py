import jax
import jax.numpy as jnp
import numpy as np

from rnnsent.kernels.products import product, substitute


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def step(params, carry, x_BE):
    (h_BH,) = carry
    gate_BH = jnp.tanh(x_BE @ params["kernel"] + h_BH @ params["recurrent_kernel"])
    return (gate_BH * jnp.einsum("bh,bh->b", h_BH, h_BH)[:, None],)


ARGUMENTS = (
    {"kernel": normal(0, 3, 4), "recurrent_kernel": normal(1, 4, 4)},
    (normal(2, 5, 4),),
    normal(3, 5, 3),
)


def test_a_product_and_its_gradients():
    a_MK, b_KN, g_MN = normal(0, 3, 4), normal(1, 4, 5), normal(2, 3, 5)
    out_MN, pull = jax.vjp(product, a_MK, b_KN)
    a, b, g = (np.asarray(x, np.float64) for x in (a_MK, b_KN, g_MN))
    np.testing.assert_allclose(out_MN, a @ b, atol=1e-6)
    np.testing.assert_allclose(pull(g_MN)[0], g @ b.T, atol=1e-6)
    np.testing.assert_allclose(pull(g_MN)[1], a.T @ g, atol=1e-6)


def test_substituted_the_function_is_the_same():
    def total(function):
        return lambda *arguments: function(*arguments)[0].sum()

    np.testing.assert_array_equal(substitute(step)(*ARGUMENTS)[0], step(*ARGUMENTS)[0])
    got, want = (
        jax.grad(total(f), argnums=(0, 1, 2))(*ARGUMENTS) for f in (substitute(step), step)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), got, want)


def test_only_plain_products_are_substituted():
    text = str(jax.make_jaxpr(substitute(step))(*ARGUMENTS))
    assert text.count("custom_vjp_call[") == 2
    exact = jax.make_jaxpr(substitute(lambda a, b: jnp.dot(a, b, precision="highest")))(
        normal(0, 3, 4), normal(1, 4, 5)
    )
    assert "custom_vjp_call" not in str(exact)
