"""A classifier's parameters, counted and listed without making any."""

from collections.abc import Mapping
from typing import Any

import jax

from rnnsent import cells
from rnnsent.model import SentimentClassifier, init


def shapes(model: SentimentClassifier) -> dict[str, Any]:
    """Shapes and dtypes of the parameters, as :func:`rnnsent.model.init` names them.

    Raises:
      ValueError: where the model cannot be made, see there.
    """
    return jax.eval_shape(lambda: init(model, jax.random.key(0)))


def recurrent(params: Mapping[str, Any]) -> list[Any]:
    """Those of the recurrent layers, the lowest first, then those that read backward.

    A layer without any is left out.
    """
    return [layer for name, layer in params.items() if name.startswith("layer_")]


def size(params: Any) -> int:
    """How many numbers a pytree of arrays, or of their shapes, has."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def summary(model: SentimentClassifier, maxlen: int = 132) -> list[tuple[str, str, int]]:
    """The layers as Keras's ``summary()`` lists them: name, output shape, parameters."""
    params = shapes(model)

    def count(name):
        return size(params.get(name, {}))

    title, parts = cells.title(model.cell), ("layer_{}", "layer_backward_{}", "norm_{}")
    title += " both ways" if model.bidirectional else ""
    rows = [("Embedding", f"(B, {maxlen}, {model.embedding_size})", count("embedding"))]
    for i, features in enumerate(model.features):
        width = features * (2 if model.bidirectional else 1)
        top = i == len(model.features) - 1
        shape = f"(B, {width})" if top else f"(B, {maxlen}, {width})"
        gives = model.pooling if top else "sequences"
        counted = sum(count(part.format(i)) for part in parts)
        rows.append((f"{title} {features} {gives}", shape, counted))
    rows.append((f"Dense {model.head} relu", f"(B, {model.head})", count("hidden")))
    return [*rows, ("Dense 1 sigmoid", "(B, 1)", count("logit"))]
