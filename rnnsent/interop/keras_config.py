"""``config.json`` of a ``.keras`` file: which classifier it describes, and such a file for ours.

It is read through a schema. Nothing in it is imported, called or evaluated: a layer is known by its
name in ``keras.layers``, and whatever would make it compute something else is refused.
"""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from rnnsent.errors import UserError
from rnnsent.interop.keras_schema import (
    IGNORED,
    KINDS,
    SUPPORTED,
    Architecture,
    Dense,
    Embedding,
    Layer,
    Object,
    Recurrent,
    Sequential,
    class_names,
    folders,
)
from rnnsent.interop.libraries import RESET_BEFORE
from rnnsent.model import SentimentClassifier

Kind = TypeVar("Kind")
Held = TypeVar("Held", bound=Layer)


def read(content: bytes, where: str) -> Architecture:
    """The classifier that a ``config.json`` describes.

    Args:
      content: of the file.
      where: what messages call it.

    Raises:
      UserError: if it is damaged, or describes another kind of model, which is named.
    """
    model = _decoded(content, Object, where)
    if not _is_kerass(model, ("keras", "keras.models", "keras.src.models.sequential")):
        raise UserError(f"{where} holds a custom {_shown(model.class_name)}. {SUPPORTED}")
    if model.class_name != "Sequential":
        raise UserError(f"{where} holds a {_shown(model.class_name)} model. {SUPPORTED}")
    layers = _decoded(bytes(model.config), Sequential, where).layers
    for layer in layers:
        _check_kind(layer, where)
    return _architecture(layers, where)


def _decoded(content: bytes, kind: type[Kind], where: str) -> Kind:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = textwrap.shorten(str(error), 200, placeholder="…")
        raise UserError(
            f"{where} has a config.json that cannot be read ({reason}). Save the model anew with "
            "keras.Model.save."
        ) from error


def _shown(value: Any) -> str:
    """Text of others in a message: on one line, not long, nothing a terminal obeys."""
    return textwrap.shorten(ascii(value), 60, placeholder="…")


def _is_kerass(one: Object, modules: Sequence[str]) -> bool:
    return one.module in modules and one.registered_name in (None, "", one.class_name)


def _check_kind(layer: Object, where: str) -> None:
    name = _shown(layer.class_name)
    if layer.class_name == "Lambda":
        raise UserError(f"{where} has a Lambda layer, which holds code and is never read.")
    if not _is_kerass(layer, ("keras.layers",)):
        raise UserError(f"{where} has a layer {name} that is not of keras.layers. {SUPPORTED}")
    if layer.class_name not in (*IGNORED, *KINDS, "Embedding", "Dense"):
        raise UserError(f"{where} has a {name} layer. {SUPPORTED}")


def _architecture(layers: Sequence[Object], where: str) -> Architecture:
    names = [layer.class_name for layer in layers if layer.class_name not in IGNORED]
    kinds = {name for name in names if name in KINDS}
    if len(kinds) > 1:
        raise UserError(f"{where} mixes {' and '.join(sorted(kinds))}; expected one kind of them.")
    if (
        names[:1] != ["Embedding"]
        or names[-2:] != ["Dense", "Dense"]
        or not set(names[1:-2]) == (kinds or {"a recurrent layer"})
    ):
        raise UserError(f"{where} has the layers {', '.join(names) or 'none'}. {SUPPORTED}")
    held = [layer for layer in layers if layer.class_name in names]
    embedding = _layer(held[0], Embedding, where, {})
    recurrent = list(_recurrent(held[1:-2], where))
    hidden = _layer(held[-2], Dense, where, {"activation": ("relu",)})
    last = _layer(
        held[-1], Dense, where, {"activation": ("sigmoid", "linear", None), "units": (1,)}
    )
    return Architecture(
        cell=KINDS[kinds.pop()],
        features=tuple(layer.units for layer in recurrent),
        head=hidden.units,
        vocab_size=embedding.input_dim,
        embedding_size=embedding.output_dim,
        mask_zero=embedding.mask_zero,
        folders=tuple(folders(names)),
        notes=tuple(_notes(layers, recurrent, last)),
    )


