"""Weights of the classifier in the layouts of Keras, Flax and PyTorch, and back.

Arrays only: none of the libraries is imported. Each library has the same SimpleRNN, LSTM and GRU;
what differs is the order of the gates, which arrays stand side by side, and how many biases there
are. A cell is told by its gates: the pre-activation is one, four or three times as wide as the
state. ``gradients=True`` reads gradients in place of weights: two biases that are added have equal
gradients, so that ours has either one's, where as a weight it is their sum.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from rnnsent.errors import UserError

Tree = dict[str, Any]

_RECURRENT = ("kernel", "recurrent_kernel", "bias")
_DENSE = ("kernel", "bias")

_KERAS_ORDER = {1: (0,), 4: (0, 1, 2, 3), 3: (1, 0, 2)}
"""By number of gates: ours (LSTM i, f, g, o; GRU r, z, n) in Keras's order, and back."""

_FLAX = {
    1: (("i",), ("h",), ("i",)),
    4: (("ii", "if", "ig", "io"), ("hi", "hf", "hg", "ho"), ("hi", "hf", "hg", "ho")),
    3: (("ir", "iz", "in"), ("hr", "hz", "hn"), ("ir", "iz", "in")),
}
"""By number of gates: Flax's input kernels, recurrent kernels and biases, in our order. The GRU's
``hn`` has a bias too, our ``new_bias``."""


def _gates(layer: Tree) -> int:
    return layer["bias"].shape[-1] // layer["recurrent_kernel"].shape[0]


def _is_recurrent(name: str) -> bool:
    return name.startswith("layer_")


def _arrays(params: Tree) -> Tree:
    return jax.tree.map(np.asarray, dict(params))


def _layers(params: Tree, convert: Callable[[Tree], Tree]) -> Tree:
    """The recurrent layers converted, the others as they are."""
    return {name: convert(part) if _is_recurrent(name) else part for name, part in params.items()}


def _second_bias(layer: Tree) -> np.ndarray:
    """The bias (G,) beside the recurrent kernel: zero but for what the GRU's reset gate scales."""
    new_H = layer.get("new_bias", np.zeros(0, np.float32))
    return np.pad(new_H, (layer["bias"].shape[0] - len(new_H), 0))


def _one_bias(first_G: np.ndarray, second_G: np.ndarray, gates: int, gradients: bool) -> Tree:
    """Ours of the two that Keras's GRU and PyTorch's layers have."""
    if gates != 3:
        return {"bias": first_G if gradients else first_G + second_G}
    added = 2 * len(first_G) // 3
    bias_G = first_G.copy()
    bias_G[:added] += 0 if gradients else second_G[:added]
    return {"bias": bias_G, "new_bias": second_G[added:]}


def _places(layers: int) -> list[tuple[str, str]]:
    """(part, parameter) in the order of Keras's weights."""
    recurrent = [(f"layer_{i}", name) for i in range(layers) for name in _RECURRENT]
    dense = [(part, name) for part in ("hidden", "logit") for name in _DENSE]
    return [("embedding", "embedding"), *recurrent, *dense]


def from_keras(weights: Sequence[np.ndarray], *, gradients: bool = False) -> Tree:
    """Parameters from ``keras.Model.get_weights()`` of Embedding, recurrent layers, Dense, Dense.

    The layers are SimpleRNN, LSTM or GRU. Raises ``UserError`` for a list of another length or
    ill-fitting shapes.
    """
    layers, rest = divmod(len(weights) - 1 - 2 * len(_DENSE), len(_RECURRENT))
    if rest or layers < 1:
        raise UserError(
            f"{len(weights)} weight arrays are not an Embedding, recurrent layers of 3 arrays each "
            "and two Dense layers. Give get_weights() of such a model."
        )
    params: Tree = {}
    for (part, name), array in zip(_places(layers), weights, strict=True):
        params.setdefault(part, {})[name] = np.asarray(array)
    _check_shapes(params, layers)
    return _layers(params, lambda layer: _from_keras_layer(layer, gradients))


def _from_keras_layer(layer: Tree, gradients: bool) -> Tree:
    gates = _gates(layer)
    layer = {name: _reorder(a, gates) for name, a in layer.items()}
    if layer["bias"].ndim == 1:
        return layer
    first_G, second_G = layer["bias"]
    return layer | _one_bias(first_G, second_G, gates, gradients)


def to_keras(params: Tree) -> list[np.ndarray]:
    """The list that ``keras.Model.set_weights`` takes."""
    params = _layers(_arrays(params), _to_keras_layer)
    layers = sum(map(_is_recurrent, params))
    return [params[part][name] for part, name in _places(layers)]


