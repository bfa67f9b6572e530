"""The recurrence as ``lax.scan`` over every step: differentiable in every way JAX knows."""

from typing import Any

import jax
import jax.numpy as jnp

from rnnsent.arrays import Array, Carry, Params, Step
from rnnsent.kernels import packing

TRANSCENDENTAL = frozenset(
    ("tanh", "logistic", "exp", "exp2", "expm1", "log", "log1p", "sin", "cos", "tan", "erf", "pow")
)
"""Primitives of one element each that cost as much as many multiplications."""

EXPENSIVE = TRANSCENDENTAL | {"dot_general", "conv_general_dilated"}
"""Primitives whose results cost more to compute again than to keep for the backward pass."""


def keep_expensive(primitive: Any, *operands: Any, **_: Any) -> bool:
    """A policy of ``jax.checkpoint``: only what is expensive is kept, the rest computed again.

    JAX cannot keep complex numbers (it rounds what it keeps by ``lax.reduce_precision``).
    """
    return primitive.name in EXPENSIVE and not any(map(jnp.iscomplexobj, operands))


def scan(
    step: Step,
    params: Params,
    carry: Carry,
    x_BT: Any,
    mask: Array | None,
    sequences: bool,
    *,
    keep: str = "carries",
    unroll: int = 1,
) -> tuple[Carry, Array | None]:
    """Runs ``step`` under the contract of :mod:`rnnsent.recurrence`, whose arguments it takes.

    Args:
      step: see there, as the arguments up to ``sequences``; padding holds zeros.
      params: of the step.
      carry: the initial one.
      x_BT: inputs, a pytree of (B, T, ...).
      mask: bool (B, T), int32 lengths (B,), or None.
      sequences: whether to return every step's output.
      keep: for the backward pass: the ``carries`` alone (least memory), what is ``expensive`` to
        compute again, or ``all``, which is plain autodiff.
      unroll: steps in one iteration of the compiled loop.
    """
    if mask is not None and mask.ndim == 1:
        mask = packing.mask_of(mask, jax.tree.leaves(x_BT)[0].shape[1])

    def body(carry, x_and_mask):
        x_B, mask_B = x_and_mask
        new = step(params, carry, x_B)
        if mask_B is not None:
            new = packing.where(mask_B, new, carry)
        return new, new[0] if sequences else None

    if keep != "all":
        policy = keep_expensive if keep == "expensive" else None
        # The loop already keeps the compiler from merging the two computations.
        body = jax.checkpoint(body, policy=policy, prevent_cse=False)
    carry, y_TBH = jax.lax.scan(body, carry, packing.time_first((x_BT, mask)), unroll=unroll)
    return carry, packing.time_first(y_TBH) if sequences else None
