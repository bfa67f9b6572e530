"""What every source of reviews returns."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnnsent.data import archive
from rnnsent.data.encoding import Encoding, pad
from rnnsent.data.vocabulary import PAD, Vocabulary
from rnnsent.errors import UserError


@dataclasses.dataclass(frozen=True)
class Split:
    """The rows of one split, in a fixed order.

    ``ids_NT`` int32, 0 is padding; ``label_N`` int32, 1 is positive; ``names`` says which review a
    row is; ``length_N`` int32 counts the ids of the whole review before truncation, start mark
    included.
    """

    ids_NT: np.ndarray
    label_N: np.ndarray
    names: tuple[str, ...]
    length_N: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, rows: slice) -> "Split":
        """Some of the rows, in their order."""
        return Split(self.ids_NT[rows], self.label_N[rows], self.names[rows], self.length_N[rows])

    @property
    def mask_NT(self) -> np.ndarray:
        """bool, True at real steps."""
        return self.ids_NT != PAD


@dataclasses.dataclass(frozen=True)
class Reviews:
    """What is trained on, what is measured on, and where both come from.

    Attributes:
      train: the rows models are fitted on.
      test: the rows they are measured on: the source's test split or, where the data was loaded
        with a validation share, the last rows of its training split.
      vocabulary: of the ids.
      encoding: how new text becomes rows of the same kind.
      provenance: source, size and meaning of all this, as JSON can hold it.
    """

    train: Split
    test: Split
    vocabulary: Vocabulary
    encoding: Encoding
    provenance: dict[str, Any]

    @property
    def validation(self) -> Split | None:
        """``test`` where that is held out of the training reviews, so that it may be looked at
        as often as one likes."""
        return self.test if self.provenance.get("validation") else None

    @property
    def measured(self) -> str:
        """What the reviews of ``test`` are: "validation" or "test"."""
        return "validation" if self.validation else "test"

    @property
    def comparable(self) -> bool:
        """Whether accuracies on ``test`` are IMDB test accuracies, as others publish them."""
        return comparable(self.provenance)

    def first(self, train: int, test: int) -> "Reviews":
        """The first rows of each split only; the provenance says so."""
        if len(self.train) <= train and len(self.test) <= test:
            return self
        kept = self.train[:train], self.test[:test]
        title = f"first {train:,} training and {test:,} {self.measured} rows only"
        source = self.provenance["source"]
        provenance = self.provenance | {
            "train": len(kept[0]),
            "test": len(kept[1]),
            "title": f"{self.provenance['title']} ({title})",
            "test_title": f"accuracy on the first {test:,} {self.measured} rows ({source})",
        }
        return dataclasses.replace(self, train=kept[0], test=kept[1], provenance=provenance)


def comparable(provenance: Mapping[str, Any]) -> bool:
    """Whether data of this provenance is the whole of IMDB, measured on its own test split."""
    whole = {"source": "imdb", "digest": archive.PUBLISHED.digest, "train": 25_000, "test": 25_000}
    return not provenance.get("validation") and whole.items() <= provenance.items()


def split(
    sequences: Sequence[Sequence[int]],
    labels: Sequence[int],
    names: Sequence[str],
    encoding: Encoding,
) -> Split:
    """Full-vocabulary ids of whole reviews as a ``Split``."""
    return Split(
        ids_NT=pad(sequences, encoding),
        label_N=np.asarray(labels, np.int32),
        names=tuple(names),
        length_N=np.array([len(ids) for ids in sequences], np.int32),
    )


MOST_HELD_OUT = 0.9


def check_validation(share: float) -> None:
    """Raises ``UserError`` unless a share of the training rows can be held out."""
    if not (isinstance(share, int | float) and 0 <= share <= MOST_HELD_OUT):
        raise UserError(f"validation={share} is no share; it must be from 0 to {MOST_HELD_OUT}.")


def held_out_from(rows: int, share: float) -> int:
    """The first of so many training rows that is held out, as Keras's ``validation_split`` has it.

    Raises ``UserError`` if either part would be empty.
    """
    first = math.floor(rows * (1.0 - share))
    if not 0 < first < rows:
        raise UserError(f"validation={share} leaves one part of the {rows:,} training rows empty.")
    return first
