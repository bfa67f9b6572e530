"""What a run folder's files hold: JSON that is checked against these structures as it is read."""

import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Protocol, TypeVar

import msgspec
from msgspec import Meta

from rnnsent.data import Encoding
from rnnsent.data.encoding import MOST_WORDS
from rnnsent.recipes import Recipe
from rnnsent.runs import files
from rnnsent.runs.files import FORMAT

Positive = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, le=1)]
NonNegative = Annotated[float, Meta(ge=0)]


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


class Source(Data, frozen=True, kw_only=True):
    """What a report says of the reviews besides.

    Attributes:
      vocabulary: where it comes from.
      num_words: its size.
      maxlen: steps of a row.
      padding: the side padding stands on.
      truncating: the side that long reviews lose words from.
      reason: why it is not another source, where that was tried first.
      validation: the share of the training reviews that is held out and measured on.
    """

    vocabulary: str
    num_words: Positive
    maxlen: Positive
    padding: str
    truncating: str
    reason: str = ""
    validation: Share = 0.0

    @property
    def measured(self) -> str:
        """What the reviews are called that are measured on."""
        return "validation reviews" if self.validation else "test reviews"


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


class Epoch(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of ``metrics.jsonl``.

    Attributes:
      epoch: its number, from 1.
      loss: mean over the epoch, dropout on, in nats; None is no number.
      accuracy: likewise, a share.
      seconds: of its training.
      reviews_per_second: likewise.
      validation_accuracy: after it, dropout off, on the reviews held out; None where there are
        none, or a logit was no number.
      validation_loss: likewise, in nats.
    """

    epoch: Positive
    loss: float | None
    accuracy: Share
    seconds: NonNegative
    reviews_per_second: NonNegative
    validation_accuracy: Share | None = None
    validation_loss: NonNegative | None = None


class Validated(Protocol):
    """An epoch after which the reviews held out may have been measured."""

    @property
    def validation_loss(self) -> float | None: ...


Measurable = TypeVar("Measurable", bound=Validated)


def best(epochs: Iterable[Measurable]) -> Measurable | None:
    """The first of those with the lowest validation loss; None where none was measured."""
    measured = [one for one in epochs if one.validation_loss is not None]
    return min(measured, key=lambda one: one.validation_loss or 0.0, default=None)


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


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What any result rests on besides data; see :func:`rnnsent.provenance.here`.

    Attributes:
      versions: of packages; None of those that are not there.
      device: the machine.
      git: revision of the source, if known.
      command: that was given.
      started: date and time of that, ISO 8601.
      flags: settings of XLA and JAX that numbers depend on, where they are set; None where that was
        not recorded.
    """

    versions: dict[str, str | None]
    device: Device
    git: str | None
    command: str
    started: str
    flags: dict[str, str] | None = None


class Provenance(Origin, frozen=True, kw_only=True):
    """``provenance.json``, and the same block in every record; see :func:`rnnsent.provenance.of`.

    Attributes:
      data: all that the source of the reviews says of them.
      parts: where trainings come from, if not all from here.
    """

    data: dict[str, Any]
    parts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        msgspec.convert(self.data, Source)

    @classmethod
    def of(cls, made: Mapping[str, Any], parts: Sequence[str] = ()) -> "Provenance":
        """What :func:`rnnsent.provenance.of` says, and of several parts what each is from."""
        return msgspec.convert({**made, "parts": parts if len(parts) > 1 else ()}, cls)

    @property
    def source(self) -> Source:
        """What a report says of the reviews."""
        return msgspec.convert(self.data, Source)


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Common to all parts of a record: they do not change, and a file may hold nothing else."""


class Whole(Part, frozen=True, kw_only=True):
    """All that an experiment has measured, from which its pages are drawn.

    Attributes:
      format: of the file.
    """

    FILE: ClassVar[str]
    """Where it lies in a run folder."""

    format: int = FORMAT


class Record(Whole, frozen=True, kw_only=True):
    """The same of an experiment on reviews.

    Attributes:
      origin: of the command: data, machine, versions, time.
    """

    origin: Provenance


Kept = TypeVar("Kept", bound=Whole)


def write_record(run: pathlib.Path, record: Whole) -> pathlib.Path:
    """Writes a record into a run folder, all of it or nothing; returns the file."""
    path = run / record.FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_json(path, record)
    return path


def read_record(run: pathlib.Path, kind: type[Kept]) -> Kept:
    """What :func:`write_record` wrote.

    Raises:
      UserError: if there is none, or it is damaged or of another version.
    """
    return files.read_json(run / kind.FILE, kind, anew="Run the command again that made it.")
