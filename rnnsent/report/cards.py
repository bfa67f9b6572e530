"""One review as a card: its words tinted by what they add, the two trajectories, a plain remark."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnnsent import analysis, evaluation, notebook
from rnnsent.data import PAD, START, Reviews, Vocabulary
from rnnsent.model import ModelConfig

_NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()
WINDOW = 10
"""The most words over which the remark looks for the largest move."""


@dataclasses.dataclass(frozen=True)
class Reading:
    """What one model made of one review; the arrays have one entry per word.

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
    contribution: np.ndarray
    left_out: np.ndarray
    trajectory: np.ndarray
    before: float
    probability: float
    missing: float

    @property
    def label(self) -> int:
        return int(self.probability > 0.5)


def read(title: str, config: ModelConfig, params: Any, ids_T: np.ndarray) -> Reading:
    """A trained model's reading of one review; the steps that are words are kept."""
    word_T = is_word(ids_T)
    found = analysis.integrated_gradients(config, params, ids_T, max_points=512)
    both_2T = np.stack([ids_T, np.full_like(ids_T, PAD)])
    p_T, empty_T = evaluation.probability(analysis.trajectory(config, params, both_2T))
    first = int(word_T.argmax())
    return Reading(
        title,
        found.contribution_T[word_T],
        analysis.occlusion(config, params, ids_T)[word_T],
        p_T[word_T],
        float(p_T[first - 1] if first else empty_T[0]),
        float(p_T[-1]),  # masked steps keep the carry, so the last step is the review's end
        abs(found.gap) / max(abs(found.logit - found.baseline), 1e-9),
    )


def is_word(ids: np.ndarray) -> np.ndarray:
    """bool, where ids stand for words of the review: neither padding nor the start mark."""
    return (ids != PAD) & (ids != START)


@dataclasses.dataclass(frozen=True)
class Word:
    """A word, its tint's side and strength, and its tooltip."""

    text: str
    title: str
    side: str
    alpha: float


@dataclasses.dataclass(frozen=True)
class Model:
    """One model's part of a card, ready to be shown."""

    title: str
    css: str
    said: str
    words: list[Word]
    points: str
    note: str


@dataclasses.dataclass(frozen=True)
class Card:
    """A review, ready to be shown."""

    number: int
    name: str
    facts: str
    models: list[Model]
    remark: str
    alt: str


def words(vocabulary: Vocabulary, ids_T: np.ndarray) -> list[str]:
    """The words of a review, one per step that is a word."""
    return [vocabulary.decode([one]) for one in ids_T[is_word(ids_T)].tolist()]


def card(
    number: int,
    name: str,
    truth: int | None,
    words: Sequence[str],
    readings: Sequence[Reading],
    printed: Mapping[str, int] | None = None,
) -> Card:
    """A card of a review.

    Args:
      number: shown before the name.
      name: of the review.
      truth: its label, None where it is not known.
      words: as the models saw them.
      readings: what each model made of them, at most two.
      printed: the notebook's predictions by model title, where its text names them.
    """
    facts = [f"truth: {_side(truth)}"] if truth is not None else []
    facts += [f"the notebook's {title}: {_side(said)}" for title, said in (printed or {}).items()]
    facts.append(f"{len(words)} words as the models saw them")
    models = [
        _model(css, words, reading)
        for css, reading in zip(("first", "second"), readings, strict=False)
    ]
    said = " ".join(remark(words, reading) for reading in readings)
    verdicts = [f"{r.title} {r.probability:.2f}" for r in readings]
    alt = "Probability of positive after each word; at the end " + ", ".join(verdicts)
    return Card(number, name, ", ".join(facts), models, f"{_judge(truth, readings)} {said}", alt)


def sample(
    models: Mapping[str, tuple[ModelConfig, int, Any]], reviews: Reviews, comparable: bool
) -> list[Card]:
    """The reviews the notebook looked at, as cards.

    Args:
      models: by title, configuration, seed and parameters; at most two.
      reviews: the test reviews and their vocabulary.
      comparable: whether these are the reviews of the notebook.
    """
    out, test = [], reviews.test
    for number, row in enumerate(notebook.sample_rows(len(test.names)).tolist(), start=1):
        readings = [
            read(title, config, params, test.ids_NT[row])
            for title, (config, _, params) in models.items()
        ]
        said = notebook.SAMPLE_PREDICTIONS.get(number, {}) if comparable else {}
        text = words(reviews.vocabulary, test.ids_NT[row])
        name, truth = f"test review {row:,}", int(test.label_N[row])
        printed = {notebook.TITLES[model]: label for model, label in said.items()}
        out.append(card(number, name, truth, text, readings, printed))
    return out


