"""What the claims need to know of one trained model, measured on the test reviews."""

import pathlib
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import optax

from rnnsent import analysis, data, evaluation, inference, memory, training
from rnnsent.errors import UserError
from rnnsent.memory import MemoryCurves
from rnnsent.model import SentimentClassifier, still
from rnnsent.runs import files

CHANGED = 10_000
"""Test reviews that are read again with words masked, replaced or appended: the first of a shuffled
split. That leaves half a point of doubt in a share, where seeds differ by several."""
LAST = (5, 10, 20, 40, 80)
"""Words that are left at the end when the rest is masked out."""
REPLACED = (40, 80, 120)
"""Words at the start that are replaced by another review's."""
READ, WINDOW = 2_048, 10
"""Test reviews whose trajectories are looked at, and the words within which a move is local."""


class Changed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Reviews with some of their words changed.

    Attributes:
      accuracy: on them.
      same: share of them whose predicted side is that of the whole review.
    """

    accuracy: float
    same: float


class Flips(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The flip test, see :class:`rnnsent.analysis.Flips`; None where no review is confident."""

    confident: int
    share: float | None
    moved: float | None
    neutral: float | None

    def __post_init__(self) -> None:
        if self.confident and None in (self.share, self.moved, self.neutral):
            raise ValueError("a flip test needs its figures where a review is confident")


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One trained model from the inside.

    Attributes:
      whole: accuracy on the first ``CHANGED`` test reviews, as they are.
      last: by number of words, the same reviews with only their last words.
      replaced: likewise, with their first words replaced by another review's.
      flips: likewise, with a sentence after them.
      turns: by number of words, the share of reviews whose predicted side still changed within that
        many before the end.
      jump: mean largest change of probability within ``WINDOW`` words.
      fresh: gradients at initialisation.
      trained: gradients now.
    """

    whole: float
    last: dict[int, Changed]
    replaced: dict[int, Changed]
    flips: Flips
    turns: dict[int, float]
    jump: float
    fresh: MemoryCurves
    trained: MemoryCurves


class Epoch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Training loss and accuracy of an epoch, dropout on."""

    loss: float
    accuracy: float


class Found(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One training that did not diverge: its figures, and what was measured on it.

    Attributes:
      seed: of the training.
      epochs: passes over the training reviews, in all.
      train_accuracy: share of all training reviews classified right, dropout off.
      test_accuracy: likewise of all test reviews.
      epoch_seconds: of every epoch.
      history: of every epoch.
      measured: from the inside.
    """

    seed: int
    epochs: int
    train_accuracy: float
    test_accuracy: float
    epoch_seconds: tuple[float, ...]
    history: tuple[Epoch, ...]
    measured: Measured

    @property
    def accuracy(self) -> float:
        """On all test reviews, in percent."""
        return 100 * self.test_accuracy

    @property
    def seconds(self) -> float:
        """Of an epoch, the median."""
        return float(np.median(self.epoch_seconds))

    @property
    def turned(self) -> float:
        """Confident predictions turned by a last sentence of the opposite sentiment, in percent.

        NaN where there are none.
        """
        return _percent(self.measured.flips.share)

    @property
    def turned_by_neutral(self) -> float:
        """Likewise by one without a sentiment."""
        return _percent(self.measured.flips.neutral)


def _percent(share: float | None) -> float:
    return float("nan") if share is None else 100 * share


def measure(model: SentimentClassifier, params: Any, seed: int, reviews: data.Reviews) -> Measured:
    """Looks into a model trained from ``seed``; only the test reviews are read."""
    test = reviews.test
    fresh = training.create_state(model, optax.identity(), seed).params
    model = still(model)  # conditions then share what is compiled
    turns, jump = _reading(model, params, test.ids_NT[:READ])
    return Measured(
        **_changes(model, params, seed, reviews),
        turns=turns,
        jump=jump,
        fresh=memory.memory_curves(model, fresh, test.ids_NT),
        trained=memory.memory_curves(model, params, test.ids_NT),
    )


def _changes(
    model: SentimentClassifier, params: Any, seed: int, reviews: data.Reviews
) -> dict[str, Any]:
    """``whole``, ``last``, ``replaced`` and ``flips``."""
    ids_NT, label_N = reviews.test.ids_NT[:CHANGED], reviews.test.label_N[:CHANGED]

    def predict(ids_NT: np.ndarray) -> np.ndarray:
        return evaluation.probability(inference.predict(model, params, ids_NT))

    def encode(sentence: str) -> list[int]:
        return reviews.vocabulary.encode(sentence, model.vocab_size)[1:]

    def replaced(words: int) -> np.ndarray:  # the words of the same other review, however many
        return analysis.replace_first(ids_NT, words, np.random.default_rng(seed))

    whole_N = predict(ids_NT)
    changed = _comparing(predict, whole_N > 0.5, label_N)
    return {
        "whole": float(((whole_N > 0.5) == (label_N == 1)).mean()),
        "last": {k: changed(analysis.keep_last(ids_NT, k)) for k in LAST},
        "replaced": {k: changed(replaced(k)) for k in REPLACED},
        "flips": _flips(analysis.flips(predict, encode, ids_NT, whole_N)),
    }


def _comparing(
    predict: Callable[[np.ndarray], np.ndarray], said_N: np.ndarray, label_N: np.ndarray
) -> Callable[[np.ndarray], Changed]:
    """What changed rows become, set against what was said of the whole ones."""

    def changed(ids_NT: np.ndarray) -> Changed:
        now_N = predict(ids_NT) > 0.5
        right = float((now_N == (label_N == 1)).mean())
        return Changed(right, float((now_N == said_N).mean()))

    return changed


def _flips(found: analysis.Flips) -> Flips:
    figures = (found.share, found.moved, found.neutral)
    return Flips(found.confident, *(x if np.isfinite(x) else None for x in figures))


def _reading(
    model: SentimentClassifier, params: Any, ids_NT: np.ndarray
) -> tuple[dict[int, float], float]:
    """``turns`` and ``jump``: what the probability does as reviews are read."""
    ids_BT = data.pack_rows(ids_NT)
    logits_BT = np.asarray(analysis.trajectory(model, params, ids_BT))
    length_B = data.lengths(ids_BT)
    jump_B = analysis.largest_jump(evaluation.probability(logits_BT), WINDOW)
    turns = {k: float(analysis.turns(logits_BT, length_B, k).mean()) for k in LAST}
    return turns, float(jump_B.mean())


def read(path: pathlib.Path) -> Measured:
    """What was measured earlier; ``UserError`` where the file is damaged or of another version."""
    try:
        return files.read_json(path, Measured)
    except UserError as error:
        raise UserError(f"{error} Or delete that file: it is measured again.") from error
