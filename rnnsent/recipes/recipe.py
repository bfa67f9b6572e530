"""A recipe's fields, what is made of them, and the recipes that are shipped."""

import hashlib
import math
import re
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import optax
from msgspec import Meta

from rnnsent import cells, optimizers, parameters
from rnnsent.deep import Compute
from rnnsent.errors import UserError
from rnnsent.model import OPTIONS, SentimentClassifier
from rnnsent.pooling import Pooling

Scalar = bool | int | float | str
Width = Annotated[int, Meta(ge=1)]


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that a training follows from besides data and seed.

    Raises:
      UserError: for values that do not go together.
    """

    name: Annotated[str, Meta(min_length=1)]
    cell: Annotated[
        str,
        Meta(
            min_length=1, description=f"Recurrent cell: {', '.join(cells.CELLS)} or module:Class."
        ),
    ]
    cell_options: Annotated[
        dict[str, Scalar], Meta(description="Hyper-parameters of the cell, its class's attributes.")
    ] = {}
    features: Annotated[
        tuple[Width, ...],
        Meta(min_length=1, description="Width of each recurrent layer, the lowest first."),
    ] = (128, 64)
    head: Annotated[int, Meta(ge=1, description="Width of the dense layer above them.")] = 32
    embedding_size: Annotated[int, Meta(ge=1, description="Width of a token's embedding.")] = 32
    dropout: Annotated[
        float,
        Meta(ge=0, lt=1, description="Share of each recurrent layer's inputs dropped in training."),
    ] = 0.1
    recurrent_dropout: Annotated[
        float, Meta(ge=0, lt=1, description="Share of the recurrent state dropped in training.")
    ] = 0.0
    recurrent_init: Annotated[
        Literal["own", "orthogonal", "identity"],
        Meta(description="First recurrent weights; own: those of the cell."),
    ] = "own"
    recurrent_gain: Annotated[
        float, Meta(gt=0, description="What the first recurrent weights are multiplied by.")
    ] = 1.0
    bidirectional: Annotated[
        bool, Meta(description="Each recurrent layer reads the review both ways.")
    ] = False
    pooling: Annotated[
        Pooling,
        Meta(description="What the head reads of the top layer's outputs, over real steps."),
    ] = "last"
    residual: Annotated[
        bool,
        Meta(
            description="From the second recurrent layer on, inputs are added to outputs; widths "
            "must be equal."
        ),
    ] = False
    layer_norm: Annotated[
        bool, Meta(description="Each recurrent layer's inputs pass a layer norm.")
    ] = False
    compute: Annotated[
        Compute,
        Meta(description="What the recurrent layers' matrix products are taken in."),
    ] = "float32"
    epochs: Annotated[
        int, Meta(ge=1, description="Passes over the training reviews in one fit.")
    ] = 10
    fits: Annotated[
        int, Meta(ge=1, description="Fits one after the other, each from where the last one ended.")
    ] = 1
    batch_size: Annotated[
        int, Meta(ge=1, description="Reviews in an optimizer step, at most all there are.")
    ] = 512
    learning_rate: Annotated[float, Meta(gt=0, description="Of Adam, at the start.")] = 1e-3
    schedule: Annotated[
        Literal["constant", "cosine"],
        Meta(description="Of the learning rate; cosine: down to zero at the end of all fits."),
    ] = "constant"
    clip: Annotated[
        float, Meta(ge=0, description="Largest norm of the gradients; 0 does not clip.")
    ] = 0.0
    weight_decay: Annotated[
        float, Meta(ge=0, description="Decoupled decay of all weights; 0 is none.")
    ] = 0.0
    averaging: Annotated[
        float,
        Meta(
            ge=0,
            lt=1,
            description="Decay of a running mean of the weights, which is then what is evaluated; "
            "0 is none.",
        ),
    ] = 0.0

    def __post_init__(self) -> None:
        for field, value in self.fields().items():
            if isinstance(value, float) and not math.isfinite(value):
                raise UserError(f"{self.name}: {field} is {value}; it must be finite.")
        for option in self.cell_options:
            if not option.isidentifier() or option in ("features", "name", "parent"):
                raise UserError(f"{self.name}: cell_options has {option!r}, no cell's option.")
        try:
            self.classifier(vocab_size=1)
        except ValueError as error:  # for example widths that a skip connection cannot bridge
            raise UserError(f"{self.name}: {error}.") from error

    def fields(self) -> dict[str, Any]:
        """All but the name."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name != "name"}

    def classifier(self, vocab_size: int, implementation: str = "auto") -> SentimentClassifier:
        """The model, for ids below ``vocab_size``; see :mod:`rnnsent.recurrence` for the latter."""
        return SentimentClassifier(
            cell=self.cell,
            cell_options=tuple(sorted(self.cell_options.items())),
            features=self.features,
            head=self.head,
            dropout=self.dropout,
            recurrent_dropout=self.recurrent_dropout,
            recurrent_init=self.recurrent_init,
            recurrent_gain=self.recurrent_gain,
            vocab_size=vocab_size,
            embedding_size=self.embedding_size,
            implementation=implementation,
            **{name: getattr(self, name) for name in OPTIONS},
        )

    def optimizer(self, rows: int) -> optax.GradientTransformation:
        """The optimizer of a training on ``rows`` reviews."""
        return optimizers.adam(
            self.learning_rate,
            schedule=self.schedule,
            steps=self.steps(rows),
            clip=self.clip,
            weight_decay=self.weight_decay,
            averaging=self.averaging,
        )

    def rate(self, step: int, rows: int) -> float:
        """The learning rate after ``step`` steps of a training on ``rows`` reviews."""
        rate = optimizers.rate_of(self.learning_rate, self.schedule, self.steps(rows))
        return float(rate(step)) if callable(rate) else rate

    def batch(self, rows: int) -> int:
        """Reviews in a step, of ``rows`` there are."""
        return min(self.batch_size, rows)

    def steps(self, rows: int) -> int:
        """Optimizer steps of a whole training on ``rows`` reviews."""
        return math.ceil(rows / self.batch(rows)) * self.epochs * self.fits

    def work(self) -> int:
        """Of a training, for setting recipes beside one another: recurrent weights times epochs.

        Raises:
          UserError: if there is no such cell, or the layers cannot be made of it.
        """
        model = self.classifier(vocab_size=1)
        try:
            layers = parameters.recurrent(parameters.shapes(model))
        except ValueError as error:  # for example an identity that is not square
            raise UserError(f"{self.name}: {error}.") from error
        return parameters.size(layers) * self.epochs * self.fits

    @property
    def shipped(self) -> bool:
        """Whether this is the shipped recipe of its name, nothing changed."""
        return SHIPPED.get(self.name) == self

    @property
    def base(self) -> str:
        """Name of the recipe that ``changed`` made it of; its own where nothing is changed."""
        return self.name.partition("+")[0]

    @property
    def title(self) -> str:
        """What tables call it."""
        return _TITLES.get(self.name, self.name) if self.shipped else self.name

    @property
    def folder(self) -> str:
        """A file name of its own: the recipe's name where that is safe on every system."""
        safe = re.sub(r"[^a-z0-9_+=,.-]|\.(?![0-9])|^\.", "_", self.name)[:80]
        if safe == self.name and safe not in _TAKEN:
            return safe
        return f"{safe}-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}"


