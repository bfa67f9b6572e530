"""What a run folder's files hold, and the one way to write and read them.

All is JSON, checked against these structures as it is read: a file that is missing, damaged or of
another version is one line to the user.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np
from msgspec import Meta

from rnnsent.data import Encoding
from rnnsent.data.encoding import MOST_WORDS
from rnnsent.errors import UserError
from rnnsent.recipes import Recipe

PARTIAL = ".partial"
"""What the name of a file ends in that is being written."""

FORMAT = 2
"""Of a run folder; earlier ones had no number."""

Positive = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, le=1)]
NonNegative = Annotated[float, Meta(ge=0)]
Kind = TypeVar("Kind")


class RunConfig(msgspec.Struct, frozen=True):
    """``<run>/config.json``.

    Attributes:
      experiment: the script that made the folder.
      format: of the folder.
    """

    experiment: str
    format: int = FORMAT


class Config(msgspec.Struct, frozen=True):
    """``config.json`` of one training: all that it follows from besides the data.

    Attributes:
      recipe: what was trained, and how.
      digest: see :func:`rnnsent.recipes.digest`.
      seed: that everything random follows from.
      rows: training reviews, which the optimizer's schedule counts its steps by.
      vocab_size: number of token ids.
      implementation: of the recurrence.
    """

    recipe: Recipe
    digest: str
    seed: Annotated[int, Meta(ge=0)]
    rows: Positive
    vocab_size: Annotated[int, Meta(ge=1, le=MOST_WORDS)]
    implementation: str
    format: int = FORMAT


class Measured(msgspec.Struct, frozen=True):
    """A model on both splits with dropout off: shares of reviews, and mean losses in nats."""

    train_accuracy: Share
    test_accuracy: Share
    train_loss: NonNegative
    test_loss: NonNegative


class Data(msgspec.Struct, frozen=True):
    """What a run says of its reviews, besides what else their source says."""

    source: str
    title: str
    test_title: str
    train: Positive
    test: Positive


class Result(msgspec.Struct, frozen=True):
    """``result.json`` of one training, written last.

    Attributes:
      title: of the recipe.
      seed: of the training.
      data: trained and measured on.
      fits: measured after each fit; empty of a training that diverged.
      diverged: the epoch in which the loss or the logits ceased to be finite, if they did.
      epoch_seconds: of every epoch.
      training_seconds: of all, compilation included.
      together: seeds that were trained at once, whose times these are.
    """

    title: str
    seed: int
    data: Data
    fits: tuple[Measured, ...]
    diverged: Positive | None
    epoch_seconds: Annotated[tuple[NonNegative, ...], Meta(min_length=1)]
    training_seconds: NonNegative
    together: Positive = 1

    def __post_init__(self) -> None:
        if bool(self.fits) == bool(self.diverged):
            raise ValueError("neither measured nor diverged")

    @property
    def epochs(self) -> int:
        """How many were trained."""
        return len(self.epoch_seconds)

    @property
    def final(self) -> Measured:
        """After the last fit; there is none of a training that diverged."""
        return self.fits[-1]


class Epoch(msgspec.Struct, frozen=True):
    """One line of ``metrics.jsonl``: means over the epoch, dropout on; a loss may be no number."""

    epoch: Positive
    loss: float | None
    accuracy: Share
    seconds: NonNegative
    reviews_per_second: NonNegative


class Words(msgspec.Struct, frozen=True):
    """``<run>/vocabulary.json``: what encodes new text for a run's models."""

    origin: str
    encoding: Encoding
    words: tuple[str, ...]


class Device(msgspec.Struct, frozen=True):
    """The machine in a provenance."""

    platform: str
    name: str
    devices: int


class Provenance(msgspec.Struct, frozen=True):
    """``provenance.json``; see :func:`rnnsent.provenance.of`."""

    data: dict[str, Any]
    versions: dict[str, str | None]
    device: Device
    git: str | None
    command: str
    started: str

    def __post_init__(self) -> None:
        msgspec.convert(self.data, Data)


def write_json(path: pathlib.Path, content: Any) -> None:
    """Writes all of a JSON file or nothing of it; a number that is not finite becomes null."""
    partial = path.with_suffix(path.suffix + PARTIAL)
    text = msgspec.json.format(msgspec.json.encode(content, enc_hook=_plain), indent=2)
    try:
        partial.write_bytes(text + b"\n")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_lines(path: pathlib.Path, items: list[Any]) -> None:
    """One line of JSON per item."""
    path.write_bytes(msgspec.json.Encoder(enc_hook=_plain).encode_lines(items))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return str(value)


def unreadable(path: pathlib.Path, reason: object) -> UserError:
    """What to raise of a file that is not as this program leaves it."""
    return UserError(f"{path} cannot be read ({reason}). Give the folder of a finished run.")


def damaged(path: pathlib.Path, reason: object) -> UserError:
    """What to raise of a file in the folder of a training, which can be trained again."""
    return UserError(
        f"The training in {path.parent} is damaged ({path.name}: {reason}). Delete that folder; it "
        "is trained again when the run goes on."
    )


def read_json(
    path: pathlib.Path,
    kind: type[Kind],
    failed: Callable[[pathlib.Path, object], UserError] = unreadable,
) -> Kind:
    """The content of a file of a run folder.

    Args:
      path: of the file.
      kind: what it must hold.
      failed: what is raised where it does not.

    Raises:
      UserError: if the file is missing, damaged or of an earlier version.
    """
    try:
        content = path.read_bytes()
        if "format" in getattr(kind, "__struct_fields__", ()):
            _check_format(path, content)
        return msgspec.json.decode(content, type=kind)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise failed(path, getattr(error, "strerror", None) or error) from error


def read_lines(path: pathlib.Path, kind: type[Kind]) -> list[Kind]:
    """What :func:`write_lines` wrote; an ``OSError`` or ``ValueError`` where it is damaged."""
    return msgspec.json.Decoder(kind).decode_lines(path.read_bytes())


def _check_format(path: pathlib.Path, content: bytes) -> None:
    fields = msgspec.json.decode(content)
    held = fields.get("format", 1) if isinstance(fields, dict) else FORMAT
    if held != FORMAT:
        version = "an earlier" if held == 1 else "another"
        raise UserError(
            f"{path.parent} holds a run of {version} version of rnnsent, which this one does not "
            "read. Train anew, without --run."
        )
