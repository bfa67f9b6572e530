"""The recurrence over only as many steps as the longest row has, with a backward pass of its own.

Each row's real steps are moved together. A loop of ``max(length_B)`` steps, found when it runs,
cannot be differentiated by ``lax.scan``'s rules, so the backward pass is written here, for any step
function. It keeps the carries and what is expensive to compute again, the results of products and
transcendental functions, and computes the rest of each step once more (the trade of Chen et al.,
arXiv:1604.06174, at the grain of one step).

Second derivatives, forward over reverse and reverse over reverse, go through ``lax.scan``. Forward
mode alone (``jax.jvp``, ``jax.jacfwd``) is not defined here; ``kernels.plain`` has it.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from rnnsent.arrays import Array, Carry, Params, Step
from rnnsent.kernels import packing, pullbacks
from rnnsent.kernels.cotangents import floats, restored, zero

Tree = Any


def scan(
    step: Step,
    params: Params,
    carry: Carry,
    x_BT: Tree,
    mask: Array | None,
    sequences: bool,
    *,
    scratch: Tree = None,
) -> tuple[Carry, Array | None]:
    """Runs ``step`` under the contract of :mod:`rnnsent.recurrence`, whose arguments it takes.

    Args:
      step: see there, as the arguments up to ``sequences``; padding holds zeros. It may close over
        no value that is being differentiated.
      params: of the step.
      carry: the initial one.
      x_BT: inputs, a pytree of (B, T, ...).
      mask: bool (B, T), int32 lengths (B,), or None.
      sequences: whether to return every step's output.
      scratch: memory from :func:`scratch` for what the backward pass needs; its content does not
        matter. Its cotangent is that memory as it was used, to be given to the next call: then
        nothing is allocated, cleared or copied between the passes of a loop.

    Raises:
      ValueError: in reverse mode, for scratch memory made for other shapes.
    """
    x_BT, length_B, mask_BT = packing.packed(x_BT, mask)
    first_BH = carry[0]
    carry, y_TBH = _scan(
        step, sequences, params, carry, packing.time_first(x_BT), length_B, scratch
    )
    return carry, packing.unpack(
        packing.time_first(y_TBH), first_BH, mask_BT
    ) if sequences else None


def scratch(step: Step, params: Params, carry: Carry, x_BT: Tree) -> Tree:
    """Memory for one reverse-mode :func:`scan` of these arguments, or of others of their shapes."""
    return _zeros(step, pullbacks.expensive, params, carry, packing.time_first(x_BT))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _scan(
    step: Step,
    sequences: bool,
    params: Params,
    carry: Carry,
    x_TB: Tree,
    length_B: Array,
    scratch: Tree,
) -> tuple[Carry, Array | None]:
    """The final carry, and (T, B, H) outputs or None.

    Outputs from a row's length on mean nothing; ``packing.unpack`` never reads them.
    """
    if not sequences:
        return _final(step, params, carry, x_TB, length_B), None
    carries, _ = _forward(step, pullbacks.nothing, params, carry, x_TB, length_B, None)
    return _get(carries, length_B.max(initial=0)), carries[0][1:]


def _final(step: Step, params: Params, carry: Carry, x_TB: Tree, length_B: Array) -> Carry:
    """The final carry alone; nothing else is written."""

    def body(t, carry):
        return packing.where(t < length_B, step(params, carry, _get(x_TB, t)), carry)

    return jax.lax.fori_loop(0, length_B.max(initial=0), body, carry)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _forward(
    step: Step,
    keep: pullbacks.Keep,
    params: Params,
    carry: Carry,
    x_TB: Tree,
    length_B: Array,
    scratch: Tree,
) -> tuple[Carry, Tree]:
    """All carries from the initial to the final one, (T + 1, B, ...), and (T, ...) of what
    ``keep(new, pull, inputs)`` keeps of each step."""

    def body(t, state):
        carry, carries, kept = state
        new, kept_t = pullbacks.advance(step, keep, params, carry, _get(x_TB, t))
        carry = packing.where(t < length_B, new, carry)
        return carry, _put(carries, t + 1, carry), _put(kept, t, kept_t)

    carries, kept = _zeros(step, keep, params, carry, x_TB) if scratch is None else scratch
    state = carry, _put(carries, 0, carry), kept
    _, carries, kept = jax.lax.fori_loop(0, length_B.max(initial=0), body, state)
    return carries, kept


@_forward.defjvp
def _forward_jvp(
    step: Step, keep: pullbacks.Keep, primals: tuple, tangents: tuple
) -> tuple[Tree, Tree]:
    """Differentiates the carries by ``lax.scan``'s rules; nothing differentiates what was kept."""
    arguments, length_B = primals[:-2], primals[-2]
    carries, kept = _forward(step, keep, *primals)

    def plainly(params, carry, x_TB):
        _, later = _plain(step, params, carry, x_TB, length_B, lambda carry: carry)
        return jax.tree.map(lambda a, after: jnp.concatenate([a[None], after]), carry, later)

    _, dcarries = jax.jvp(plainly, arguments, tangents[:-2])
    return (carries, kept), (dcarries, jax.tree.map(zero, kept))


