"""Parameters as arrays in the layouts of Keras, Flax and PyTorch, and back; no library is imported.

``gradients=True`` reads gradients in place of weights: two biases that are added have equal
gradients, so that ours has either one's, where as a weight it is their sum.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnnsent.errors import UserError
from rnnsent.interop.layouts import (
    DENSE,
    LAYOUTS,
    RECURRENT,
    Tree,
    cell_of,
    check,
    host,
    is_recurrent,
    one_bias,
    part_names,
    two_biases,
)

RESET_BEFORE = (
    "its GRU has reset_after=False: there the reset gate scales what enters the recurrent product, "
    "here the product itself. Train it with reset_after=True, Keras's default."
)
"""Why a GRU of the other kind is refused; Keras tells the two apart by the bias's shape."""


def from_keras(weights: Sequence[np.ndarray], *, gradients: bool = False) -> Tree:
    """Parameters from ``keras.Model.get_weights()`` of Embedding, recurrent layers, Dense, Dense.

    The layers are SimpleRNN, LSTM or GRU. Raises ``UserError`` for a list of another length,
    ill-fitting shapes, or a GRU with ``reset_after=False``.
    """
    layers, rest = divmod(len(weights) - 1 - 2 * len(DENSE), len(RECURRENT))
    if rest or layers < 1:
        raise UserError(
            f"{len(weights)} weight arrays are not an Embedding, recurrent layers of 3 arrays each "
            "and two Dense layers. Give get_weights() of such a model."
        )
    params: Tree = {}
    for (part, name), array in zip(_keras_places(layers), weights, strict=True):
        params.setdefault(part, {})[name] = np.asarray(array)
    params = {
        name: _from_keras_layer(part, gradients) if is_recurrent(name) else part
        for name, part in params.items()
    }
    check(params)
    return params


def _keras_places(layers: int) -> list[tuple[str, str]]:
    """(part, parameter) in the order of Keras's weights."""
    kinds = {"embedding": ("embedding",), "hidden": DENSE, "logit": DENSE}
    return [(part, leaf) for part in part_names(layers) for leaf in kinds.get(part, RECURRENT)]


def _from_keras_layer(layer: Tree, gradients: bool) -> Tree:
    cell = cell_of(layer)
    gates = LAYOUTS[cell].gates * len(layer["recurrent_kernel"])
    bias = layer["bias"]
    if cell == "gru" and bias.shape == (gates,):
        raise UserError(f"The weights cannot be taken: {RESET_BEFORE}")
    wanted = (2, gates) if cell == "gru" else (gates,)
    if bias.shape != wanted or layer["kernel"].shape[-1:] != (gates,):
        raise UserError(
            f"A recurrent layer's kernel {layer['kernel'].shape} and bias {bias.shape} do not "
            f"follow its recurrent kernel {layer['recurrent_kernel'].shape}."
        )
    layer = {name: _reorder(a, cell) for name, a in layer.items()}
    if cell != "gru":
        return layer
    first_G, second_G = layer["bias"]
    return layer | one_bias(first_G, second_G, cell, gradients)


def to_keras(params: Mapping[str, Any]) -> list[np.ndarray]:
    """The list that ``keras.Model.set_weights`` takes."""
    held = host(params)
    layers = sum(map(is_recurrent, held))
    for name in filter(is_recurrent, held):
        held[name] = keras_layer(held[name])
    return [held[part][name] for part, name in _keras_places(layers)]


def keras_layer(layer: Tree) -> Tree:
    """A recurrent layer's arrays in Keras's layout, under our names."""
    cell = cell_of(layer)
    if cell == "gru":
        layer = layer | {"bias": np.stack(two_biases(layer))}
    return {name: _reorder(layer[name], cell) for name in RECURRENT}


def _reorder(a: np.ndarray, cell: str) -> np.ndarray:
    parts = np.split(a, LAYOUTS[cell].gates, axis=-1)
    return np.concatenate([parts[i] for i in LAYOUTS[cell].keras_order], axis=-1)


def to_flax(params: Mapping[str, Any]) -> Tree:
    """Parameters with Flax's cell in place of each layer; which, says ``LAYOUTS[...].flax``.

    ``nn.LSTMCell`` has the same arrays as ``nn.OptimizedLSTMCell``.
    """
    return {
        name: _to_flax_cell(part) if is_recurrent(name) else part
        for name, part in host(params).items()
    }


def _to_flax_cell(layer: Tree) -> Tree:
    layout = LAYOUTS[cell_of(layer)]
    inputs, recurrents, biased = layout.flax_inputs, layout.flax_recurrents, layout.flax_biased
    out: Tree = {name: {} for name in (*inputs, *recurrents)}
    for names, kernel in ((inputs, "kernel"), (recurrents, "recurrent_kernel"), (biased, "bias")):
        leaf = "bias" if kernel == "bias" else "kernel"
        for name, a in zip(names, np.split(layer[kernel], layout.gates, axis=-1), strict=True):
            out[name][leaf] = a
    if "new_bias" in layer:
        out["hn"]["bias"] = layer["new_bias"]
    return out


def from_flax(params: Mapping[str, Any]) -> Tree:
    """The inverse of :func:`to_flax`, of weights and of gradients alike.

    Raises:
      UserError: if a layer has not the arrays of one of those cells, or shapes do not fit.
    """
    out = {
        name: _from_flax_cell(name, part) if is_recurrent(name) else part
        for name, part in host(params).items()
    }
    check(out)
    return out


