"""From every step's output to one vector for a review: the last, the mean, or the largest.

Only real steps count, wherever they stand. A row without any has the output of the initial carry,
as ``last`` has it too.
"""

from typing import Literal

import jax
import jax.numpy as jnp

from rnnsent.arrays import Array
from rnnsent.kernels import packing

Pooling = Literal["last", "mean", "max"]


def pooled(pooling: Pooling, last_BH: Array, y_BTH: Array, mask: Array | None) -> Array:
    """The mean or the maximum over a row's real steps, (B, H).

    Args:
      pooling: ``mean`` or ``max``, or ``last``, which is ``last_BH``.
      last_BH: the final carry's output; of a row without a real step the initial one's.
      y_BTH: outputs of all steps.
      mask: bool (B, T), int32 lengths (B,), or None where every step is real.
    """
    if pooling == "last":
        return last_BH
    real_BT1 = _real(mask, y_BTH)
    if pooling == "max":
        found_BH = jnp.where(real_BT1, y_BTH, -jnp.inf).max(1, initial=-jnp.inf)
    else:
        found_BH = jnp.where(real_BT1, y_BTH, 0).sum(1) / jnp.maximum(real_BT1.sum(1), 1)
    return jnp.where(real_BT1.any(1), found_BH, last_BH)


def running(pooling: Pooling, y_BTH: Array, mask: Array | None) -> Array:
    """What :func:`pooled` would be if the row ended at each step, (B, T, H).

    Before a row's first real step it is the initial output, which masked steps repeat.
    """
    if pooling == "last":
        return y_BTH
    real_BT1 = _real(mask, y_BTH)
    count_BT1 = jnp.cumsum(real_BT1, axis=1)
    if pooling == "max":
        found_BTH = jax.lax.cummax(jnp.where(real_BT1, y_BTH, -jnp.inf), axis=1)
    else:
        sum_BTH = jnp.cumsum(jnp.where(real_BT1, y_BTH, 0), axis=1)
        found_BTH = sum_BTH / jnp.maximum(count_BT1, 1)
    return jnp.where(count_BT1 > 0, found_BTH, y_BTH)


def _real(mask: Array | None, y_BTH: Array) -> Array:
    if mask is None:
        return jnp.ones((*y_BTH.shape[:2], 1), bool)
    mask_BT = packing.mask_of(mask, y_BTH.shape[1]) if mask.ndim == 1 else mask
    return mask_BT[..., None]
