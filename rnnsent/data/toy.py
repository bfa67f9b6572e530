"""A small learnable task with masks of every kind, made up from a seed.

A review is a start mark and then neutral words among which good or bad words stand; the label says
which are more. Real steps number 0 to T and sit right, left, in pieces across the row, or in one
block in its middle, so padding comes left, right, and inside.
"""

import hashlib

import numpy as np

from rnnsent.data.encoding import Encoding, limit
from rnnsent.data.reviews import Reviews, Split
from rnnsent.data.rows import lengths
from rnnsent.data.vocabulary import INDEX_FROM, START, Vocabulary

GOOD = ("good", "great", "fine", "lovely")
BAD = ("bad", "awful", "dull", "poor")
NEUTRAL = ("the", "film", "a", "was", "it", "and", "actor", "scene")
TRAIN_ROWS, TEST_ROWS = 1024, 256
SEED = 132


def vocabulary() -> Vocabulary:
    """The toy words; the neutral ones are the most frequent and come first."""
    return Vocabulary(NEUTRAL + GOOD + BAD, "toy")


def _words(rng: np.random.Generator, size: int, label: int) -> np.ndarray:
    """Ids of one review, (size,): a third of its words judge, nine in ten of them as ``label``."""
    first = INDEX_FROM + 1
    judging = rng.random(size) < 1 / 3
    agreeing = rng.random(size) < 0.9
    good = agreeing == bool(label)
    word = rng.integers(len(GOOD), size=size) + np.where(good, 0, len(GOOD)) + len(NEUTRAL)
    ids = first + np.where(judging, word, rng.integers(len(NEUTRAL), size=size))
    ids[:1] = START
    return ids


def _places(rng: np.random.Generator, size: int, maxlen: int, kind: int) -> np.ndarray:
    """The steps of a row that are real, ascending, (size,)."""
    free = maxlen - size
    if kind == 2:
        return np.sort(rng.permutation(maxlen)[:size])
    return np.arange(size) + {0: free, 1: 0, 3: free // 2}[kind]


def _row(rng: np.random.Generator, row: int, maxlen: int) -> tuple[np.ndarray, int]:
    """One row (T,) and its label, which is what its words say; an empty row is labelled 0."""
    label = row % 2
    size = (0, maxlen)[row] if row < 2 else int(rng.integers(0, maxlen + 1))
    ids = _words(rng, size, label)
    first_good = INDEX_FROM + 1 + len(NEUTRAL)
    first_bad = first_good + len(GOOD)
    good, bad = (ids >= first_good) & (ids < first_bad), ids >= first_bad
    ids_T = np.zeros(maxlen, np.int32)
    ids_T[_places(rng, size, maxlen, row // 2 % 4)] = ids
    return ids_T, int(np.count_nonzero(good) > np.count_nonzero(bad))


def _split(rng: np.random.Generator, rows: range, encoding: Encoding) -> Split:
    pairs = [_row(rng, n, encoding.maxlen) for n in range(len(rows))]
    ids_NT = np.stack([ids_T for ids_T, _ in pairs])
    return Split(
        ids_NT=limit(ids_NT, encoding.num_words),
        label_N=np.array([label for _, label in pairs], np.int32),
        names=tuple(f"toy/{row}" for row in rows),
        length_N=lengths(ids_NT),
    )


def load(encoding: Encoding) -> Reviews:
    """1,024 training and 256 test rows, always the same ones; the encoding's sides do not count."""
    rng = np.random.default_rng(SEED)
    train = _split(rng, range(TRAIN_ROWS), encoding)
    test = _split(rng, range(TRAIN_ROWS, TRAIN_ROWS + TEST_ROWS), encoding)
    digest = hashlib.sha256(train.ids_NT.tobytes() + test.ids_NT.tobytes()).hexdigest()
    provenance = {
        "source": "toy",
        "title": f"toy task, {TRAIN_ROWS:,} / {TEST_ROWS:,} made-up reviews",
        "test_title": "toy accuracy",
        "digest": digest,
    }
    return Reviews(train, test, vocabulary(), encoding, provenance)
