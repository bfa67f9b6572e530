"""Several sequences in one row: a step whose carry can start anew."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from rnnsent.arrays import Array, Carry, Pairs, Params, Step
from rnnsent.kernels import associative, packing


@dataclasses.dataclass(frozen=True)
class Resetting:
    """A step before which the carry may return to ``first``, and which need not be real.

    Its params are the step's and ``first``; its inputs the step's, bool (B,) where the carry
    returns, and bool (B,) where the step is real.
    """

    step: Step

    def __call__(self, all_params: Params, carry: Carry, inputs: Any) -> Carry:
        params, first = all_params
        x_B, reset_B, real_B = inputs
        carry = packing.where(reset_B, first, carry)
        return packing.where(real_B, self.step(params, carry, x_B), carry)

    @property
    def affine(self) -> Any:
        """The method of an affine step, or None."""
        return self._affine if associative.is_affine(self.step) else None

    def _affine(self, all_params: Params, inputs: Any) -> Pairs:
        params, first = all_params
        x_B, reset_B, real_B = inputs
        pairs = self.step.affine(params, x_B)  # type: ignore[attr-defined]  # an AffineStep
        inner = first[-len(pairs) :]

        def anew(a, b, c):
            same = jnp.ones_like(a), jnp.zeros_like(b)
            a, b = packing.where(real_B, (a, b), same)
            return packing.where(reset_B, (jnp.zeros_like(a), a * c + b), (a, b))

        return tuple(anew(a, b, c) for (a, b), c in zip(pairs, inner, strict=True))

    def complete(self, all_params: Params, inner: Carry, inputs: Any) -> Carry:
        params, first = all_params
        x_B, _, real_B = inputs
        # A step that is not real is here for its reset, after which the carry is the first.
        completed = self.step.complete(params, inner, x_B)  # type: ignore[attr-defined]
        return packing.where(real_B, completed, first)


def resetting(
    step: Step, params: Params, first: Carry, x_BT: Any, reset_BT: Array, mask_BT: Array | None
) -> tuple[Step, Params, Any, Array]:
    """A recurrence with resets as one without: its step, params, inputs and mask.

    A masked step before which the carry returns counts as a step, which only does that.
    """
    real_BT = jnp.ones_like(reset_BT) if mask_BT is None else mask_BT
    inputs = x_BT, reset_BT, real_BT
    return Resetting(step), (params, first), inputs, real_BT | reset_BT


def backwards(reset_BT: Array) -> Array:
    """The same sequences read from the last step to the first: each begins after its end."""
    return jax.lax.pad(reset_BT[:, 1:], False, [(0, 0, 0), (0, 1, 0)])
