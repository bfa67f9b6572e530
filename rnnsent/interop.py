"""Weights to and from the notebook's Keras models: the same arrays, in Keras's order."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from rnnsent.errors import UserError

_RECURRENT = ("kernel", "recurrent_kernel", "bias")
_DENSE = ("kernel", "bias")


def _places(layers: int) -> list[tuple[str, str]]:
    recurrent = [(f"layer_{i}", name) for i in range(layers) for name in _RECURRENT]
    dense = [(part, name) for part in ("hidden", "logit") for name in _DENSE]
    return [("embedding", "embedding"), *recurrent, *dense]


def from_keras(weights: Sequence[np.ndarray]) -> dict[str, Any]:
    """Parameters from ``keras.Model.get_weights()`` of Embedding, recurrent layers, Dense, Dense.

    SimpleRNN and LSTM have the same layout here and there, the LSTM's gates in the order i, f, g, o
    (Keras's i, f, c, o). Raises ``UserError`` for a list of another length or ill-fitting shapes.
    """
    layers, rest = divmod(len(weights) - 1 - 2 * len(_DENSE), len(_RECURRENT))
    if rest or layers < 1:
        raise UserError(
            f"{len(weights)} weight arrays are not an Embedding, recurrent layers of 3 arrays each "
            "and two Dense layers. Give get_weights() of such a model."
        )
    params: dict[str, Any] = {}
    for (part, name), array in zip(_places(layers), weights, strict=True):
        params.setdefault(part, {})[name] = jnp.asarray(array)
    _check_shapes(params, layers)
    return params


def to_keras(params: dict[str, Any]) -> list[np.ndarray]:
    """The list that ``keras.Model.set_weights`` takes."""
    layers = sum(part.startswith("layer_") for part in params)
    return [np.asarray(params[part][name]) for part, name in _places(layers)]


def _check_shapes(params: dict[str, Any], layers: int) -> None:
    width = params["embedding"]["embedding"].shape[-1]
    for part in (*(f"layer_{i}" for i in range(layers)), "hidden", "logit"):
        kernel, bias = params[part]["kernel"], params[part]["bias"]
        if kernel.shape[0] != width or kernel.shape[1:] != bias.shape:
            raise UserError(
                f"{part}'s kernel {kernel.shape} and bias {bias.shape} do not follow a layer of "
                f"width {width}. Give the weights in the model's own order."
            )
        width = params[part].get("recurrent_kernel", kernel.T).shape[0]