def _from_flax_cell(name: str, layer: Tree) -> Tree:
    for layout in LAYOUTS.values():
        if set(layer) == {*layout.flax_inputs, *layout.flax_recurrents}:
            break
    else:
        known = ", ".join(layout.flax for layout in LAYOUTS.values())
        held = ", ".join(map(repr, layer))
        raise UserError(f"{name} has the parts {held}, no cell's of Flax that is {known}.")
    try:
        inputs = [layer[name]["kernel"] for name in layout.flax_inputs]
        recurrents = [layer[name]["kernel"] for name in layout.flax_recurrents]
        biases = [layer[name]["bias"] for name in layout.flax_biased]
        new = {"new_bias": layer["hn"]["bias"]} if layout is LAYOUTS["gru"] else {}
    except KeyError as error:
        raise UserError(f"{name}: a part of Flax's {layout.flax} has no {error}.") from error
    return {
        "kernel": np.concatenate(inputs, axis=1),
        "recurrent_kernel": np.concatenate(recurrents, axis=1),
        "bias": np.concatenate(biases),
        **new,
    }


def to_torch(params: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """A ``state_dict`` of modules ``embedding``, ``layer_0`` …, ``hidden`` and ``logit``.

    They are ``nn.Embedding``, ``nn.RNN``, ``nn.LSTM`` or ``nn.GRU`` and ``nn.Linear``. Each
    recurrent layer is a module of its own, so that its arrays end in ``_l0``.
    """
    held = host(params)
    return {
        f"{name}.{leaf}": array
        for name in part_names(sum(map(is_recurrent, held)))
        for leaf, array in _torch_module(held[name]).items()
    }


def _torch_module(part: Tree) -> Tree:
    if "embedding" in part:
        return {"weight": part["embedding"]}
    if "recurrent_kernel" in part:
        return torch_layer(part)
    return {"weight": part["kernel"].T, "bias": part["bias"]}


def torch_layer(layer: Tree) -> Tree:
    """A recurrent layer's arrays, NumPy's or JAX's, by PyTorch's names and in its order.

    cuDNN takes the same arrays, one after the other.
    """
    first_G, second_G = two_biases(layer)
    return {
        "weight_ih_l0": layer["kernel"].T,
        "weight_hh_l0": layer["recurrent_kernel"].T,
        "bias_ih_l0": first_G,
        "bias_hh_l0": second_G,
    }


def from_torch(state: Mapping[str, Any], *, gradients: bool = False) -> Tree:
    """Parameters from a ``state_dict`` as arrays, or from gradients under the same names.

    The modules, whatever their names, stand in the order of the forward pass: one ``nn.Embedding``,
    recurrent modules of one or several layers, two ``nn.Linear``. A state does not say the
    nonlinearity of ``nn.RNN``: it is taken to be tanh.

    Raises:
      UserError: for other modules (without bias, bidirectional, with projections), and for shapes
        that do not follow one another.
    """
    modules: dict[str, Tree] = {}
    for key, array in state.items():
        module, _, leaf = key.rpartition(".")
        modules.setdefault(module, {})[leaf] = np.asarray(array)
    params: Tree = {}
    dense, layers = iter(("hidden", "logit")), 0
    for module, leaves in modules.items():
        if set(leaves) == {"weight"} and not params:
            params["embedding"] = {"embedding": leaves["weight"]}
        elif set(leaves) == {"weight", "bias"} and (part := next(dense, None)):
            params[part] = {"kernel": leaves["weight"].T, "bias": leaves["bias"]}
        else:
            for layer in _torch_layers(module, leaves):
                params[f"layer_{layers}"] = _from_torch_layer(layer, gradients)
                layers += 1
    check(params)
    return params


_TORCH_LEAVES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _torch_layers(module: str, leaves: Tree) -> list[Tree]:
    """The arrays of each layer of a recurrent module, the lowest first."""
    count = len(leaves) // len(_TORCH_LEAVES)
    names = [{leaf: f"{leaf}_l{i}" for leaf in _TORCH_LEAVES} for i in range(count)]
    if set(leaves) != {name for one in names for name in one.values()}:
        odd = next((x for x in leaves if not re.fullmatch(r"(weight|bias)_[ih]h_l\d+", x)), module)
        raise UserError(
            f"The module {module!r} has not the arrays of an Embedding, a recurrent layer with "
            f"biases or a Linear in its place ({odd!r}); expected Embedding, RNN, LSTM or GRU of "
            "one direction, Linear, Linear."
        )
    return [{leaf: leaves[name] for leaf, name in one.items()} for one in names]


def _from_torch_layer(layer: Tree, gradients: bool) -> Tree:
    kernel, recurrent_kernel = layer["weight_ih"].T, layer["weight_hh"].T
    cell = cell_of({"recurrent_kernel": recurrent_kernel})
    first_G, second_G = layer["bias_ih"], layer["bias_hh"]
    if {first_G.shape, second_G.shape} != {recurrent_kernel.shape[1:]}:
        raise UserError(
            f"Biases {first_G.shape} and {second_G.shape} do not follow a recurrent kernel "
            f"{recurrent_kernel.shape}."
        )
    biases = one_bias(first_G, second_G, cell, gradients)
    return {"kernel": kernel, "recurrent_kernel": recurrent_kernel, **biases}
