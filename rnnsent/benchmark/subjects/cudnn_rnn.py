"""The classifier on ``jax.experimental.rnn``, cuDNN's LSTM as JAX offers it; needs a GPU."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import rnn

from rnnsent import interop
from rnnsent.arrays import Array, Params
from rnnsent.benchmark.subjects.flax_rnn import FlaxRNN


class CudnnLSTM(FlaxRNN):
    """The same step as a Flax user's, with cuDNN's layers; see :class:`rnnsent.benchmark.Subject`.

    Its layers share one width, so each of ours is a call of its own. A row without any real step is
    read as one of a single, padded step, for cuDNN takes none.
    """

    setting = "float32 products, rows packed to lengths"

    def _to_own(self, params: Any) -> dict:
        return dict(params)

    def _from_own(self, params: Any) -> dict:
        return jax.tree.map(np.asarray, params)

    def _logits(
        self, params: Any, ids_BT: Array, length_B: Array | None, key: Array | None = None
    ) -> Array:
        model = self.case.model
        x_BTE = params["embedding"]["embedding"][ids_BT]
        if length_B is None:
            length_B = jnp.full(len(ids_BT), ids_BT.shape[1])
        length_B = jnp.maximum(length_B, 1).astype(jnp.int32)
        for i in range(len(model.features)):
            if key is not None:
                x_BTE = _dropped(jax.random.fold_in(key, i), x_BTE, model.dropout)
            x_BTE, h_BH = _layer(params[f"layer_{i}"], x_BTE, length_B)
        h_BH = jax.nn.relu(_dense(params["hidden"], h_BH))
        return _dense(params["logit"], h_BH)[:, 0]


def _dropped(key: Array, x_BTE: Array, rate: float) -> Array:
    """Inputs dropped once per sequence."""
    keep_B1E = jax.random.bernoulli(key, 1 - rate, (len(x_BTE), 1, x_BTE.shape[-1]))
    return jnp.where(keep_B1E, x_BTE / (1 - rate), 0)


def _dense(layer: Params, x_BE: Array) -> Array:
    return x_BE @ layer["kernel"] + layer["bias"]


def _layer(layer: Params, x_BTE: Array, length_B: Array) -> tuple[Array, Array]:
    """All outputs and each row's last; cuDNN takes PyTorch's arrays; the second bias is zero."""
    inputs, features = x_BTE.shape[-1], layer["recurrent_kernel"].shape[0]
    flat = jnp.concatenate([weight.ravel() for weight in interop.torch_layer(layer).values()])
    zeros_1BH = jnp.zeros((1, len(x_BTE), features))
    y_BTH, h_1BH, _ = rnn.lstm(
        x_BTE,
        zeros_1BH,
        zeros_1BH,
        flat,
        length_B,
        input_size=inputs,
        hidden_size=features,
        num_layers=1,
        dropout=0.0,
        bidirectional=False,
        precision=jax.lax.Precision.HIGHEST,
    )
    return y_BTH, h_1BH[0]
