"""The recurrence over right-padded rows of known lengths: only as many steps as the longest has.

A loop of ``max(length_B)`` steps, found when it runs, cannot be differentiated by ``lax.scan``'s
rules, so the backward pass is written here: it keeps the carries, and recomputes each step's
insides from them (the trade of Chen et al., arXiv:1604.06174, at the grain of one step). It takes
any step function; forward mode and second derivatives take ``recurrence.scan``'s plain path.
"""

import functools

import jax
import jax.numpy as jnp

from rnnsent.cells import Array, Carry, Params, Step


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 5))
def scan(
    step: Step, params: Params, carry: Carry, x_TBE: Array, length_B: Array, sequences: bool = True
) -> tuple[Carry, Array | None]:
    """Runs ``step`` over the first ``length_B`` steps of each row.

    Args:
      step: ``step(params, carry, x_BE) -> carry``; it may close over no traced value.
      params: any pytree.
      carry: the initial carry, a tuple of (B, ...) arrays.
      x_TBE: inputs, finite everywhere.
      length_B: int32, real steps of each row.
      sequences: whether to return every step's output.

    Returns:
      The final carry, and (T, B, H) outputs or None. Outputs from a row's length on
      mean nothing; ``packing.unpack`` never reads them.
    """
    carry, carries = _forward(step, params, carry, x_TBE, length_B)
    return carry, _outputs(carries, sequences)


def _forward(step, params, carry, x_TBE, length_B):
    """The final carry, and all carries from the initial to the final one, (T + 1, B, ...)."""
    steps = length_B.max(initial=0)

    def one(t, state):
        carry, carries = state
        carries = jax.tree.map(lambda all_, a: all_.at[t].set(a), carries, carry)
        return _masked(step, params, carry, x_TBE[t], t < length_B), carries

    carries = jax.tree.map(lambda a: jnp.zeros((len(x_TBE) + 1, *a.shape), a.dtype), carry)
    carry, carries = jax.lax.fori_loop(0, steps, one, (carry, carries))
    return carry, jax.tree.map(lambda all_, a: all_.at[steps].set(a), carries, carry)


def _masked(step, params, carry, x_BE, real_B):
    def keep(new, old):
        return jnp.where(real_B.reshape(real_B.shape + (1,) * (new.ndim - 1)), new, old)

    return jax.tree.map(keep, step(params, carry, x_BE), carry)


def _outputs(carries, sequences):
    return carries[0][1:] if sequences else None


def _scan_forward(step, params, carry, x_TBE, length_B, sequences):
    carry, carries = _forward(step, params, carry, x_TBE, length_B)
    return (carry, _outputs(carries, sequences)), (params, carries, x_TBE, length_B)


def _scan_backward(step, sequences, kept, cotangents):
    params, carries, x_TBE, length_B = kept
    dcarry, dy_TBH = cotangents
    steps = length_B.max(initial=0)

    def one(i, state):
        t = steps - 1 - i
        dcarry, dparams, dx_TBE = state
        if sequences:
            dcarry = (dcarry[0] + dy_TBH[t], *dcarry[1:])
        before = jax.tree.map(lambda all_: all_[t], carries)
        real_B = t < length_B
        _, pull = jax.vjp(
            lambda params, carry, x_BE: _masked(step, params, carry, x_BE, real_B),
            params,
            before,
            x_TBE[t],
        )
        dparams_t, dcarry, dx_BE = pull(dcarry)
        return dcarry, jax.tree.map(jnp.add, dparams, dparams_t), dx_TBE.at[t].set(dx_BE)

    zeros = jax.tree.map(jnp.zeros_like, (params, x_TBE))
    dcarry, dparams, dx_TBE = jax.lax.fori_loop(0, steps, one, (dcarry, *zeros))
    return dparams, dcarry, dx_TBE, None


scan.defvjp(_scan_forward, _scan_backward)
