"""The LSTM by cuDNN, under any mask: packed to lengths, run, and scattered back.

``jax.experimental.rnn`` takes right-padded rows of known lengths; packing makes them of any mask.
What it lacks is mended here: a row with no real step returns its initial carry, float32 stays
float32 (its default is TF32), and it runs under ``vmap`` (one after another).

State: verified on a CPU through ``jax.experimental.rnn.lstm_ref``, which has the same weights and
lengths; not yet run or measured on a GPU, so never the automatic choice. Reverse mode only:
``recurrence.scan``'s plain path has the rest.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_batching import sequential_vmap
from jax.experimental import rnn

from rnnsent.cells import Array, Carry, LSTMCell, Params, Step
from rnnsent.kernels import packing

Arrays = tuple[Array, ...]


class Lstm(NamedTuple):
    """An LSTM layer over right-padded rows, and its gradient, as ``jax.experimental.rnn`` has them.

    Attributes:
      forward: x (B, T, E), h and c (1, B, H), flat weights, lengths (B,) int32 from 1 on -> (y, h,
        c), and what ``backward`` needs.
      backward: what ``forward`` kept, gradients of (y, h, c) -> those of (x, h, c, weights).
    """

    forward: Callable[..., tuple[Arrays, Any]]
    backward: Callable[[Any, Arrays], Arrays]


def _cudnn_forward(*arrays):
    x_BTE, h_1BH, *_ = arrays
    return rnn.lstm_fwd(*arrays, **_options(x_BTE, h_1BH))


def _cudnn_backward(kept, cotangents):
    x_BTE, h_1BH, *_ = kept
    *gradients, _ = rnn.lstm_bwd(**_options(x_BTE, h_1BH), residuals=kept, gradients=cotangents)
    return tuple(gradients)


def _options(x_BTE, h_1BH):
    return {
        "input_size": x_BTE.shape[-1],
        "hidden_size": h_1BH.shape[-1],
        "num_layers": 1,
        "dropout": 0.0,
        "bidirectional": False,
        "precision": jax.lax.Precision.HIGHEST,  # None would allow TF32
    }


CUDNN = Lstm(_cudnn_forward, _cudnn_backward)


def scan(
    step: Step,
    params: Params,
    carry: Carry,
    x_BTE: Array,
    mask_BT: Array | None = None,
    dropout_BH: Array | None = None,
    *,
    sequences: bool = True,
    right_padded: bool = False,
    lstm: Lstm | None = None,
) -> tuple[Carry, Array | None]:
    """Runs one LSTM layer over time under the contract of ``rnnsent.recurrence``.

    Args:
      step: ``LSTMCell.step``.
      params: of that step: kernel (E, 4H), recurrent_kernel (H, 4H), bias (4H,).
      carry: the initial h and c, (B, H).
      x_BTE: inputs, float32, finite everywhere (zeros in padding).
      mask_BT: bool, True = real; None means every step is.
      dropout_BH: must be None, cuDNN has no such place.
      sequences: whether to return the output of every step.
      right_padded: a promise that every row's real steps come first, which spares the packing.
      lstm: what to run instead of cuDNN, by default :data:`CUDNN`.

    Returns:
      The final carry and the outputs (B, T, H), or None.

    Raises:
      ValueError: for another step, recurrent dropout, arrays that are not float32, or without a
        CUDA GPU.
    """
    _check(step, dropout_BH, (params, carry, x_BTE))
    if lstm is None:
        _check_backend()
        lstm = CUDNN
    if x_BTE.size == 0:  # no lengths that cuDNN would take
        y_BTH = jnp.zeros((*x_BTE.shape[:2], carry[0].shape[1]), x_BTE.dtype)
        return carry, y_BTH if sequences else None
    h_BH, c_BH = carry
    if mask_BT is None:
        length_B = jnp.full(x_BTE.shape[0], x_BTE.shape[1], jnp.int32)
    elif right_padded:
        length_B = mask_BT.sum(1, dtype=jnp.int32)
    else:
        x_BTE, length_B = packing.pack(x_BTE, mask_BT)
    # An empty row runs one step over zeros; nobody reads what comes out.
    y_BTH, h_1BH, c_1BH = _one_by_one(
        lstm, x_BTE, h_BH[None], c_BH[None], flat_weights(params), jnp.maximum(length_B, 1)
    )
    empty_B1 = (length_B == 0)[:, None]
    carry = jnp.where(empty_B1, h_BH, h_1BH[0]), jnp.where(empty_B1, c_BH, c_1BH[0])
    if sequences and mask_BT is not None:
        y_BTH = packing.unpack(y_BTH, h_BH, mask_BT)
    return carry, y_BTH if sequences else None


def flat_weights(params: Params) -> Array:
    """cuDNN's flat layout of one layer: W_ih (4H, E), W_hh (4H, H), b_ih, b_hh, one after another.

    Its gates are ours, i, f, g, o. Of its two biases, which it adds up, the second is zero.
    Source: the head of ``jax.experimental.rnn``.
    """
    bias_G = params["bias"]
    parts = (params["kernel"].T, params["recurrent_kernel"].T, bias_G, jnp.zeros_like(bias_G))
    return jnp.concatenate([part.reshape(-1) for part in parts])


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _one_by_one(lstm: Lstm, *arrays) -> Arrays:
    """``lstm``, also under ``vmap``, for which cuDNN's calls have no rule: one after another."""
    outputs, _ = _one_by_one_forward(lstm, *arrays)
    return outputs


def _one_by_one_forward(lstm, *arrays):
    return sequential_vmap(lstm.forward)(*arrays)


def _one_by_one_backward(lstm, kept, cotangents):
    return (*sequential_vmap(lstm.backward)(kept, cotangents), None)  # lengths have none


_one_by_one.defvjp(_one_by_one_forward, _one_by_one_backward)


def _check(step, dropout_BH, arrays):
    if step is not LSTMCell.step:
        raise ValueError(
            f"cuDNN runs rnnsent.cells.LSTMCell only, got {getattr(step, '__qualname__', step)}; "
            "use implementation='scan' for any cell"
        )
    if dropout_BH is not None:
        raise ValueError(
            "cuDNN's LSTM has no recurrent dropout; set it to 0, or use implementation='scan'"
        )
    dtypes = {str(a.dtype) for a in jax.tree.leaves(arrays)}
    if dtypes != {"float32"}:
        raise ValueError(
            f"cuDNN's LSTM takes float32, got {', '.join(sorted(dtypes))}; convert the arrays, or "
            "use implementation='scan'"
        )


def _check_backend():
    device = jax.devices()[0]
    if device.platform != "gpu" or "cuda" not in device.client.platform_version.lower():
        raise ValueError(
            f"cuDNN needs a CUDA GPU, and jax runs on {device.platform} here; use "
            "implementation='auto'"
        )
