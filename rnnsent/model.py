"""The classifier: embedding, stacked recurrent layers, a small head, one logit per review."""

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen.initializers import glorot_uniform

from rnnsent.cells import CELLS, Array
from rnnsent.recurrence import Recurrent


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """What a classifier is made of; the defaults are common to the notebook's two models."""

    cell: str = "lstm"
    """Name of the recurrent cell, a key of ``cells.CELLS``."""
    features: tuple[int, ...] = (128, 64)
    """Width of each recurrent layer, the lowest first."""
    head: int = 32
    """Width of the dense layer above the recurrent ones."""
    dropout: float = 0.1
    """Share of each recurrent layer's inputs dropped in training."""
    recurrent_dropout: float = 0.0
    """Share of the recurrent state dropped in training."""
    vocab_size: int = 5000
    """Number of token ids, padding, start mark and unknown word included."""
    embedding_size: int = 32
    """Width of a token's embedding."""

    def __post_init__(self):
        if self.cell not in CELLS:
            raise ValueError(f"unknown cell {self.cell!r}; expected one of {', '.join(CELLS)}")
        sizes = (*self.features, self.head, self.vocab_size, self.embedding_size)
        if not self.features or min(sizes) < 1:
            raise ValueError("every width must be at least 1, and there must be a recurrent layer")
        for name in ("dropout", "recurrent_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected a share in [0, 1)")


PRESETS: dict[str, ModelConfig] = {
    "simple_rnn": ModelConfig(cell="simple_rnn", head=64, recurrent_dropout=0.1),
    "lstm": ModelConfig(cell="lstm", head=32),
}
"""The notebook's two models."""


def _embedding_init(key: Array, shape: tuple[int, ...], dtype=jnp.float32) -> Array:
    """Keras's default for embeddings."""
    return jax.random.uniform(key, shape, dtype, -0.05, 0.05)


class SentimentClassifier(nn.Module):
    """Token ids to the logit of a positive review.

    Attributes:
      config: see :class:`ModelConfig`.
      implementation: of the recurrence, see :func:`rnnsent.recurrence.scan`.
    """

    config: ModelConfig
    implementation: str = "scan"

    def setup(self):
        config, cell = self.config, CELLS[self.config.cell]
        self.embedding = nn.Embed(
            config.vocab_size, config.embedding_size, embedding_init=_embedding_init
        )
        self.layer = [cell(features) for features in config.features]
        self.recurrent = Recurrent(
            self.layer,
            config.dropout,
            config.recurrent_dropout,
            {"implementation": self.implementation},
        )
        self.hidden = nn.Dense(config.head, kernel_init=glorot_uniform())
        self.logit = nn.Dense(1, kernel_init=glorot_uniform())

    def __call__(
        self,
        ids_BT: Array,
        mask_BT: Array | None = None,
        *,
        right_padded: bool = False,
        train: bool = False,
        rows_B: Array | None = None,
        workspace: Any = None,
    ) -> Array:
        """Logits (B,) of whole reviews.

        Args:
          ids_BT: int32 token ids, 0 = padding.
          mask_BT: bool, True = real; by default every id but 0.
          right_padded: a promise that every row's real steps come first.
          train: apply dropout, with the random stream ``dropout``.
          rows_B: each row's number in the whole batch, where this is a part of one.
          workspace: from :meth:`workspace`, or None.
        """
        x_BTE, mask_BT = self.embed(ids_BT, mask_BT)
        carry, _ = self.recurrent(
            x_BTE,
            mask_BT,
            sequences=False,
            right_padded=right_padded,
            train=train,
            rows_B=rows_B,
            workspace=workspace,
        )
        return self.head(carry[0])

    def workspace(self, ids_BT: Array, *, train: bool = False) -> Any:
        """See :meth:`rnnsent.recurrence.Recurrent.workspace`."""
        return self.recurrent.workspace(self.embedding(ids_BT), train=train)

    def embed(self, ids_BT: Array, mask_BT: Array | None = None) -> tuple[Array, Array]:
        """Embeddings (B, T, E) and the mask (B, T) they are read under."""
        return self.embedding(ids_BT), ids_BT != 0 if mask_BT is None else mask_BT

    def head(self, h_H: Array) -> Array:
        """Logits (...) of top outputs (..., H)."""
        return self.logit(nn.relu(self.hidden(h_H)))[..., 0]

    def trajectory(self, ids_BT: Array, mask_BT: Array | None = None) -> Array:
        """Logits (B, T) after each step: what the model would say if the review ended there."""
        _, y_BTH = self.recurrent(*self.embed(ids_BT, mask_BT))
        return self.head(y_BTH)


@functools.partial(jax.jit, static_argnames="config")
def init(config: ModelConfig, key: Array) -> dict:
    """Fresh parameters of a classifier; one program, where Flax by itself compiles every draw."""
    return SentimentClassifier(config).init(key, jnp.ones((1, 1), jnp.int32))["params"]


def summary(config: ModelConfig, maxlen: int = 132) -> list[tuple[str, str, int]]:
    """The layers as Keras's ``summary()`` lists them: name, output shape, parameters."""
    params = jax.eval_shape(lambda: init(config, jax.random.key(0)))

    def count(name):
        return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params[name]))

    title = CELLS[config.cell].__name__.removesuffix("Cell")
    rows = [("Embedding", f"(B, {maxlen}, {config.embedding_size})", count("embedding"))]
    for i, features in enumerate(config.features):
        last = i == len(config.features) - 1
        shape = f"(B, {features})" if last else f"(B, {maxlen}, {features})"
        rows.append(
            (f"{title} {features} {'last' if last else 'sequences'}", shape, count(f"layer_{i}"))
        )
    rows.append((f"Dense {config.head} relu", f"(B, {config.head})", count("hidden")))
    return [*rows, ("Dense 1 sigmoid", "(B, 1)", count("logit"))]