def _side(label: int) -> str:
    return ("negative", "positive")[label]


def _model(css: str, words: Sequence[str], reading: Reading) -> Model:
    note = ""
    if reading.missing > 0.01:
        note = f"The tints leave {reading.missing:.0%} of the logit's difference unexplained."
    return Model(
        reading.title,
        css,
        f"{_side(reading.label)}, probability of positive {reading.probability:.2f}",
        _tinted(words, reading.contribution, reading.left_out),
        _points(reading.trajectory),
        note,
    )


def _tinted(words: Sequence[str], contribution: np.ndarray, left_out: np.ndarray) -> list[Word]:
    largest = max(float(np.abs(contribution).max(initial=0)), 1e-12)
    return [
        Word(
            word,
            f"adds {value:+.3f} nats; without it {-lost:+.3f}",
            "more" if value > 0 else "less",
            round(0.75 * abs(value) / largest, 2),
        )
        for word, value, lost in zip(words, contribution.tolist(), left_out.tolist(), strict=True)
    ]


def _points(trajectory: np.ndarray) -> str:
    """The curve in the card's drawing: x from 30 to 395, y from 110 (p = 0) to 10 (p = 1)."""
    x = np.linspace(395, 30, len(trajectory))[::-1]  # a single word's point is at the end
    return " ".join(f"{a:.1f},{110 - 100 * p:.1f}" for a, p in zip(x, trajectory, strict=True))


def _judge(truth: int | None, readings: Sequence[Reading]) -> str:
    """Who says what, and whether that is right where the truth is known."""
    said = [reading.label for reading in readings]
    if len(set(said)) == 1:
        who = readings[0].title if len(said) == 1 else "Both" if len(said) == 2 else "All"
        verb = "says" if len(said) == 1 else "say"
        right = "" if truth is None else ", rightly" if said[0] == truth else ", wrongly"
        return f"{who} {verb} {_side(said[0])}{right}."
    parts = [f"the {r.title} says {_side(s)}" for r, s in zip(readings, said, strict=True)]
    sentence = f"They differ: {', '.join(parts)}"
    if truth is None:
        return sentence + "."
    right = ", ".join(f"the {r.title}" for r, s in zip(readings, said, strict=True) if s == truth)
    return f"{sentence}; {right} is right."


def remark(words: Sequence[str], reading: Reading) -> str:
    """The largest move of the probability within ``WINDOW`` words, and where it happened."""
    if not words:
        return f"The {reading.title} had no word to read."
    before, after, start, stop = largest_move(reading.trajectory, reading.before)
    count = stop - start
    named = _NUMBERS[count] if count < len(_NUMBERS) else str(count)
    plural = "word" if count == 1 else f"{named} words"
    if stop == len(words):
        where = f"in the last {plural}"
    elif start == 0:
        where = f"in the first {plural}"
    elif count == 1:
        where = f"at word {stop}, “{words[start]}”"
    else:
        where = f"in words {start + 1} to {stop}, “{' '.join(words[start:stop])}”"
    return (
        f"The {reading.title}'s probability made its largest move {where}: "
        f"from {before:.2f} to {after:.2f}."
    )


def largest_move(trajectory: np.ndarray, before: float) -> tuple[float, float, int, int]:
    """Probability before and after the largest move, and its words ``start`` to ``stop``.

    ``before`` is the probability before the first word; of equal moves the shortest is taken.
    """
    p = np.concatenate([[before], trajectory])
    moves = [
        (round(abs(float(p[stop] - p[start])), 6), -(stop - start), start, stop)
        for stop in range(1, len(p))
        for start in range(max(0, stop - WINDOW), stop)
    ]
    _, _, start, stop = max(moves)
    return float(p[start]), float(p[stop]), start, stop