def _recurrent(layers: Sequence[Object], where: str) -> Iterator[Recurrent]:
    plain = {
        "activation": ("tanh",),
        "recurrent_activation": ("sigmoid",),
        **dict.fromkeys(("return_state", "go_backwards", "stateful"), (False,)),
        "zero_output_for_mask": (False,),
    }
    for i, layer in enumerate(layers):
        sequences = i < len(layers) - 1
        read = _layer(layer, Recurrent, where, plain | {"return_sequences": (sequences,)})
        if layer.class_name == "GRU" and not read.reset_after:
            raise UserError(f"{where}: {RESET_BEFORE}")
        yield read


def _layer(layer: Object, kind: type[Held], where: str, must: dict[str, tuple]) -> Held:
    """A layer's fields; ``UserError`` for one that would make it compute something else."""
    held = _decoded(bytes(layer.config), kind, where)
    common: dict[str, tuple] = {"use_bias": (True,), "policy": ("float32", None)}
    common |= dict.fromkeys(("quantization_config", "lora_rank"), (None,))
    for field, values in (common | must).items():
        value = getattr(held, field)
        # True is 1 to Python, and no width.
        if not any(value == one and type(value) is type(one) for one in values):
            name = f"{layer.class_name} {_shown(held.name)}"
            raise UserError(
                f"{where}: {name} has {field.replace('policy', 'dtype')}={_shown(value)}; expected "
                f"{values[0]!r}."
            )
    return held


def _notes(layers: Sequence[Object], recurrent: Sequence[Recurrent], last: Dense) -> Iterator[str]:
    dropped = [one.class_name for one in layers if "Dropout" in one.class_name]
    if dropped or any(one.dropout or one.recurrent_dropout for one in recurrent):
        yield "Dropout is left out: it acts in training only."
    if last.activation != "sigmoid":
        yield "Its last Dense has no sigmoid: it gives logits, as rnnsent does."


def write(model: SentimentClassifier, mask_zero: bool) -> bytes:
    """A ``config.json`` of a classifier of ours, whose last layer gives probabilities."""
    content = {"name": "rnnsent", "layers": list(_written(model, mask_zero))}
    return msgspec.json.encode(_object("keras", "Sequential", content))


def _written(model: SentimentClassifier, mask_zero: bool) -> Iterator[dict[str, Any]]:
    yield _object(
        "keras.layers",
        "InputLayer",
        {"batch_shape": [None, None], "dtype": "int32", "name": "ids"},
    )
    specific: list[dict[str, Any]] = [
        {
            "input_dim": model.vocab_size,
            "output_dim": model.embedding_size,
            "mask_zero": mask_zero,
        },
        *(_written_layer(model, i) for i in range(len(model.features))),
        {"units": model.head, "activation": "relu"},
        {"units": 1, "activation": "sigmoid"},
    ]
    names = class_names(model)
    for name, folder, fields in zip(names, folders(names), specific, strict=True):
        own = {"name": folder, "dtype": "float32", **fields}
        yield _object("keras.layers", name, own)


def _written_layer(model: SentimentClassifier, i: int) -> dict[str, Any]:
    return {
        "units": model.features[i],
        "activation": "tanh",
        "return_sequences": i < len(model.features) - 1,
        "dropout": model.dropout,
        "recurrent_dropout": model.recurrent_dropout,
        **({"recurrent_activation": "sigmoid"} if model.cell != "simple_rnn" else {}),
        **({"reset_after": True} if model.cell == "gru" else {}),
    }


def _object(module: str, class_name: str, config: dict[str, Any]) -> dict[str, Any]:
    return {
        "module": module,
        "class_name": class_name,
        "config": config,
        "registered_name": None,
    }
