"""The classifier: embedding, stacked recurrent layers, a small head, one logit per review."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen.initializers import glorot_uniform, orthogonal

from rnnsent import cells
from rnnsent.arrays import Array, Carry
from rnnsent.layers import Recurrent


def _embedding_init(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
    """Keras's default for embeddings."""
    return jax.random.uniform(key, shape, dtype, -0.05, 0.05)


class SentimentClassifier(nn.Module):
    """Token ids to the logit of a positive review.

    The module is its own configuration: hashable, equal by value, a static argument of whatever is
    compiled. The defaults are common to the notebook's two models.

    Attributes:
      cell: name of the recurrent cell, see :func:`rnnsent.cells.find`.
      cell_options: its hyper-parameters, pairs of name and value.
      features: width of each recurrent layer, the lowest first.
      head: width of the dense layer above the recurrent ones.
      dropout: share of each recurrent layer's inputs dropped in training.
      recurrent_dropout: share of the recurrent state dropped in training.
      recurrent_init: how the parameters called ``recurrent_kernel`` start: as the cell's ``own``
        initialiser has it, ``orthogonal``, or as the ``identity`` (arXiv:1504.00941).
      recurrent_gain: what they are multiplied by at the start.
      vocab_size: number of token ids, padding, start mark and unknown word included.
      embedding_size: width of a token's embedding.
      implementation: of the recurrence, see :func:`rnnsent.recurrence.scan`.
    """

    cell: str = "lstm"
    cell_options: tuple[tuple[str, Any], ...] = ()
    features: tuple[int, ...] = (128, 64)
    head: int = 32
    dropout: float = 0.1
    recurrent_dropout: float = 0.0
    recurrent_init: str = "own"
    recurrent_gain: float = 1.0
    vocab_size: int = 5000
    embedding_size: int = 32
    implementation: str = "auto"

    def __post_init__(self) -> None:
        sizes = (*self.features, self.head, self.vocab_size, self.embedding_size)
        if not self.features or min(sizes) < 1:
            raise ValueError("every width must be at least 1, and there must be a recurrent layer")
        for name in ("dropout", "recurrent_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected a share in [0, 1)")
        if self.recurrent_init not in ("own", *_STARTS):
            raise ValueError(
                f"recurrent_init is {self.recurrent_init!r}, expected own, orthogonal or identity"
            )
        super().__post_init__()

    def setup(self) -> None:
        self.embedding = nn.Embed(
            self.vocab_size, self.embedding_size, embedding_init=_embedding_init
        )
        options = dict(self.cell_options)
        self.layer = [cells.create(self.cell, width, options) for width in self.features]
        self.recurrent = Recurrent(
            self.layer, self.dropout, self.recurrent_dropout, self.implementation
        )
        self.hidden = nn.Dense(self.head, kernel_init=glorot_uniform())
        self.logit = nn.Dense(1, kernel_init=glorot_uniform())

    def __call__(
        self,
        ids_BT: Array,
        mask: Array | None = None,
        *,
        train: bool = False,
        rows_B: Array | None = None,
    ) -> Array:
        """Logits (B,) of whole reviews.

        Args:
          ids_BT: int32 token ids, 0 = padding.
          mask: bool (B, T) or int32 lengths (B,), see :mod:`rnnsent.recurrence`; by default every
            id but 0 is real.
          train: apply dropout, with the random stream ``dropout``.
          rows_B: each row's number in the whole batch, where this is a part of one.
        """
        x_BTE, mask = self.embed(ids_BT, mask)
        return self.read(x_BTE, mask, train=train, rows_B=rows_B)

    def embed(self, ids_BT: Array, mask: Array | None = None) -> tuple[Array, Array]:
        """Embeddings (B, T, E) and the mask they are read under."""
        return self.embedding(ids_BT), ids_BT != 0 if mask is None else mask

    def read(self, x_BTE: Array, mask: Array | None = None, **options: Any) -> Array:
        """Logits (B,) of embedded reviews; ``options`` as ``Recurrent.__call__`` takes them."""
        carry, _ = self.recurrent(x_BTE, mask, sequences=False, **options)
        return self.classify(carry[0])

    def classify(self, h_H: Array) -> Array:
        """Logits (...) of top outputs (..., H)."""
        return self.logit(nn.relu(self.hidden(h_H)))[..., 0]

    def trajectory(self, ids_BT: Array, mask: Array | None = None) -> Array:
        """Logits (B, T) after each step: what the model would say if the review ended there."""
        _, y_BTH = self.recurrent(*self.embed(ids_BT, mask))
        assert y_BTH is not None, "sequences are returned unless refused"
        return self.classify(y_BTH)

    def initial_carries(self, x_BTE: Array) -> list[Carry]:
        """Each layer's carry before the first step, the lowest layer's first."""
        return [layer.carry for layer in self.recurrent.layers(x_BTE)]


def _identity(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
    del key
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(
            f"recurrent_init='identity' needs square recurrent kernels, this cell's is "
            f"{list(shape)}; choose own or orthogonal"
        )
    return jnp.eye(shape[0], dtype=dtype)


_STARTS = {"orthogonal": orthogonal(), "identity": _identity}


@functools.partial(jax.jit, static_argnames="model")
def init(model: SentimentClassifier, key: Array) -> dict:
    """Fresh parameters of a classifier; one program, where Flax by itself compiles every draw.

    Raises:
      ValueError: if the recurrent weights shall start otherwise and the cell has none of that name.
    """
    params = model.init(key, jnp.ones((1, 1), jnp.int32))["params"]
    return restarted(params, key, model)


def restarted(params: dict, key: Array, model: Any) -> dict:
    """Parameters of which those called recurrent_kernel start as the model says.

    Args:
      params: with the recurrent layers as ``layer_0`` and so on.
      key: what they were drawn from.
      model: with ``cell``, ``features``, ``recurrent_init`` and ``recurrent_gain``.

    Raises:
      ValueError: if there are none of that name, or they cannot start so.
    """
    if model.recurrent_init == "own" and model.recurrent_gain == 1:
        return params
    for i in range(len(model.features)):
        layer = params[f"layer_{i}"]
        if "recurrent_kernel" not in layer:
            raise ValueError(
                f"recurrent_init and recurrent_gain act on parameters called recurrent_kernel, "
                f"and {model.cell} has none; leave them at own and 1"
            )
        kernel = layer["recurrent_kernel"]
        if model.recurrent_init != "own":
            start = _STARTS[model.recurrent_init]
            kernel = start(jax.random.fold_in(key, i), kernel.shape, kernel.dtype)
        layer["recurrent_kernel"] = model.recurrent_gain * kernel
    return params


def still(model: SentimentClassifier) -> SentimentClassifier:
    """A model without what acts in training or before: trained models then share programs."""
    return model.clone(dropout=0.0, recurrent_dropout=0.0, recurrent_init="own", recurrent_gain=1.0)
