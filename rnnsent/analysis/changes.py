"""Reviews changed on purpose, and how steady a prediction is: arrays in, arrays out, no model."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rnnsent.data import PAD, START, pack_rows


def keep_last(ids_NT: np.ndarray, words: int) -> np.ndarray:
    """The rows with everything but their last ``words`` words masked out."""
    left_NT = np.cumsum((ids_NT != PAD)[:, ::-1], axis=1)[:, ::-1]  # real steps from here on
    return np.where(left_NT <= words, ids_NT, PAD)


def replace_first(ids_NT: np.ndarray, words: int, generator: np.random.Generator) -> np.ndarray:
    """The rows with their first ``words`` words taken from as many steps of another row.

    Which row is a random permutation without fixed points; where the other row is shorter, only as
    many words as it has are replaced. The mask does not change.
    """
    rows = len(ids_NT)
    if rows < 2:
        raise ValueError("words of others need at least two rows")
    order_N = generator.permutation(rows)
    other_N = np.empty(rows, int)
    other_N[order_N] = np.roll(order_N, 1)
    packed_NT = pack_rows(np.where(ids_NT == START, PAD, ids_NT))[other_N]
    word_NT = (ids_NT != PAD) & (ids_NT != START)
    place_NT = np.cumsum(word_NT, axis=1) - 1
    theirs_NT = np.take_along_axis(packed_NT, np.maximum(place_NT, 0), axis=1)
    replaced_NT = word_NT & (place_NT < words) & (theirs_NT != PAD)
    return np.where(replaced_NT, theirs_NT, ids_NT)


def append(ids_NT: np.ndarray, words: list[int]) -> np.ndarray:
    """The rows with more words at their end; the first ones fall out where there is no room.

    The result is padded on the left.
    """
    T = ids_NT.shape[1]
    packed_NT = pack_rows(ids_NT[:, ::-1])[:, ::-1]  # padding on the left
    words_NW = np.broadcast_to(np.asarray(words, ids_NT.dtype), (len(ids_NT), len(words)))
    return np.concatenate([packed_NT, words_NW], axis=1)[:, -T:]


PRAISE = (
    "This is one of the best films I have ever seen.",
    "I loved every minute of it, wonderful.",
    "Highly recommended.",
)
BLAME = (
    "This is one of the worst films I have ever seen.",
    "I hated every minute of it, awful.",
    "Avoid it at all costs.",
)
"""Short last sentences of either sentiment, for :func:`flips`."""

NEUTRAL = (
    "This is the last of the films I saw on Sunday with my brother.",
    "I watched all of it on television.",
    "It is in colour.",
)
"""As short, without a sentiment: they show what any last sentence does."""


class Flips(NamedTuple):
    """How often a sentence of the opposite sentiment turned a confident review.

    Attributes:
      confident: reviews looked at.
      share: of them whose predicted side changed.
      moved: mean change of probability, towards the sentence.
      neutral: share whose side changed after a sentence without a sentiment.
    """

    confident: int
    share: float
    moved: float
    neutral: float


def flips(
    predict: Callable[[np.ndarray], np.ndarray],
    encode: Callable[[str], list[int]],
    ids_NT: np.ndarray,
    p_N: np.ndarray,
    *,
    confidence: float = 0.9,
) -> Flips:
    """The flip test: a short sentence of the opposite sentiment after each confident review.

    The sentences of a list take turns over the reviews, so each review is read once per list.

    Args:
      predict: probabilities (N,) of ids (N, T).
      encode: ids of a sentence, without a start mark.
      ids_NT: reviews.
      p_N: their probabilities.
      confidence: a review counts where its probability is that far on either side.

    Returns:
      Shares and the mean are NaN where no review is confident.
    """
    sure_N = np.maximum(p_N, 1 - p_N) >= confidence
    ids_nT, p_n = ids_NT[sure_N], p_N[sure_N]
    if not len(p_n):
        return Flips(0, float("nan"), float("nan"), float("nan"))
    positive_n = p_n > 0.5

    def after(sentences_of_positive, sentences_of_negative):
        longer_nT = np.empty_like(ids_nT)
        for side_n, sentences in (
            (positive_n, sentences_of_positive),
            (~positive_n, sentences_of_negative),
        ):
            rows = np.flatnonzero(side_n)
            for i, sentence in enumerate(sentences):
                turn = rows[i :: len(sentences)]
                longer_nT[turn] = append(ids_nT[turn], encode(sentence))
        return predict(longer_nT)

    opposite_n, neutral_n = after(BLAME, PRAISE), after(NEUTRAL, NEUTRAL)
    return Flips(
        len(p_n),
        float(((opposite_n > 0.5) != positive_n).mean()),
        float(np.where(positive_n, p_n - opposite_n, opposite_n - p_n).mean()),
        float(((neutral_n > 0.5) != positive_n).mean()),
    )


def turns(logits_BT: np.ndarray, length_B: np.ndarray, words: int) -> np.ndarray:
    """bool (B,): whether the predicted side still changed within each row's last ``words`` steps.

    Args:
      logits_BT: trajectories of right-padded rows.
      length_B: real steps of each row.
      words: how many steps before the end count.
    """
    side_BT = np.asarray(logits_BT) > 0
    changed_Bt = side_BT[:, 1:] != side_BT[:, :-1]
    step_t = np.arange(1, side_BT.shape[1])
    length_B1 = np.asarray(length_B)[:, None]
    return (changed_Bt & (step_t >= length_B1 - words) & (step_t < length_B1)).any(1)


def largest_jump(p_BT: np.ndarray, words: int) -> np.ndarray:
    """Each row's largest change of probability (B,) from one step to at most ``words`` later."""
    p_BT = np.asarray(p_BT)
    apart = range(1, min(words, p_BT.shape[1] - 1) + 1)
    jump_DB = [np.abs(p_BT[:, d:] - p_BT[:, :-d]).max(1) for d in apart]
    return np.max(jump_DB, axis=0) if jump_DB else np.zeros(len(p_BT))