def _zeros(
    step: Step, keep: pullbacks.Keep, params: Params, carry: Carry, x_TB: Tree
) -> tuple[Carry, Tree]:
    x_B = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), x_TB)
    _, kept = jax.eval_shape(functools.partial(pullbacks.advance, step, keep), params, carry, x_B)
    steps = jax.tree.leaves(x_TB)[0].shape[0]

    def over_time(steps, tree):
        return jax.tree.map(lambda a: jnp.zeros((steps, *a.shape), a.dtype), tree)

    return over_time(steps + 1, carry), over_time(steps, kept)


def _get(tree_T: Tree, t: Array | int) -> Tree:
    return jax.tree.map(lambda a: a[t], tree_T)


def _put(tree_T: Tree, t: Array | int, new: Tree) -> Tree:
    return jax.tree.map(lambda a, new: a.at[t].set(new), tree_T, new)


def _scan_forward(
    step: Step,
    sequences: bool,
    params: Params,
    carry: Carry,
    x_TB: Tree,
    length_B: Array,
    scratch: Tree,
) -> tuple[tuple[Carry, Array | None], Tree]:
    if scratch is not None:
        _check_scratch(
            scratch,
            jax.eval_shape(
                functools.partial(_zeros, step, pullbacks.expensive), params, carry, x_TB
            ),
        )
    carries, kept = _forward(step, pullbacks.expensive, params, carry, x_TB, length_B, scratch)
    out = _get(carries, length_B.max(initial=0)), carries[0][1:] if sequences else None
    unused = None if scratch is None else ()
    return out, (unused, (params, x_TB, length_B, carries, kept))


def _check_scratch(scratch: Tree, fits: Tree) -> None:
    if jax.tree.map(jnp.shape, scratch) != jax.tree.map(jnp.shape, fits):
        raise ValueError(
            "the scratch memory was made for other shapes or another step; make it with "
            "scratch(step, params, carry, x_BT) from these arguments"
        )


def _scan_backward(step: Step, sequences: bool, saved: Tree, given: Tree) -> tuple:
    unused, saved = saved
    params, x_TB, _, carries, kept = saved
    grads = _gradients(step, sequences, *saved, floats(given))
    likes = params, _get(carries, 0), x_TB
    used = None if unused is None else restored((carries, kept), floats((carries, kept)))
    return *map(restored, likes, grads), None, used


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _gradients(
    step: Step,
    sequences: bool,
    params: Params,
    x_TB: Tree,
    length_B: Array,
    carries: Carry,
    kept: Tree,
    given: list[Array],
) -> tuple[list[Array], list[Array], list[Array]]:
    """Cotangents of params, initial carry and inputs from those ``given`` of the results: of their
    arrays of floats, in order."""
    carry = _get(carries, 0)
    # The cotangents of the final carry, and of the outputs, which stand last.
    dcarry, dy_TBH = (given[:-1], given[-1]) if sequences else (given, None)
    steps = length_B.max(initial=0)

    def body(i, state):
        t = steps - 1 - i
        dcarry, dparams, dx_TB = state
        if dy_TBH is not None:
            dcarry = [dcarry[0] + dy_TBH[t], *dcarry[1:]]
        inputs = (params, _get(carries, t), _get(x_TB, t))
        new, pull = pullbacks.linearised(step, *inputs)
        pull = pullbacks.filled(new, pull, inputs, _get(carries, t + 1), _get(kept, t))
        none = jax.tree.map(jnp.zeros_like, dcarry)
        dnew = packing.where(t < length_B, dcarry, none)
        dparams_t, dbefore, dx_B = map(floats, pull(restored(carry, dnew)))
        dcarry = jax.tree.map(jnp.add, dbefore, packing.where(t < length_B, none, dcarry))
        return dcarry, jax.tree.map(jnp.add, dparams, dparams_t), _put(dx_TB, t, dx_B)

    zeros = jax.tree.map(jnp.zeros_like, (floats(params), floats(x_TB)))
    dcarry, dparams, dx_TB = jax.lax.fori_loop(0, steps, body, (dcarry, *zeros))
    return dparams, dcarry, dx_TB


@_gradients.defjvp
def _gradients_jvp(
    step: Step, sequences: bool, primals: tuple, tangents: tuple
) -> tuple[Tree, Tree]:
    """Differentiates the same gradients by ``lax.scan``'s rules."""

    def output(carry):
        return carry[0] if sequences else None

    def plainly(params, carry, x_TB, given):
        def run(params, carry, x_TB):
            return _plain(step, params, carry, x_TB, primals[2], output)

        out, pull = jax.vjp(run, params, carry, x_TB)
        return tuple(map(floats, pull(restored(out, given))))

    def arguments(values):
        params, x_TB, _, carries, _, given = values
        return params, _get(carries, 0), x_TB, given

    return jax.jvp(plainly, arguments(primals), arguments(tangents))


def _plain(
    step: Step,
    params: Params,
    carry: Carry,
    x_TB: Tree,
    length_B: Array,
    output: Callable[[Carry], Tree],
) -> tuple[Carry, Tree]:
    def body(carry, t_and_x):
        t, x_B = t_and_x
        carry = packing.where(t < length_B, step(params, carry, x_B), carry)
        return carry, output(carry)

    steps = jax.tree.leaves(x_TB)[0].shape[0]
    return jax.lax.scan(body, carry, (jnp.arange(steps), x_TB))


_scan.defvjp(_scan_forward, _scan_backward)
