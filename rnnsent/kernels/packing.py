"""Any mask as right-padded rows of known lengths, and back.

Packing moves each row's real steps to the front, in order. Masked steps keep the carry, so the
recurrence over the packed rows passes through the same states.
"""

import jax
import jax.numpy as jnp

from rnnsent.cells import Array, Carry


def where(real_B: Array, new: Carry, old: Carry) -> Carry:
    """``new`` in the rows whose step is real, ``old`` in the others; arrays (B, ...)."""

    def select(new, old):
        return jnp.where(real_B.reshape(real_B.shape + (1,) * (new.ndim - 1)), new, old)

    return jax.tree.map(select, new, old)


def pack(x_BTE: Array, mask_BT: Array) -> tuple[Array, Array]:
    """Real steps first, in order, zeros after them; and how many each row has, int32 (B,)."""
    order_BT = jnp.argsort(~mask_BT, axis=1, stable=True)
    length_B = mask_BT.sum(1, dtype=jnp.int32)
    packed_BTE = jnp.take_along_axis(x_BTE, order_BT[..., None], axis=1)
    real_BT = jnp.arange(mask_BT.shape[1]) < length_B[:, None]
    return jnp.where(real_BT[..., None], packed_BTE, 0), length_B


def unpack(y_BTH: Array, first_BH: Array, mask_BT: Array) -> Array:
    """Packed outputs back at their places; a masked step repeats the last output before it.

    Args:
      y_BTH: outputs of the packed rows.
      first_BH: what stands before a row's first real step, the initial carry's output.
      mask_BT: bool, the mask the rows were packed with.
    """
    seen_BT = jnp.cumsum(mask_BT, axis=1)  # real steps up to and with this one
    y_BTH = jnp.concatenate([first_BH[:, None], y_BTH], axis=1)
    return jnp.take_along_axis(y_BTH, seen_BT[..., None], axis=1)
