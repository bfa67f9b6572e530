"""One review as a card: its words tinted by what they add, the two trajectories, a plain remark."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from rnnsent.readings import Reading
from rnnsent.report.numbers import counted

_NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()
WINDOW = 10
"""The most words over which the remark looks for the largest move."""


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
    facts.append(f"{counted(len(words), 'word')} as the models saw them")
    models = [
        _model(css, words, reading)
        for css, reading in zip(("first", "second"), readings, strict=False)
    ]
    said = " ".join(remark(words, reading) for reading in readings)
    ends = [f"{reading.title} {reading.probability:.2f}" for reading in readings]
    alt = "Probability of positive after each word; at the end " + ", ".join(ends)
    return Card(number, name, ", ".join(facts), models, f"{_judge(truth, readings)} {said}", alt)


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


def _tinted(
    words: Sequence[str], contribution: Sequence[float], left_out: Sequence[float]
) -> list[Word]:
    largest = max(map(abs, (*contribution, 1e-12)))
    return [
        Word(
            word,
            f"adds {value:+.3f} nats; without it {-lost:+.3f}",
            "more" if value > 0 else "less",
            round(0.75 * abs(value) / largest, 2),
        )
        for word, value, lost in zip(words, contribution, left_out, strict=True)
    ]


def _points(trajectory: Sequence[float]) -> str:
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
    if f"{before:.2f}" == f"{after:.2f}":
        return (
            f"The {reading.title}'s probability hardly moves: by less than 0.01 within any "
            f"{_NUMBERS[WINDOW]} words."
        )
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


def largest_move(trajectory: Sequence[float], before: float) -> tuple[float, float, int, int]:
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
