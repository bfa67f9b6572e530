"""The pullback of one step taken apart: what is expensive is kept, the rest is made again.

A pullback of :func:`jax.vjp` is a pytree whose leaves are what its backward pass reads.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from rnnsent.arrays import Array, Carry, Params, Step
from rnnsent.kernels import plain

Tree = Any
Keep = Callable[[Carry, Tree, Tree], Tree]
"""``keep(new, pull, inputs)`` is what is kept of a step, as :func:`nothing` and :func:`expensive`
are: given its new carry, its pullback and its inputs."""


def linearised(step: Step, params: Params, carry: Carry, x_B: Tree) -> tuple[Carry, Tree]:
    """The next carry, and the step's pullback with only expensive results among its leaves."""
    # The loop keeps the compiler from merging the two computations.
    lean = jax.checkpoint(step, policy=plain.keep_expensive, prevent_cse=False)
    return jax.vjp(lean, params, carry, x_B)


def advance(step: Step, keep: Keep, params: Params, carry: Carry, x_B: Tree) -> tuple[Carry, Tree]:
    """The next carry, and what is kept of the step."""
    new, pull = linearised(step, params, carry, x_B)
    return new, keep(new, pull, (params, carry, x_B))


def nothing(new: Carry, pull: Tree, inputs: Tree) -> list:
    """Keeps nothing beside the carries."""
    del new, pull, inputs
    return []


def expensive(new: Carry, pull: Tree, inputs: Tree) -> list[Array]:
    """The leaves of a pullback that are neither inputs nor outputs: those are at hand later."""
    known = jax.tree.leaves((inputs, new))
    return [a for a in jax.tree.leaves(pull) if _find(a, known) is None]


def filled(new: Carry, pull: Tree, inputs: Tree, after: Carry, kept_t: Sequence[Array]) -> Tree:
    """A pullback made again from its step's inputs, with results of the forward pass put in.

    The compiler then drops what would have computed them. ``after`` stands for the new carry; in
    masked rows it is the old one, where the cotangents are zero.
    """
    leaves, treedef = jax.tree.flatten(pull)
    known, made, later = (jax.tree.leaves(tree) for tree in (inputs, new, after))
    rest = iter(kept_t)
    out = []
    for leaf in leaves:
        place = _find(leaf, made)
        if _find(leaf, known) is not None:
            out.append(leaf)
        else:
            out.append(next(rest) if place is None else later[place])
    return jax.tree.unflatten(treedef, out)


def _find(a: Array, others: Sequence[Array]) -> int | None:
    return next((i for i, other in enumerate(others) if a is other), None)
