"""The classifier: embedding, stacked recurrent layers, a small head, one logit per review."""

import functools
from typing import Any, get_args

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen.initializers import glorot_uniform, orthogonal

from rnnsent import cells, recurrence
from rnnsent.arrays import Array, Carry
from rnnsent.deep import Bidirectional, Compute, Deep
from rnnsent.layers import Recurrent
from rnnsent.pooling import Pooling, pooled, running


def _embedding_init(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
    """Keras's default for embeddings."""
    return jax.random.uniform(key, shape, dtype, -0.05, 0.05)


OPTIONS = ("bidirectional", "pooling", "residual", "layer_norm", "compute")
"""Fields without which a model is plain recurrent layers whose last output is read."""


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
      bidirectional: each recurrent layer reads both ways, and gives both outputs side by side.
      pooling: what the head reads of the top layer's outputs, see :mod:`rnnsent.pooling`; ``last``
        is the forward direction's after the last real step, the backward one's after the first.
      residual: from the second recurrent layer on, a layer's inputs are added to its outputs; all
        ``features`` must be equal.
      layer_norm: each recurrent layer's inputs pass a ``flax.linen.LayerNorm`` of their own, which
        both directions share; what ``residual`` adds are the inputs before it.
      compute: what the recurrent layers' matrix products and those of their gradients are taken in,
        see :mod:`rnnsent.kernels.bfloat16`, also for how far that is from float32; parameters,
        carries, head and loss are float32.
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
    bidirectional: bool = False
    pooling: Pooling = "last"
    residual: bool = False
    layer_norm: bool = False
    compute: Compute = "float32"

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
        for name, type_ in (("pooling", Pooling), ("compute", Compute)):
            if (value := getattr(self, name)) not in (choices := get_args(type_)):
                raise ValueError(f"{name} is {value!r}, expected {' or '.join(choices)}")
        if self.residual and (len(self.features) == 1 or len(set(self.features)) > 1):
            raise ValueError(
                "residual adds a recurrent layer's inputs to its outputs from the second layer on: "
                f"it needs two layers or more of equal widths, and features are {self.features}"
            )
        super().__post_init__()

    def setup(self) -> None:
        self.embedding = nn.Embed(
            self.vocab_size, self.embedding_size, embedding_init=_embedding_init
        )
        self.layer = self._cells()
        self.recurrent = self._recurrent()
        self.hidden = nn.Dense(self.head, kernel_init=glorot_uniform())
        self.logit = nn.Dense(1, kernel_init=glorot_uniform())

    @property
    def chosen(self) -> str:
        """The implementation that runs here: of ``auto`` the one for its cell and this backend."""
        affine = cells.find(self.cell).affine is not None
        return recurrence.resolve(self.implementation, affine=affine)

    @nn.nowrap
    def _cells(self) -> list[cells.Cell]:
        options = dict(self.cell_options)
        return [cells.create(self.cell, width, options) for width in self.features]

    @nn.nowrap
    def _recurrent(self) -> Any:
        """The recurrent layers; plain ones unless an option asks for more."""
        if not self.options().keys() - {"pooling"}:
            return Recurrent(self.layer, self.dropout, self.recurrent_dropout, self.chosen)
        self.norm = [nn.LayerNorm() for _ in self.features if self.layer_norm]
        if not self.bidirectional:
            return self._deep(self.layer, self.norm, skip_from=1 if self.residual else None)
        self.layer_backward = self._cells()
        self.ahead = self._one_by_one(self.layer, reverse=False)
        self.back = self._one_by_one(self.layer_backward, reverse=True)
        return Bidirectional(self.ahead, self.back)

    @nn.nowrap
    def _deep(self, layers: list[cells.Cell], norms: list[nn.LayerNorm], **options: Any) -> Deep:
        names = ("dropout", "recurrent_dropout", "compute")
        options |= {name: getattr(self, name) for name in names}
        return Deep(layers, norms=norms, implementation=self.chosen, **options)

    @nn.nowrap
    def _one_by_one(self, layers: list[cells.Cell], *, reverse: bool) -> list[Deep]:
        """The layers of one direction; each adds its own half of what both read below."""
        found = []
        for i, cell in enumerate(layers):
            skip_from = 0 if self.residual and i else None
            options = {"skip_from": skip_from, "skip_part": (int(reverse), 2), "reverse": reverse}
            found.append(self._deep([cell], list(self.norm[i : i + 1]), **options))
        return found

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
        if self.pooling == "last":
            carry, _ = self.recurrent(x_BTE, mask, sequences=False, **options)
            return self.classify(carry[0])
        carry, y_BTH = self.recurrent(x_BTE, mask, **options)
        assert y_BTH is not None, "sequences are returned unless refused"
        return self.classify(pooled(self.pooling, carry[0], y_BTH, mask))

    def classify(self, h_H: Array) -> Array:
        """Logits (...) of top outputs (..., H)."""
        return self.logit(nn.relu(self.hidden(h_H)))[..., 0]

    def trajectory(self, ids_BT: Array, mask: Array | None = None) -> Array:
        """Logits (B, T) after each step: what the model would say if the review ended there.

        Raises:
          ValueError: for a model that reads both ways, whose outputs all know the review's end;
            :func:`rnnsent.analysis.trajectory` reads every beginning by itself.
        """
        self._require_one_way("trajectory; use rnnsent.analysis.trajectory")
        x_BTE, mask = self.embed(ids_BT, mask)
        _, y_BTH = self.recurrent(x_BTE, mask)
        assert y_BTH is not None, "sequences are returned unless refused"
        return self.classify(running(self.pooling, y_BTH, mask))

    def initial_carries(self, x_BTE: Array) -> list[Carry]:
        """Each layer's carry before the first step, the lowest layer's first.

        Raises:
          ValueError: for a model that reads both ways.
        """
        self._require_one_way("one carry between two steps")
        return [layer.carry for layer in self.recurrent.layers(x_BTE)]

    @nn.nowrap
    def _require_one_way(self, what: str) -> None:
        if self.bidirectional:
            raise ValueError(f"a model that reads both ways (bidirectional) has no {what}")

    @nn.nowrap
    def options(self) -> dict[str, Any]:
        """Those of what a recurrent classifier need not have that are not at their defaults."""
        held = {name: getattr(self, name) for name in OPTIONS}
        return {name: value for name, value in held.items() if value != getattr(type(self), name)}


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
      params: with the recurrent layers as ``layer_0`` and so on, ``layer_backward_0`` too.
      key: what they were drawn from.
      model: with ``cell``, ``features``, ``recurrent_init`` and ``recurrent_gain``.

    Raises:
      ValueError: if there are none of that name, or they cannot start so.
    """
    if model.recurrent_init == "own" and model.recurrent_gain == 1:
        return params
    for i, name in enumerate(_layers(params)):
        layer = params[name]
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


def _layers(params: dict) -> list[str]:
    """Names of the recurrent layers, the lowest first, those that read backward after the others.

    By their numbers: of eleven layers the names' own order is another.
    """
    names = [name for name in params if name.startswith("layer_")]
    return sorted(names, key=lambda name: (len(name.split("_")), int(name.rpartition("_")[2])))


def still(model: SentimentClassifier) -> SentimentClassifier:
    """A model without what acts in training or before: trained models then share programs."""
    return model.clone(dropout=0.0, recurrent_dropout=0.0, recurrent_init="own", recurrent_gain=1.0)
