"""What models make of single reviews, word by word."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from rnnsent import analysis, evaluation, notebook
from rnnsent.data import PAD, START, Reviews, Vocabulary
from rnnsent.model import SentimentClassifier


class Reading(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one model made of one review; what is a tuple has one entry per word.

    Attributes:
      title: of the model.
      contribution: of each word to the logit, in nats.
      left_out: what the logit loses without each word, in nats.
      trajectory: probability of a positive review after each word.
      before: likewise before the first word.
      probability: of a positive review, at its end; where there is no word, of an empty review.
      missing: share of the logit's difference that the contributions fail to explain.
    """

    title: str
    contribution: tuple[float, ...]
    left_out: tuple[float, ...]
    trajectory: tuple[float, ...]
    before: float
    probability: float
    missing: float

    @property
    def label(self) -> int:
        return int(self.probability > 0.5)


class Review(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A review that some models read.

    Attributes:
      number: among those shown, from 1.
      name: which one it is.
      truth: its label, None where it is not known.
      words: as the models saw them.
      readings: one per model.
      printed: the notebook's predictions by model title, where its text names them.
    """

    number: int
    name: str
    truth: int | None
    words: tuple[str, ...]
    readings: tuple[Reading, ...]
    printed: dict[str, int] = {}

    def __post_init__(self) -> None:
        parts = [p for r in self.readings for p in (r.contribution, r.left_out, r.trajectory)]
        if any(len(part) != len(self.words) for part in parts):
            raise ValueError(f"a reading of review {self.number} needs a figure per word")
        if {self.truth, *self.printed.values()} - {0, 1, None}:
            raise ValueError(f"a label of review {self.number} is neither 0 nor 1")


def read(title: str, model: SentimentClassifier, params: Any, ids_T: np.ndarray) -> Reading:
    """A trained model's reading of one review; the steps that are words are kept."""
    word_T = is_word(ids_T)
    found = analysis.integrated_gradients(model, params, ids_T, max_points=512)
    both_2T = np.stack([ids_T, np.full_like(ids_T, PAD)])
    p_T, empty_T = evaluation.probability(analysis.trajectory(model, params, both_2T))
    first = int(word_T.argmax())
    return Reading(
        title,
        _floats(found.contribution_T[word_T]),
        _floats(analysis.occlusion(model, params, ids_T)[word_T]),
        _floats(p_T[word_T]),
        float(p_T[first - 1] if first else empty_T[0]),
        float(p_T[-1]),  # masked steps keep the carry, so the last step is the review's end
        float(abs(found.gap) / max(abs(found.logit - found.baseline), 1e-9)),
    )


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(np.round(values.astype(np.float64), 6).tolist())


def is_word(ids: np.ndarray) -> np.ndarray:
    """bool, where ids stand for words of the review: neither padding nor the start mark."""
    return (ids != PAD) & (ids != START)


def words(vocabulary: Vocabulary, ids_T: np.ndarray) -> tuple[str, ...]:
    """The words of a review, one per step that is a word."""
    return tuple(vocabulary.decode([one]) for one in ids_T[is_word(ids_T)].tolist())


def sample(
    models: Mapping[str, tuple[SentimentClassifier, Any]],
    reviews: Reviews,
    printed: Mapping[str, str],
) -> list[Review]:
    """The reviews that the notebook looked at.

    Args:
      models: by title, model and parameters.
      reviews: the test reviews and their vocabulary.
      printed: title of each of the notebook's models, by its name there; empty where these are not
        the notebook's reviews.
    """
    out, test = [], reviews.test
    for number, row in enumerate(notebook.sample_rows(len(test.names)).tolist(), start=1):
        ids_T = test.ids_NT[row]
        said = notebook.SAMPLE_PREDICTIONS.get(number, {})
        readings = [read(title, *model, ids_T) for title, model in models.items()]
        out.append(
            Review(
                number,
                f"test review {row:,}",
                int(test.label_N[row]),
                words(reviews.vocabulary, ids_T),
                tuple(readings),
                {printed[name]: label for name, label in said.items() if name in printed},
            )
        )
    return out
