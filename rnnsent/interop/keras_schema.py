"""What is read of a Keras model's ``config.json``, and how its weights' folders are called."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from rnnsent.interop.layouts import LAYOUTS
from rnnsent.model import SentimentClassifier

Width = Annotated[int, Meta(ge=1, lt=2**31)]

SUPPORTED = (
    "Expected a Sequential of Embedding, SimpleRNN, LSTM or GRU layers, Dense with relu and Dense "
    "of width 1, with Dropout anywhere."
)

IGNORED = {
    "InputLayer": "input_layer",
    "Dropout": "dropout",
    "SpatialDropout1D": "spatial_dropout1d",
}
"""Layers that compute nothing once trained, and their folders among the weights."""

KINDS = {layout.keras: name for name, layout in LAYOUTS.items()}


class Architecture(NamedTuple):
    """What a Keras model is, and where its weights lie.

    Attributes:
      cell: of all recurrent layers.
      features: their widths, the lowest first.
      head: width of the hidden dense layer.
      vocab_size: rows of the embedding.
      embedding_size: their width.
      mask_zero: of the embedding.
      folders: of the weights, layer by layer.
      notes: what was left out.
    """

    cell: str
    features: tuple[int, ...]
    head: int
    vocab_size: int
    embedding_size: int
    mask_zero: bool
    folders: tuple[str, ...]
    notes: tuple[str, ...]

    def classifier(self) -> SentimentClassifier:
        """The same model here, without dropout."""
        return SentimentClassifier(
            cell=self.cell,
            features=self.features,
            head=self.head,
            vocab_size=self.vocab_size,
            embedding_size=self.embedding_size,
            dropout=0.0,
        )


class Object(msgspec.Struct, frozen=True):
    class_name: str
    config: msgspec.Raw
    module: str | None = None
    registered_name: str | None = None


class Sequential(msgspec.Struct, frozen=True):
    layers: Annotated[tuple[Object, ...], Meta(max_length=100)]


class Name(msgspec.Struct, frozen=True):
    name: str


class Policy(msgspec.Struct, frozen=True):
    config: Name


class Layer(msgspec.Struct, frozen=True):
    """What any layer may have that would make it another one; unknown fields are Keras's matter."""

    name: str = ""
    dtype: str | Policy | None = "float32"
    activation: Any = None
    use_bias: bool = True
    quantization_config: Any = None
    lora_rank: int | None = None

    @property
    def policy(self) -> str | None:
        """Name of the dtype policy."""
        return self.dtype.config.name if isinstance(self.dtype, Policy) else self.dtype


class Embedding(Layer, frozen=True, kw_only=True):
    input_dim: Width
    output_dim: Width
    mask_zero: bool = False


class Dense(Layer, frozen=True, kw_only=True):
    units: Width


class Recurrent(Layer, frozen=True, kw_only=True):
    units: Width
    activation: Any = "tanh"
    recurrent_activation: Any = "sigmoid"
    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    zero_output_for_mask: bool = False
    reset_after: bool = True
    dropout: float = 0.0
    recurrent_dropout: float = 0.0


def folders(class_names: Sequence[str]) -> Iterator[str]:
    """Where Keras keeps each layer's weights: its class, numbered from the second one on."""
    seen: dict[str, int] = {}
    for class_name in class_names:
        name = KINDS.get(class_name, class_name.lower())
        seen[name] = seen.get(name, -1) + 1
        yield f"{name}_{seen[name]}" if seen[name] else name


def class_names(model: SentimentClassifier) -> list[str]:
    """The classes of the layers that hold weights, in their order."""
    return ["Embedding", *[LAYOUTS[model.cell].keras] * len(model.features), "Dense", "Dense"]
