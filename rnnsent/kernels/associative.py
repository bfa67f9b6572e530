"""Steps that are affine in their carry, all of them at once by ``lax.associative_scan``.

A step c' = a c + b, element by element, followed by another is a step of the same kind,
a2 (a1 c + b1) + b2, so T of them take about log2 T rounds of larger operations instead of T small
ones (Blelloch, 1990; for recurrent networks Martin & Cundy, arXiv:1709.04057).

A step says that it is affine by two methods beside its call:

* ``affine(params, x_B)`` gives a pair (a, b) for each of the *last* arrays of its carry, in order;
  ``a`` has ``b``'s number of axes and broadcasts against it;
* ``complete(params, inner, x_B)`` gives the whole carry from those arrays after the step; what
  stands before them (an output) may follow from them in any way.
"""

from typing import Any, Protocol, TypeGuard

import jax
import jax.numpy as jnp

from rnnsent.arrays import Array, Carry, Pairs, Params, Step, applied
from rnnsent.kernels import packing


class AffineStep(Protocol):
    """A step with the two methods of the module."""

    def __call__(self, params: Params, carry: Carry, x_B: Any) -> Carry: ...

    def affine(self, params: Params, x_B: Any) -> Pairs: ...

    def complete(self, params: Params, inner: Carry, x_B: Any) -> Carry: ...


def is_affine(step: Step) -> TypeGuard[AffineStep]:
    """Whether a step says how it composes."""
    return getattr(step, "affine", None) is not None


def compose(first: Pairs, then: Pairs) -> Pairs:
    """Both steps as one."""
    return tuple((a2 * a1, a2 * b1 + b2) for (a1, b1), (a2, b2) in zip(first, then, strict=True))


def scan(
    step: Step, params: Params, carry: Carry, x_BT: Any, mask: Array | None, sequences: bool
) -> tuple[Carry, Array | None]:
    """Runs ``step`` under the contract of :mod:`rnnsent.recurrence`, whose arguments it takes.

    Masked steps are packed away before, so that they repeat the carry to the bit: another order of
    composition rounds differently.

    Raises:
      ValueError: for a step that does not say that it is affine in its carry.
    """
    if not is_affine(step):
        raise ValueError(
            "the implementation associative needs a step that is affine in its carry and says so "
            "by a method affine(params, x); choose another one for this step"
        )
    x_BT, length_B, mask_BT = packing.packed(x_BT, mask)
    later_BT = _states(step, params, carry, x_BT)
    final = jax.tree.map(lambda c, later_BT: _at(c, later_BT, length_B), carry, later_BT)
    return final, packing.unpack(later_BT[0], carry[0], mask_BT) if sequences else None


def _states(step: AffineStep, params: Params, carry: Carry, x_BT: Any) -> Carry:
    """The carry after each step, arrays (B, T, ...), as if every step were real."""
    pairs = jax.vmap(step.affine, (None, 1), 1)(params, x_BT)
    first = applied(jax.tree.map(lambda a: a[:, 0], pairs), carry[-len(pairs) :])
    # The first step has its carry already: what comes before it no longer counts.
    pairs = tuple((a, b.at[:, 0].set(c)) for (a, b), c in zip(pairs, first, strict=True))
    inner = tuple(b for _, b in jax.lax.associative_scan(compose, pairs, axis=1))
    return jax.vmap(step.complete, (None, 1, 1), 1)(params, inner, x_BT)


def _at(first_B: Array, later_BT: Array, length_B: Array) -> Array:
    """The state after ``length_B`` steps; 0 is the one before the first."""
    last_B = packing.take(later_BT, jnp.maximum(length_B - 1, 0)[:, None])[:, 0]
    return packing.where(length_B > 0, last_B, first_B)
