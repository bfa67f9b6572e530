"""Ids of different lengths to one padded array, as Keras's ``pad_sequences`` does it."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from rnnsent.data.vocabulary import OOV, PAD, Vocabulary
from rnnsent.errors import UserError

SIDES = ("pre", "post")
MOST_WORDS = 1_000_000  # the published index has 88,584; every id costs a row of the embedding
LONGEST = 10_000  # the longest review has some 2,500 ids; every step costs memory in every row


@dataclasses.dataclass(frozen=True)
class Encoding:
    """How a review becomes a row of ids; the notebook's by default.

    Attributes:
      num_words: ids at or above it become ``OOV``.
      maxlen: steps a row is cut or padded to.
      padding: the side that is filled with 0, "pre" (left) or "post" (right).
      truncating: the side that a long review loses words from, likewise.

    Raises:
      UserError: for values no row can be made with.
    """

    num_words: int = 5000
    maxlen: int = 132
    padding: str = "pre"
    truncating: str = "pre"

    def __post_init__(self) -> None:
        self._check_size()
        for name in ("padding", "truncating"):
            side = getattr(self, name)
            if side not in SIDES:
                raise UserError(
                    f"{name}={side!r} is unknown. Choose 'pre' (left) or 'post' (right)."
                )

    def _check_size(self) -> None:
        num_words, maxlen = self.num_words, self.maxlen
        if num_words <= OOV:
            raise UserError(
                f"num_words={num_words} leaves no words: ids 0 to 2 mean padding, start and "
                "unknown. Give at least 3; the notebook used 5000."
            )
        if num_words > MOST_WORDS:
            raise UserError(f"num_words={num_words} is beyond any vocabulary here, {MOST_WORDS:,}.")
        if maxlen > LONGEST:
            raise UserError(f"maxlen={maxlen} is beyond any review; give at most {LONGEST:,}.")
        if maxlen < 1:
            raise UserError(
                f"maxlen={maxlen} is no length. Give at least 1; the notebook used 132."
            )


def limit(ids: np.ndarray, num_words: int) -> np.ndarray:
    """``ids`` (any shape, int) with those at or above ``num_words`` replaced by ``OOV``."""
    return np.where(ids < num_words, ids, OOV).astype(np.int32)


def pad(sequences: Sequence[Sequence[int]], encoding: Encoding) -> np.ndarray:
    """``sequences`` of ids as one array (N, maxlen), int32, cut or filled up with 0."""
    maxlen, filled = encoding.maxlen, encoding.padding
    ids_NT = np.full((len(sequences), maxlen), PAD, np.int32)
    for row_T, sequence in zip(ids_NT, sequences, strict=True):
        kept = sequence[-maxlen:] if encoding.truncating == "pre" else sequence[:maxlen]
        if len(kept):
            row_T[slice(-len(kept), None) if filled == "pre" else slice(len(kept))] = kept
    return limit(ids_NT, encoding.num_words)


def encode_text(text: str, vocabulary: Vocabulary, encoding: Encoding) -> np.ndarray:
    """One new review as the models read it: ids (1, maxlen), int32."""
    return pad([vocabulary.encode(text)], encoding)