_TAKEN = ("figures", "claims", "final")
"""What else a run folder holds."""

_TITLES = {
    "notebook-simple-rnn": "SimpleRNN, notebook",
    "notebook-lstm": "LSTM, notebook",
    "sound-simple-rnn": "SimpleRNN, sound",
    "sound-lstm": "LSTM, sound",
    "sound-gru": "GRU, sound",
}


class _Training(TypedDict):
    clip: float
    schedule: Literal["constant", "cosine"]
    epochs: int


_SOUND: _Training = {"clip": 1.0, "schedule": "cosine", "epochs": 6}

SHIPPED: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        # The notebook's cell numbers skip one execution before the fit it shows.
        Recipe(
            name="notebook-simple-rnn", cell="simple_rnn", head=64, recurrent_dropout=0.1, fits=2
        ),
        Recipe(name="notebook-lstm", cell="lstm"),
        # Le, Jaitly & Hinton (arXiv:1504.00941) start from a multiple of the identity.
        Recipe(
            name="sound-simple-rnn",
            cell="simple_rnn",
            head=64,
            recurrent_init="identity",
            recurrent_gain=0.9,
            **_SOUND,
        ),
        Recipe(name="sound-lstm", cell="lstm", **_SOUND),
        Recipe(name="sound-gru", cell="gru", **_SOUND),
    )
}
"""Recipes by name: what the notebook most likely executed, and what makes training reliable."""
