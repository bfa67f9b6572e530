"""Cotangents of trees that also hold integers and flags.

Those (a counter in a carry, an index table among parameters) have no gradient: JAX gives them
cotangents of a type that no loop can carry, float0. Loops therefore carry the floats alone.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnnsent.arrays import Array, is_float


def floats(tree: Any) -> list[Array]:
    """The arrays of a tree that have a gradient."""
    return [a for a in jax.tree.leaves(tree) if is_float(a)]


def restored(like: Any, floats: Sequence[Array]) -> Any:
    """A cotangent of ``like`` from those of its arrays of floats."""
    rest = iter(floats)
    return jax.tree.map(lambda a: next(rest) if is_float(a) else zero(a), like)


def zero(a: Array) -> Array | np.ndarray:
    """The cotangent, or tangent, that is zero."""
    return jnp.zeros_like(a) if is_float(a) else np.zeros(jnp.shape(a), jax.dtypes.float0)
