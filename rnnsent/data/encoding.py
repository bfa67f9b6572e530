"""Ids of different lengths to one padded array, as Keras's ``pad_sequences`` does it."""

from collections.abc import Sequence

import numpy as np

from rnnsent.data.vocabulary import OOV, PAD, Vocabulary
from rnnsent.errors import UserError

SIDES = ("pre", "post")
MOST_WORDS = 1_000_000  # the published index has 88,584; every id costs a row of the embedding
LONGEST = 10_000  # the longest review has some 2,500 ids; every step costs memory in every row


def check(num_words: int, maxlen: int, padding: str, truncating: str) -> None:
    """Raises ``UserError`` for a combination that ``pad`` or ``limit`` cannot honour."""
    if num_words <= OOV:
        raise UserError(
            f"num_words={num_words} leaves no words: ids 0 to 2 mean padding, start and unknown. "
            "Give at least 3; the notebook used 5000."
        )
    if num_words > MOST_WORDS:
        raise UserError(f"num_words={num_words} is beyond any vocabulary here, {MOST_WORDS:,}.")
    if maxlen > LONGEST:
        raise UserError(f"maxlen={maxlen} is beyond any review; give at most {LONGEST:,}.")
    if maxlen < 1:
        raise UserError(f"maxlen={maxlen} is no length. Give at least 1; the notebook used 132.")
    for name, side in (("padding", padding), ("truncating", truncating)):
        if side not in SIDES:
            raise UserError(f"{name}={side!r} is unknown. Choose 'pre' (left) or 'post' (right).")


def limit(ids: np.ndarray, num_words: int) -> np.ndarray:
    """``ids`` (any shape, int) with those at or above ``num_words`` replaced by ``OOV``."""
    return np.where(ids < num_words, ids, OOV).astype(np.int32)


def pad(
    sequences: Sequence[Sequence[int]],
    maxlen: int,
    padding: str = "pre",
    truncating: str = "pre",
) -> np.ndarray:
    """``sequences`` as one array (N, maxlen), int32, filled up with 0.

    ``padding`` and ``truncating`` name the side that is filled or cut: "pre" left, "post" right.
    """
    check(OOV + 1, maxlen, padding, truncating)
    ids_NT = np.full((len(sequences), maxlen), PAD, np.int32)
    for row_T, sequence in zip(ids_NT, sequences, strict=True):
        kept = sequence[-maxlen:] if truncating == "pre" else sequence[:maxlen]
        if len(kept):
            row_T[slice(-len(kept), None) if padding == "pre" else slice(len(kept))] = kept
    return ids_NT


def encode_text(
    text: str,
    vocabulary: Vocabulary,
    num_words: int = 5000,
    maxlen: int = 132,
    padding: str = "pre",
    truncating: str = "pre",
) -> np.ndarray:
    """One new review as the models read it: ids (1, maxlen), int32."""
    check(num_words, maxlen, padding, truncating)
    return pad([vocabulary.encode(text, num_words)], maxlen, padding, truncating)
