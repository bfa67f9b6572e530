"""What every source of reviews returns."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnsent.data.encoding import limit, pad
from rnnsent.data.vocabulary import PAD, Vocabulary


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

    @property
    def mask_NT(self) -> np.ndarray:
        """bool, True at real steps."""
        return self.ids_NT != PAD


@dataclasses.dataclass(frozen=True)
class Reviews:
    """Two splits, the vocabulary of their ids, and where all of it came from (JSON-able)."""

    train: Split
    test: Split
    vocabulary: Vocabulary
    provenance: dict[str, Any]


def split(
    sequences: Sequence[Sequence[int]],
    labels: Sequence[int],
    names: Sequence[str],
    *,
    num_words: int,
    maxlen: int,
    padding: str,
    truncating: str,
) -> Split:
    """Full-vocabulary ids of whole reviews as a ``Split``."""
    return Split(
        ids_NT=limit(pad(sequences, maxlen, padding, truncating), num_words),
        label_N=np.asarray(labels, np.int32),
        names=tuple(names),
        length_N=np.array([len(ids) for ids in sequences], np.int32),
    )