def _to_keras_layer(layer: Tree) -> Tree:
    gates = _gates(layer)
    if "new_bias" in layer:
        layer = layer | {"bias": np.stack([layer["bias"], _second_bias(layer)])}
    return {name: _reorder(layer[name], gates) for name in _RECURRENT}


def _reorder(a: np.ndarray, gates: int) -> np.ndarray:
    parts = np.split(a, gates, axis=-1)
    return np.concatenate([parts[i] for i in _KERAS_ORDER[gates]], axis=-1)


def _check_shapes(params: Tree, layers: int) -> None:
    width = params["embedding"]["embedding"].shape[-1]
    for part in (*(f"layer_{i}" for i in range(layers)), "hidden", "logit"):
        kernel, bias = params[part]["kernel"], params[part]["bias"]
        if kernel.shape[0] != width or kernel.shape[1:] != bias.shape[-1:]:
            raise UserError(
                f"{part}'s kernel {kernel.shape} and bias {bias.shape} do not follow a layer of "
                f"width {width}. Give the weights in the model's own order."
            )
        width = params[part].get("recurrent_kernel", kernel.T).shape[0]


def to_flax(params: Tree) -> Tree:
    """Parameters with Flax's SimpleCell, OptimizedLSTMCell or GRUCell in place of each layer."""
    return _layers(_arrays(params), _to_flax_cell)


def _to_flax_cell(layer: Tree) -> Tree:
    gates = _gates(layer)
    inputs, recurrents, biased = _FLAX[gates]
    out: Tree = {name: {} for name in (*inputs, *recurrents)}
    for names, kernel in ((inputs, "kernel"), (recurrents, "recurrent_kernel"), (biased, "bias")):
        leaf = "bias" if kernel == "bias" else "kernel"
        for name, a in zip(names, np.split(layer[kernel], gates, axis=-1), strict=True):
            out[name][leaf] = a
    if "new_bias" in layer:
        out["hn"]["bias"] = layer["new_bias"]
    return out


def from_flax(params: Tree) -> Tree:
    """The inverse of :func:`to_flax`, of weights and of gradients alike."""
    return _layers(_arrays(params), _from_flax_cell)


def _from_flax_cell(layer: Tree) -> Tree:
    inputs, recurrents, biased = _FLAX[len(layer) // 2]
    out = {
        "kernel": np.concatenate([layer[name]["kernel"] for name in inputs], axis=1),
        "recurrent_kernel": np.concatenate([layer[name]["kernel"] for name in recurrents], axis=1),
        "bias": np.concatenate([layer[name]["bias"] for name in biased]),
    }
    return out | ({"new_bias": layer["hn"]["bias"]} if "hn" in layer else {})


def to_torch(params: Tree) -> Tree:
    """Parameters by the names of ``nn.Embedding``, ``nn.RNN``/``LSTM``/``GRU`` and ``nn.Linear``.

    Each recurrent layer is a module of its own, so that its arrays end in ``_l0``.
    """
    return {name: _to_torch_module(part) for name, part in _arrays(params).items()}


def _to_torch_module(part: Tree) -> Tree:
    if "embedding" in part:
        return {"weight": part["embedding"]}
    if "recurrent_kernel" not in part:
        return {"weight": part["kernel"].T, "bias": part["bias"]}
    return {
        "weight_ih_l0": part["kernel"].T,
        "weight_hh_l0": part["recurrent_kernel"].T,
        "bias_ih_l0": part["bias"],
        "bias_hh_l0": _second_bias(part),
    }


def from_torch(modules: Tree, *, gradients: bool = False) -> Tree:
    """The inverse of :func:`to_torch`; arrays by module and name."""
    return {
        name: _from_torch_module(part, gradients, name == "embedding")
        for name, part in _arrays(modules).items()
    }


def _from_torch_module(part: Tree, gradients: bool, embedding: bool) -> Tree:
    if embedding:
        return {"embedding": part["weight"]}
    if "weight" in part:
        return {"kernel": part["weight"].T, "bias": part["bias"]}
    kernel, recurrent_kernel = part["weight_ih_l0"].T, part["weight_hh_l0"].T
    gates = kernel.shape[1] // recurrent_kernel.shape[0]
    biases = _one_bias(part["bias_ih_l0"], part["bias_hh_l0"], gates, gradients)
    return {"kernel": kernel, "recurrent_kernel": recurrent_kernel, **biases}
