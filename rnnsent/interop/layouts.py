"""How Keras, PyTorch and Flax lay out what rnnsent computes: one table, and what the layouts share.

Each library has the same SimpleRNN, LSTM and GRU; what differs is the order of the gates, which
arrays stand side by side, and how many biases there are.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from rnnsent.errors import UserError

Tree = dict[str, Any]
"""Parameters of a part by name; NumPy's arrays or JAX's."""

RECURRENT = ("kernel", "recurrent_kernel", "bias")
"""A recurrent layer's arrays in Keras's order."""

DENSE = ("kernel", "bias")
"""A dense layer's arrays in Keras's order."""


class Layout(NamedTuple):
    """A cell in each library.

    Attributes:
      gates: pre-activations side by side, in our order: LSTM i, f, g, o; GRU r, z, n.
      keras: the layer's class in ``keras.layers``.
      keras_order: the same gates in Keras's order; the permutation is its own inverse.
      torch: the layer's class in ``torch.nn``.
      flax: the cell's class in ``flax.linen``; ``LSTMCell`` has the arrays of the optimized.
      flax_inputs: Flax's names of the input kernels, in our order.
      flax_recurrents: of the recurrent kernels.
      flax_biased: which of them the biases stand beside. The GRU's ``hn`` has one too, our
        ``new_bias``.
    """

    gates: int
    keras: str
    keras_order: tuple[int, ...]
    torch: str
    flax: str
    flax_inputs: tuple[str, ...]
    flax_recurrents: tuple[str, ...]
    flax_biased: tuple[str, ...]


_LSTM_H, _GRU_I = ("hi", "hf", "hg", "ho"), ("ir", "iz", "in")

LAYOUTS: dict[str, Layout] = {
    "simple_rnn": Layout(1, "SimpleRNN", (0,), "RNN", "SimpleCell", ("i",), ("h",), ("i",)),
    "lstm": Layout(
        *(4, "LSTM", (0, 1, 2, 3), "LSTM", "OptimizedLSTMCell"),
        *(("ii", "if", "ig", "io"), _LSTM_H, _LSTM_H),
    ),
    "gru": Layout(3, "GRU", (1, 0, 2), "GRU", "GRUCell", _GRU_I, ("hr", "hz", "hn"), _GRU_I),
}
"""By the cell's name here, which is also Keras's name of a layer's folder in a file of weights."""


def cell_of(layer: Tree) -> str:
    """The name of the cell with this ``recurrent_kernel`` (H, G), told by its gates.

    Raises:
      UserError: if there is none.
    """
    shape = np.shape(layer["recurrent_kernel"])
    for name, layout in LAYOUTS.items():
        if len(shape) == 2 and shape[0] and shape[1] == layout.gates * shape[0]:
            return name
    raise UserError(
        f"A recurrent kernel of shape {list(shape)} is no SimpleRNN's, LSTM's or GRU's; expected "
        "[H, H], [H, 4H] or [H, 3H]."
    )


def is_recurrent(name: str) -> bool:
    """Whether the part of that name is a recurrent layer."""
    return name.startswith("layer_")


def host(params: Mapping[str, Any]) -> Tree:
    """The parameters as NumPy's arrays, in the order given."""
    return {name: jax.tree.map(np.asarray, part) for name, part in params.items()}


def two_biases(layer: Tree) -> tuple[Any, Any]:
    """The biases (G,) beside the input and the recurrent kernel, where a library has both.

    The second is zero but for what the GRU's reset gate scales.
    """
    bias_G, new_H = layer["bias"], layer.get("new_bias")
    xp = bias_G.__array_namespace__()
    if new_H is None:
        return bias_G, xp.zeros_like(bias_G)
    return bias_G, xp.concatenate([xp.zeros_like(bias_G[: -len(new_H)]), new_H])


def one_bias(first_G: np.ndarray, second_G: np.ndarray, cell: str, gradients: bool) -> Tree:
    """Ours of the two that Keras's GRU and PyTorch's layers have; see :mod:`rnnsent.interop`."""
    if cell != "gru":
        return {"bias": first_G if gradients else first_G + second_G}
    added = 2 * len(first_G) // 3
    bias_G = first_G.copy()
    bias_G[:added] += 0 if gradients else second_G[:added]
    return {"bias": bias_G, "new_bias": second_G[added:]}


def part_names(layers: int) -> list[str]:
    """The parts of a classifier in the order of its forward pass."""
    return ["embedding", *(f"layer_{i}" for i in range(layers)), "hidden", "logit"]


def check(params: Tree) -> str:
    """The cell of a whole classifier's parameters, whose shapes must follow one another.

    Raises:
      UserError: if a part is missing or too many, shapes do not fit, or the cells differ.
    """
    layers = sum(map(is_recurrent, params))
    if not layers or set(params) != set(part_names(layers)):
        raise UserError(
            f"{', '.join(map(repr, params))} are not the parts of a classifier; expected "
            "embedding, layer_0 and those above it, hidden and logit."
        )
    table = params["embedding"].get("embedding")
    _require_shape("embedding", "embedding", table, (None, None))
    width = table.shape[1]
    cells = {_check_layer(f"layer_{i}", params, below) for i, below in _widths(params, width)}
    if len(cells) > 1:
        raise UserError(f"The recurrent layers are of several kinds: {', '.join(sorted(cells))}.")
    width = len(params[f"layer_{layers - 1}"]["recurrent_kernel"])
    for part, outputs in (("hidden", None), ("logit", 1)):
        _require_leaves(part, params[part], DENSE)
        _require_shape(part, "kernel", params[part]["kernel"], (width, outputs))
        width = params[part]["kernel"].shape[1]
        _require_shape(part, "bias", params[part]["bias"], (width,))
    return cells.pop()


def _widths(params: Tree, width: int) -> Sequence[tuple[int, int]]:
    """Each recurrent layer's number and the width of what enters it."""
    found = []
    for i in range(sum(map(is_recurrent, params))):
        found.append((i, width))
        width = len(params[f"layer_{i}"].get("recurrent_kernel", ()))
    return found


def _check_layer(part: str, params: Tree, width: int) -> str:
    layer = params[part]
    if "recurrent_kernel" not in layer:
        raise UserError(f"{part} has no recurrent_kernel; it has {', '.join(map(repr, layer))}.")
    cell = cell_of(layer)
    _require_leaves(part, layer, (*RECURRENT, *(["new_bias"] if cell == "gru" else [])))
    features, gates = layer["recurrent_kernel"].shape
    _require_shape(part, "kernel", layer["kernel"], (width, gates))
    _require_shape(part, "bias", layer["bias"], (gates,))
    if cell == "gru":
        _require_shape(part, "new_bias", layer["new_bias"], (features,))
    return cell


def _require_leaves(part: str, leaves: Tree, names: Sequence[str]) -> None:
    if set(leaves) != set(names):
        held = ", ".join(map(repr, leaves))
        raise UserError(f"{part} has the arrays {held}; expected {', '.join(names)}.")


def _require_shape(part: str, leaf: str, array: Any, shape: tuple[int | None, ...]) -> None:
    """``None`` stands for any width."""
    held = np.shape(array) if array is not None else ()
    fits = len(held) == len(shape) and all(
        have and want in (None, have) for have, want in zip(held, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise UserError(
            f"{part}'s {leaf} has the shape {list(held)} where [{wanted}] is expected: the arrays "
            "do not follow one another. Give the weights in the model's own order."
        )
