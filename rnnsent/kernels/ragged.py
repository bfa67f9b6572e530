"""The recurrence over right-padded rows of known lengths: only as many steps as the longest has.

A loop of ``max(length_B)`` steps, found when it runs, cannot be differentiated by ``lax.scan``'s
rules, so the backward pass is written here, for any step function. It keeps the carries and what is
dear to compute again, the results of products and transcendental functions, and computes the rest
of each step once more (the trade of Chen et al., arXiv:1604.06174, at the grain of one step).

Second derivatives, forward over reverse and reverse over reverse, go through ``lax.scan``. Forward
mode alone (``jax.jvp``, ``jax.jacfwd``) is not defined here; ``recurrence.scan``'s plain path has
it.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from rnnsent.cells import Array, Carry, Params, Step
from rnnsent.kernels import packing, products

_DEAR = frozenset({"dot_general", "conv_general_dilated", "tanh", "logistic", "exp", "log", "erf"})


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 5))
def scan(
    step: Step,
    params: Params,
    carry: Carry,
    x_TBE: Array,
    length_B: Array,
    sequences: bool = True,
    workspace: Any = None,
) -> tuple[Carry, Array | None]:
    """Runs ``step`` over the first ``length_B`` steps of each row.

    Args:
      step: ``step(params, carry, x_BE) -> carry``; it may close over no traced value.
      params: any pytree.
      carry: the initial carry, a tuple of (B, ...) arrays.
      x_TBE: inputs, finite everywhere.
      length_B: int32, real steps of each row.
      sequences: whether to return every step's output.
      workspace: memory from :func:`workspace` for what the backward pass needs; its content does
        not matter. Its cotangent is that memory as it was used, to be given to the next call:
        then nothing is allocated, cleared or copied between the passes of a loop.

    Returns:
      The final carry, and (T, B, H) outputs or None. Outputs from a row's length on
      mean nothing; ``packing.unpack`` never reads them.

    Raises:
      ValueError: in reverse mode, for a workspace made for other shapes.
    """
    if not sequences:
        return _final(step, params, carry, x_TBE, length_B), None
    carries, _ = _forward(step, _nothing, params, carry, x_TBE, length_B, None)
    return _last(carries, length_B), carries[0][1:]


def _final(step, params, carry, x_TBE, length_B):
    """The final carry alone; nothing else is written."""

    def one(t, carry):
        return packing.where(t < length_B, step(params, carry, x_TBE[t]), carry)

    return jax.lax.fori_loop(0, length_B.max(initial=0), one, carry)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _forward(step, keep, params, carry, x_TBE, length_B, workspace) -> Any:
    """All carries from the initial to the final one, (T + 1, B, ...), and (T, ...) of what
    ``keep(new, pull, inputs)`` keeps of each step."""

    def one(t, state):
        carry, carries, kept = state
        new, kept_t = _advance(step, keep, params, carry, x_TBE[t])
        carry = packing.where(t < length_B, new, carry)
        return carry, _put(carries, t + 1, carry), _put(kept, t, kept_t)

    if workspace is None:
        workspace = _workspace(step, keep, params, carry, x_TBE)
    carries, kept = workspace
    state = carry, _put(carries, 0, carry), kept
    _, carries, kept = jax.lax.fori_loop(0, length_B.max(initial=0), one, state)
    return carries, kept


@_forward.defjvp
def _forward_jvp(step, keep, primals, tangents):
    """Differentiates the carries by ``lax.scan``'s rules; nothing differentiates what was kept."""
    arguments, length_B = primals[:-2], primals[-2]
    carries, kept = _forward(step, keep, *primals)

    def plainly(params, carry, x_TBE):
        _, later = _plain(step, params, carry, x_TBE, length_B, lambda carry: carry)
        return jax.tree.map(lambda a, all_: jnp.concatenate([a[None], all_]), carry, later)

    _, dcarries = jax.jvp(plainly, arguments, tangents[:-2])
    return (carries, kept), (dcarries, jax.tree.map(jnp.zeros_like, kept))


def _advance(step, keep, params, carry, x_BE):
    new, pull = _linearised(step, params, carry, x_BE)
    return new, keep(new, pull, (params, carry, x_BE))


def workspace(step: Step, params: Params, carry: Carry, x_TBE: Array) -> Any:
    """Memory for one reverse-mode :func:`scan` of these arguments, or of others of their shapes."""
    return _workspace(step, _kept, params, carry, x_TBE)


def _workspace(step, keep, params, carry, x_TBE):
    _, kept = jax.eval_shape(
        functools.partial(_advance, step, keep), params, carry, jax.typeof(x_TBE[0])
    )

    def room(steps, tree):
        return jax.tree.map(lambda a: jnp.zeros((steps, *a.shape), a.dtype), tree)

    return room(len(x_TBE) + 1, carry), room(len(x_TBE), kept)


def _last(carries, length_B):
    return jax.tree.map(lambda all_: all_[length_B.max(initial=0)], carries)


def _put(all_, t, new):
    return jax.tree.map(lambda all_, a: all_.at[t].set(a), all_, new)


