"""The recurrent part of a layer as one GPU kernel: a whole walk over time in a single launch.

The input projection x K + b needs no state, so it is one large product outside; so is the gradient
of the recurrent weights, from the stored gradients of the gates. What is left, ``h @ R`` and the
cell's elementwise update, runs here: one program per block of rows walks over all steps with the
recurrent weights loaded once, and applies the mask and the recurrent dropout inside. Persistent
RNN kernels are the idea of Diamos et al. (ICML 2016); FlashRNN (arXiv:2412.07752) is a recent form.

Written for Pallas's Triton lowering, which wants sizes that are powers of two and at least 16 in a
product: rows and units are padded with zeros. On a CPU the same kernels run in interpret mode,
which is for tests. Every product is in full float32, on every backend, never TF32.

State: verified in interpret mode, lowered to Triton and compiled for an H100 (sm_90), but not yet
run or tuned on a GPU, so never the automatic choice. Compiled, SimpleRNN with 128 units and LSTM
with 64 keep all weights in shared memory (at most 80 KiB) and spill no register. The weights of an
LSTM with 128 units, 256 KiB, do not fit: they are read again at every step, and the forward kernel
spills registers (about 1.3 KiB a thread).

Reverse mode only; forward mode and second derivatives take ``recurrence.scan``'s plain path.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from rnnsent.cells import Array, Carry, LSTMCell, Params, SimpleRNNCell, Step
from rnnsent.kernels import checks, packing

ROWS = 16  # of one program: the least a product takes, so that most programs run side by side
UNITS = (16, 128)  # least and greatest width of a product; a wider one overflows shared memory
RESIDENT_BYTES = 64 * 1024  # of weights that fit into shared memory beside the operands
PRECISION = jax.lax.Precision.HIGHEST

Gates = tuple[Array, ...]
Update = Callable[[Gates, Carry], Carry]


def _simple_rnn(gates: Gates, carry: Carry) -> Carry:
    del carry
    return (jnp.tanh(gates[0]),)


def _lstm(gates: Gates, carry: Carry) -> Carry:
    i_BH, f_BH, g_BH, o_BH = gates
    _, c_BH = carry
    c_BH = jax.nn.sigmoid(f_BH) * c_BH + jax.nn.sigmoid(i_BH) * jnp.tanh(g_BH)
    return jax.nn.sigmoid(o_BH) * jnp.tanh(c_BH), c_BH


# What a cell's step does with its gates ``x K + h R + b``; elementwise, so a kernel can hold it.
UPDATES: dict[Step, Update] = {SimpleRNNCell.step: _simple_rnn, LSTMCell.step: _lstm}


def scan(
    step: Step,
    params: Params,
    carry: Carry,
    x_BTE: Array,
    mask_BT: Array | None = None,
    dropout_BH: Array | None = None,
    *,
    sequences: bool = True,
) -> tuple[Carry, Array | None]:
    """Runs one layer over time under the contract of ``rnnsent.recurrence``.

    Args:
      step: ``SimpleRNNCell.step`` or ``LSTMCell.step``.
      params: of that step: kernel (E, G), recurrent_kernel (H, G), bias (G,), G = gates * H.
      carry: the initial carry, (B, H) each.
      x_BTE: inputs, float32, finite everywhere (zeros in padding).
      mask_BT: bool, True = real; None means every step is.
      dropout_BH: scales h on its way into the recurrent product, at every step.
      sequences: whether to return the output of every step.

    Returns:
      The final carry and the outputs (B, T, H), or None.

    Raises:
      ValueError: for another step, more than 128 units, or arrays that are not float32.
    """
    rows, width = carry[0].shape
    _check(step, width, (params, carry, x_BTE, dropout_BH))
    if x_BTE.size == 0:  # no program to launch
        return carry, jnp.zeros((*x_BTE.shape[:2], width), x_BTE.dtype) if sequences else None
    inputs = _prepare(params, carry, x_BTE, mask_BT, dropout_BH)
    carry, y_TBH = _walk(UPDATES[step], sequences, inputs)
    y_BTH = jnp.swapaxes(y_TBH, 0, 1)[:rows, :, :width] if sequences else None
    return tuple(a[:rows, :width] for a in carry), y_BTH


def _check(step, width, arrays):
    if step not in UPDATES:
        raise ValueError(
            f"no fused kernel for {getattr(step, '__qualname__', step)}; it is written for "
            "SimpleRNNCell and LSTMCell of rnnsent.cells. Use implementation='scan', which takes "
            "any cell"
        )
    if width > UNITS[1]:
        raise ValueError(
            f"the fused kernel holds at most {UNITS[1]} units on the chip, got {width}; use "
            "implementation='scan'"
        )
    checks.require_float32("the fused kernel", arrays)


class _Inputs(NamedTuple):
    """What a walk reads, padded. Axis K counts the gates, each H wide."""

    z_TBKH: Array  # x K + b
    recurrent_HKH: Array
    carry: Carry
    real_TB: Array  # bool
    dropout_BH: Array


def _prepare(params, carry, x_BTE, mask_BT, dropout_BH) -> _Inputs:
    rows, steps, _ = x_BTE.shape
    width = carry[0].shape[1]
    z_TBG = jnp.einsum("bte,eg->tbg", x_BTE, params["kernel"], precision=PRECISION)
    z_TBKH = (z_TBG + params["bias"]).reshape(steps, rows, -1, width)
    real_BT = jnp.ones((rows, steps), bool) if mask_BT is None else mask_BT
    dropout_BH = jnp.ones((rows, width), x_BTE.dtype) if dropout_BH is None else dropout_BH
    # Padded rows have no real step, and padded units meet only zero weights.
    more_B = (0, -rows % ROWS)
    more_H = (0, max(UNITS[0], pl.next_power_of_2(width)) - width)
    return _Inputs(
        jnp.pad(z_TBKH, ((0, 0), more_B, (0, 0), more_H)),
        jnp.pad(params["recurrent_kernel"].reshape(width, -1, width), (more_H, (0, 0), more_H)),
        tuple(jnp.pad(a, (more_B, more_H)) for a in carry),
        jnp.pad(jnp.asarray(real_BT).T, ((0, 0), more_B)),
        jnp.pad(dropout_BH, (more_B, more_H)),
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _walk(update: Update, sequences: bool, inputs: _Inputs) -> tuple[Carry, Array | None]:
    """The final carry and the outputs (T, B, H) or None."""
    carry, carries, _ = _launch_forward(update, inputs, kept=int(sequences), keep_gates=False)
    return carry, carries[0][1:] if sequences else None


def _walk_forward(update, sequences, inputs):
    kept = len(inputs.carry)
    carry, carries, z_TBKH = _launch_forward(update, inputs, kept, keep_gates=True)
    y_TBH = carries[0][1:] if sequences else None
    return (carry, y_TBH), (inputs._replace(z_TBKH=z_TBKH), carries)


def _walk_backward(update, sequences, kept, cotangents):
    inputs, carries = kept
    dz_TBKH, dcarry = _launch_backward(update, inputs, carries, *cotangents)
    h_TBH = carries[0][:-1]
    product = functools.partial(jnp.einsum, precision=PRECISION)
    drecurrent_HKH = product("tbh,tbkg->hkg", h_TBH * inputs.dropout_BH, dz_TBKH)
    # Costs nothing where nobody asks for it: a mask is drawn, so the compiler drops this.
    ddropout_BH = (h_TBH * product("tbkg,hkg->tbh", dz_TBKH, inputs.recurrent_HKH)).sum(0)
    return (_Inputs(dz_TBKH, drecurrent_HKH, dcarry, None, ddropout_BH),)


_walk.defvjp(_walk_forward, _walk_backward)


def _launch_forward(update, inputs: _Inputs, kept: int, keep_gates: bool):
    """Runs the forward kernel.

    Returns:
      The final carry; of the carry's first ``kept`` arrays the state before the first step and
      after each, (T + 1, B, H); and the gates before their nonlinearity (T, B, K, H), or None.
    """
    steps = len(inputs.z_TBKH)
    carries = [jax.ShapeDtypeStruct((steps + 1, *a.shape), a.dtype) for a in inputs.carry[:kept]]
    z_TBKH = inputs.z_TBKH if keep_gates else None
    return _launch(
        functools.partial(_forward_kernel, update),
        (inputs,),
        (_input_blocks(inputs),),
        (inputs.carry, carries, z_TBKH),
        (_blocks(inputs.carry, 0), _blocks(carries, 1), _blocks(z_TBKH, 1)),
    )


def _launch_backward(update, inputs: _Inputs, carries, dcarry: Carry, dy_TBH: Array | None):
    """Runs the backward kernel; returns the gradients of the gates and of the initial carry."""
    transposed = inputs._replace(recurrent_HKH=inputs.recurrent_HKH.transpose(2, 1, 0))
    return _launch(
        functools.partial(_backward_kernel, update),
        (transposed, carries, dcarry, dy_TBH),
        (_input_blocks(inputs), _blocks(carries, 1), _blocks(dcarry, 0), _blocks(dy_TBH, 1)),
        (inputs.z_TBKH, dcarry),
        (_blocks(inputs.z_TBKH, 1), _blocks(dcarry, 0)),
    )


def _launch(kernel, inputs, in_specs, outputs, out_specs):
    """One program per block of rows; ``outputs`` are arrays of the shapes that it writes."""
    resident = _resident(inputs[0].recurrent_HKH)
    call = functools.partial(
        pl.pallas_call,
        kernel,
        out_shape=jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), outputs),
        in_specs=in_specs,
        out_specs=out_specs,
        grid=(inputs[0].z_TBKH.shape[1] // ROWS,),
        compiler_params=triton.CompilerParams(num_warps=8 if resident else 16, num_stages=1),
    )
    return jax.lax.platform_dependent(*inputs, cpu=call(interpret=True), cuda=call())


def _input_blocks(inputs: _Inputs) -> _Inputs:
    return _Inputs(
        _blocks(inputs.z_TBKH, 1),
        _blocks(inputs.recurrent_HKH, None),
        _blocks(inputs.carry, 0),
        _blocks(inputs.real_TB, 1),
        _blocks(inputs.dropout_BH, 0),
    )


def _blocks(arrays, rows_axis: int | None):
    """For each array, which part of it belongs to a program: its rows, or all of it."""

    def block(a):
        axes = range(a.ndim)
        shape = tuple(ROWS if at == rows_axis else a.shape[at] for at in axes)
        return pl.BlockSpec(
            shape, lambda i: tuple(i * (axis == rows_axis) for axis in range(a.ndim))
        )

    return jax.tree.map(block, arrays)


def _forward_kernel(update, inputs: _Inputs, finals, carries, z_ref):
    """Walks over time; the arguments after ``inputs`` are written, ``z_ref`` where it is there."""
    z_TBKH, recurrent_HKH, first, real_TB, dropout_BH = inputs
    gates, weight = range(recurrent_HKH.shape[1]), _weights(recurrent_HKH)
    dropout_BH = dropout_BH[...]

    def keep(t, carry):
        for ref, a_BH in zip(carries, carry, strict=False):  # the first ones, or all
            ref[t] = a_BH

    def one(t, carry):
        h_BH = carry[0] * dropout_BH
        z = []
        for k in gates:
            z.append(z_TBKH[t, :, k, :] + _product(h_BH, weight(k)))
            if z_ref is not None:
                z_ref[t, :, k, :] = z[k]
        carry = packing.where(real_TB[t], update(tuple(z), carry), carry)
        keep(t + 1, carry)
        return carry

    carry = tuple(ref[...] for ref in first)
    keep(0, carry)
    carry = jax.lax.fori_loop(0, z_TBKH.shape[0], one, carry)
    for ref, a_BH in zip(finals, carry, strict=True):
        ref[...] = a_BH


def _backward_kernel(update, inputs: _Inputs, carries, dfinals, dy_TBH, dz_ref, dfirst):
    """Walks back; ``inputs`` hold the gates and the weights transposed. Writes the last two."""
    z_TBKH, transposed_HKH, _, real_TB, dropout_BH = inputs
    gates, weight = range(transposed_HKH.shape[1]), _weights(transposed_HKH)
    dropout_BH = dropout_BH[...]
    steps = z_TBKH.shape[0]

    def one(i, dcarry):
        t = steps - 1 - i
        if dy_TBH is not None:
            dcarry = (dcarry[0] + dy_TBH[t], *dcarry[1:])
        before = tuple(ref[t] for ref in carries)
        _, pull = jax.vjp(update, tuple(z_TBKH[t, :, k, :] for k in gates), before)
        dz, (dh_BH, *dothers) = pull(dcarry)
        for k in gates:
            dz_ref[t, :, k, :] = jnp.where(real_TB[t][:, None], dz[k], 0)
        through_BH = sum(_product(dz[k], weight(k)) for k in gates)
        return packing.where(real_TB[t], (dh_BH + through_BH * dropout_BH, *dothers), dcarry)

    dcarry = jax.lax.fori_loop(0, steps, one, tuple(ref[...] for ref in dfinals))
    for ref, a_BH in zip(dfirst, dcarry, strict=True):
        ref[...] = a_BH


def _weights(ref_HKH):
    """A function of the gate k that gives its weights (H, H).

    All are loaded here, once, where they fit into shared memory; else each at every step, which
    then comes from the GPU's cache.
    """
    if not _resident(ref_HKH):
        return lambda k: ref_HKH[:, k, :]
    return [ref_HKH[:, k, :] for k in range(ref_HKH.shape[1])].__getitem__


def _resident(weight_HKH) -> bool:
    return weight_HKH.size * weight_HKH.dtype.itemsize <= RESIDENT_BYTES


def _product(a_BH: Array, weight_HH: Array) -> Array:
    return jnp.dot(a_BH, weight_HH, precision=PRECISION)
