"""What everything shares: the axes in names, the types, and the matrix product of a step.

A name ends in its axes, one capital for each:

B rows of a batch, T steps of time, E what enters a layer, H what leaves it, G gates side by side,
V vocabulary, S seeds, N rows of a dataset, K batches of an epoch, D distance from a row's end,
P points on a path. A lower-case letter is a part of that axis. Scalars and pytrees are bare.
"""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array
Held = Array | np.ndarray
"""On a device, or on the host on its way there."""
Params = Any
Carry = tuple[Array, ...]
Step = Callable[[Params, Carry, Array], Carry]
Pairs = tuple[tuple[Array, Array], ...]
"""Of each array of a carry c the (a, b) of an affine step c' = a c + b."""


def applied(pairs: Pairs, carry: Carry) -> Carry:
    """The carry after an affine step."""
    return tuple(a * c + b for (a, b), c in zip(pairs, carry, strict=True))


def save(path: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by name, as ``numpy.load`` reads them."""
    np.savez(path, **arrays)  # type: ignore[arg-type]  # none is called allow_pickle


def described(tree: Any) -> str:
    """Dtypes and shapes of a pytree of arrays, in its structure, for messages."""
    return str(jax.tree.map(lambda a: f"{jnp.result_type(a)}{list(jnp.shape(a))}", tree))


def is_float(a: Any) -> bool:
    """Whether an array, or the description of one, holds numbers that have a gradient."""
    return jnp.issubdtype(jnp.result_type(a), jnp.inexact)


@jax.custom_jvp
def matmul(a: Array, b: Array) -> Array:
    """``a @ b``, with a gradient of ``b`` that a CPU computes fast.

    That gradient, ``a.T @ g``, contracts the leading axis of both operands. XLA's fast CPU products
    take a left operand in rows only, so this one, a third of all arithmetic in training, would fall
    to a slower routine (on one AVX2 core 57 against 79 GFLOP/s at 256 rows, 160 and 512 columns).
    Transposing ``a`` first, which is small, lets all three take the fast one. ``@`` is as right.
    """
    return a @ b


@matmul.defjvp
def _matmul_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    a, b = primals
    da, db = tangents
    left = a
    if a.ndim == b.ndim == 2 and jax.default_backend() == "cpu":
        # The barrier keeps the compiler from folding the two transpositions.
        left = jax.lax.optimization_barrier(a.T).T
    # As operators, in which a policy of ``jax.checkpoint`` sees a product worth keeping.
    return a @ b, da @ b + left @ db