def _linearised(step, params, carry, x_BE):
    """The next carry, and the pullback with only dear results among its leaves."""
    lean = jax.checkpoint(
        products.substitute(step),
        policy=lambda primitive, *_, **__: primitive.name in _DEAR,
        prevent_cse=False,  # the loop keeps the compiler from merging the two computations
    )
    return jax.vjp(lean, params, carry, x_BE)


def _find(a, others) -> int | None:
    return next((i for i, other in enumerate(others) if a is other), None)


def _nothing(new, pull, inputs):
    """Keeps nothing beside the carries."""
    return []


def _kept(new, pull, inputs):
    """The leaves of a pullback that are neither inputs nor outputs: those are at hand later."""
    known = jax.tree.leaves((inputs, new))
    return [a for a in jax.tree.leaves(pull) if _find(a, known) is None]


def _filled(new, pull, inputs, after, kept_t):
    """A pullback made again from its step's inputs, with results of the forward pass put in.

    The compiler then drops what would have computed them. ``after`` stands for the new carry; in
    masked rows it is the old one, where the cotangents are zero.
    """
    leaves, treedef = jax.tree.flatten(pull)
    inputs, new, after = (jax.tree.leaves(tree) for tree in (inputs, new, after))
    rest = iter(kept_t)
    filled = []
    for leaf in leaves:
        place = _find(leaf, new)
        if _find(leaf, inputs) is not None:
            filled.append(leaf)
        else:
            filled.append(next(rest) if place is None else after[place])
    return treedef.unflatten(filled)


def _scan_forward(step, params, carry, x_TBE, length_B, sequences, given):
    if given is not None:
        _check_workspace(
            given, jax.eval_shape(functools.partial(workspace, step), params, carry, x_TBE)
        )
    carries, kept = _forward(step, _kept, params, carry, x_TBE, length_B, given)
    out = _last(carries, length_B), carries[0][1:] if sequences else None
    given = None if given is None else ()
    return out, (given, (params, x_TBE, length_B, carries, kept))


def _check_workspace(given, fits):
    if jax.tree.map(jnp.shape, given) != jax.tree.map(jnp.shape, fits):
        raise ValueError(
            "the workspace was made for other shapes or another step; make it with "
            "workspace(step, params, carry, x_TBE) from these arguments"
        )


def _scan_backward(step, sequences, saved, cotangents):
    given, saved = saved
    used = None if given is None else saved[-2:]
    return *_gradients(step, sequences, *saved, cotangents), None, used


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _gradients(step, sequences, params, x_TBE, length_B, carries, kept, cotangents) -> Any:
    """Cotangents of params, initial carry and inputs."""
    dcarry, dy_TBH = cotangents
    steps = length_B.max(initial=0)

    def one(i, state):
        t = steps - 1 - i
        dcarry, dparams, dx_TBE = state
        if sequences:
            dcarry = (dcarry[0] + dy_TBH[t], *dcarry[1:])
        before, after, kept_t = (
            jax.tree.map(lambda all_, at=at: all_[at], tree)
            for tree, at in ((carries, t), (carries, t + 1), (kept, t))
        )
        inputs = (params, before, x_TBE[t])
        pull = _filled(*_linearised(step, *inputs), inputs, after, kept_t)
        none = jax.tree.map(jnp.zeros_like, dcarry)
        dparams_t, dbefore, dx_BE = pull(packing.where(t < length_B, dcarry, none))
        dcarry = jax.tree.map(jnp.add, dbefore, packing.where(t < length_B, none, dcarry))
        return dcarry, jax.tree.map(jnp.add, dparams, dparams_t), _put(dx_TBE, t, dx_BE)

    zeros = jax.tree.map(jnp.zeros_like, (params, x_TBE))
    dcarry, dparams, dx_TBE = jax.lax.fori_loop(0, steps, one, (dcarry, *zeros))
    return dparams, dcarry, dx_TBE


@_gradients.defjvp
def _gradients_jvp(step, sequences, primals, tangents):
    """Differentiates the same gradients by ``lax.scan``'s rules."""

    def output(carry):
        return carry[0] if sequences else None

    def plainly(params, carry, x_TBE, cotangents):
        def run(params, carry, x_TBE):
            return _plain(step, params, carry, x_TBE, primals[2], output)

        return jax.vjp(run, params, carry, x_TBE)[1](cotangents)

    def arguments(values):
        params, x_TBE, _, carries, _, cotangents = values
        return params, jax.tree.map(lambda all_: all_[0], carries), x_TBE, cotangents

    return jax.jvp(plainly, arguments(primals), arguments(tangents))


def _plain(step, params, carry, x_TBE, length_B, output):
    def body(carry, t_and_x):
        t, x_BE = t_and_x
        carry = packing.where(t < length_B, step(params, carry, x_BE), carry)
        return carry, output(carry)

    return jax.lax.scan(body, carry, (jnp.arange(len(x_TBE)), x_TBE))


scan.defvjp(_scan_forward, _scan_backward)
