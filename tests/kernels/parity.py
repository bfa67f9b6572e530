"""One layer's value and every gradient, by any implementation and step by step."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rnnsent import recurrence
from rnnsent.layers import Recurrent
from rnnsent.recurrence import scan

B, T, E, H = 4, 11, 3, 5


class Case(NamedTuple):
    """What a layer is run with; its carry is not zero."""

    step: Any
    params: Any
    carry: Any
    x_BTE: Any


def normal(seed: int, *shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape, np.float32))


@functools.cache
def case(cell_type, rows: int = B, steps: int = T, width: int = H) -> Case:
    """A cell's layer as the model runs it, from a random carry."""
    x_BTE, model = normal(0, rows, steps, E), Recurrent([cell_type(width)])
    variables = model.init(jax.random.key(1), normal(0, 1, 1, E))
    (layer,) = model.bind(variables).layers(x_BTE)
    carry = tuple(
        (normal(2 + i, *a.shape) / 2).astype(a.dtype) if is_float(a) else a + 3
        for i, a in enumerate(layer.carry)
    )
    return Case(layer.step, layer.params, carry, x_BTE)


def is_float(a) -> bool:
    return jnp.issubdtype(jnp.result_type(a), jnp.inexact)


def loss_of(final, y_BTH):
    """A loss in which every output and every float of the final carry counts, each differently."""
    weights = jnp.arange(1, y_BTH.size + 1).reshape(y_BTH.shape) / max(y_BTH.size, 1)
    return (weights * y_BTH**2).sum() + sum((a**3).real.sum() for a in final if is_float(a))


@functools.cache  # compiled once for all kinds of masks
def compiled(step, level, options):
    def loss(params, carry, x_BTE, mask):
        out = scan(step, params, carry, x_BTE, mask, **dict(options))
        return loss_of(*out), out

    # Of integers, an index table or a counter, there are gradients of type float0.
    grad = jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True, allow_int=True)
    return jax.jit(grad, compiler_options=dict(level))


def value_and_grads(case: Case, mask, level: dict | None = None, **options):
    """(final carry, outputs), and the gradients of all floats of (params, carry, x_BTE).

    ``level`` are the compiler's options, by default those of the suite.
    """
    step, *arrays = case
    run = compiled(step, tuple((level or {}).items()), tuple(sorted(options.items())))
    (_, out), grads = run(*arrays, mask)
    return out, jax.tree.map(lambda a: a if is_float(a) else None, grads)


@functools.cache
def _compiled_loop(step):
    def run(params, carry, x_BTE, mask_BT):
        outputs = []
        for t in range(x_BTE.shape[1]):
            carry = recurrence.packing.where(mask_BT[:, t], step(params, carry, x_BTE[:, t]), carry)
            outputs.append(carry[0])
        return carry, jnp.stack(outputs, 1)

    return jax.jit(run)


def loop(case: Case, mask_BT):
    """Step by step in Python: what the scan must equal."""
    step, *arrays = case
    return _compiled_loop(step)(*arrays, mask_BT)


def assert_close(got, want, atol=2e-6):
    """Each array to ``atol``, or that share of its largest entry where that is more."""

    def close(a, b):
        scale = max(1.0, np.abs(b).max(initial=0))
        np.testing.assert_allclose(a, b, atol=atol * scale, rtol=0)

    assert jax.tree.structure(got) == jax.tree.structure(want)
    jax.tree.map(close, got, want)


def assert_same(got, want):
    """To the bit."""
    assert jax.tree.structure(got) == jax.tree.structure(want)
    jax.tree.map(np.testing.assert_array_equal, got, want)
