"""Any mask as right-padded rows of known lengths, and back.

Packing moves each row's real steps to the front, in order. Masked steps keep the carry, so the
recurrence over the packed rows passes through the same states.
"""

from typing import Any

import jax
import jax.numpy as jnp

from rnnsent.arrays import Array


def where(real_B: Array, new: Any, old: Any) -> Any:
    """``new`` in the rows whose step is real, ``old`` in the others; pytrees of (B, ...)."""

    def select(new, old):
        return jnp.where(real_B.reshape(real_B.shape + (1,) * (new.ndim - real_B.ndim)), new, old)

    return jax.tree.map(select, new, old)


def time_first(tree: Any) -> Any:
    """(B, T, ...) to (T, B, ...), and back, for every array of a pytree."""
    return jax.tree.map(lambda a: jnp.swapaxes(a, 0, 1), tree)


def mask_of(length_B: Array, steps: int) -> Array:
    """The mask (B, T) of right-padded rows."""
    return jnp.arange(steps) < length_B[:, None]


def zero_padding(x_BT: Any, mask_BT: Array) -> Any:
    """Inputs, a pytree of (B, T, ...), with zeros where a step is not real."""
    return where(mask_BT, x_BT, jax.tree.map(jnp.zeros_like, x_BT))


def pack(x_BT: Any, mask_BT: Array) -> tuple[Any, Array]:
    """Real steps first, in order, and how many each row has, int32 (B,)."""
    order_BT = jnp.argsort(~mask_BT, axis=1, stable=True)
    packed = jax.tree.map(lambda a: take(a, order_BT), x_BT)
    return packed, mask_BT.sum(1, dtype=jnp.int32)


def packed(x_BT: Any, mask: Array | None) -> tuple[Any, Array, Array]:
    """Rows under any mask with their real steps first, how many each has, and the mask (B, T).

    ``mask`` is bool (B, T), int32 lengths (B,) of rows that are so already, or None.
    """
    rows, steps = jax.tree.leaves(x_BT)[0].shape[:2]
    mask = jnp.full(rows, steps, jnp.int32) if mask is None else mask
    if mask.ndim == 1:
        return x_BT, mask, mask_of(mask, steps)
    return *pack(x_BT, mask), mask


def unpack(y_BTH: Array, first_BH: Array, mask_BT: Array) -> Array:
    """Packed outputs back at their places; a masked step repeats the last output before it.

    Args:
      y_BTH: outputs of the packed rows.
      first_BH: what stands before a row's first real step, the initial carry's output.
      mask_BT: bool, the mask the rows were packed with.
    """
    seen_BT = jnp.cumsum(mask_BT, axis=1)  # real steps up to and with this one
    y_BTH = jnp.concatenate([first_BH[:, None], y_BTH], axis=1)
    return take(y_BTH, seen_BT)


def take(a_BT: Array, step_BT: Array) -> Array:
    """Of each row of (B, T, ...) the steps with these numbers."""
    return jnp.take_along_axis(a_BT, step_BT.reshape(step_BT.shape + (1,) * (a_BT.ndim - 2)), 1)
