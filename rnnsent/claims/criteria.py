"""The notebook's claims as criteria: what would have to be true, decided from trainings over seeds.

A criterion that the trainings at hand could not decide, whatever they had shown, is neither true
nor false: it is marked as untested and counts for nothing.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np

from rnnsent import notebook
from rnnsent.claims.conditions import CONDITIONS
from rnnsent.claims.measure import Found
from rnnsent.comparison import Shares, compare, prediction_interval, shares, sign
from rnnsent.evaluation import McNemar
from rnnsent.memory import MemoryCurves

RIVALS = ("simple_rnn-plain", "simple_rnn-twice")
"""What the LSTM's inside is set against: the SimpleRNN trained just like it, and as the notebook's
most likely was. After one fit with recurrent dropout it often says the same of every review."""
BEATEN = ("simple_rnn", "simple_rnn-twice")
"""What the notebook's SimpleRNN may have been, for setting accuracies against each other."""

LEARNED = 0.6
"""Test accuracy from which a training counts as having learned: a model at chance says the same of
every review, which would look steady."""
NEAR, FAR = slice(0, 10), slice(60, 100)
"""Words before the end whose gradients are set against each other."""
TENTH = 10
"""Percent of the confident predictions from which a last sentence can be said to turn them."""


class Criterion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that would have to be true.

    Attributes:
      statement: in words.
      measured: what was found, in words and figures.
      holds: whether that makes the statement true; None where it could not be tested.
    """

    statement: str
    measured: str
    holds: bool | None


def verdict(criteria: Sequence[Criterion]) -> str:
    """``supported`` where all tested criteria hold, ``not supported`` where none does.

    Else ``mixed``; ``not tested`` where less than half of the criteria could be.
    """
    if not criteria:
        raise ValueError("a verdict needs at least one criterion")
    tested = [criterion.holds for criterion in criteria if criterion.holds is not None]
    if 2 * len(tested) < len(criteria):
        return "not tested"
    if all(tested):
        return "supported"
    return "mixed" if any(tested) else "not supported"


Results = Mapping[str, Sequence[Found]]
"""By condition, one per seed, the same seeds in the same order; others may stand beside them."""

Tests = Mapping[str, Sequence[McNemar]]
"""By condition of ``BEATEN``, per seed: it and the LSTM on the same test reviews."""


def criteria(
    found: Results,
    tests: Tests,
    parameters: Mapping[str, int],
    comparable: bool,
) -> dict[str, list[Criterion]]:
    """The criteria of each of the notebook's claims.

    Args:
      found: all conditions.
      tests: of those of ``BEATEN`` against the LSTM.
      parameters: their number, of ``simple_rnn`` and ``lstm``.
      comparable: whether the notebook's accuracies can be set beside: its test reviews, read as
        it reads them, and nothing changed in what is trained.
    """
    slower, better, gradients, local, flips = notebook.CLAIMS
    return {
        slower: _slower(found, parameters),
        better: [*_better(found, tests), *_by_as_much(found, comparable)],
        gradients: [*_gradients(found), *_reach(found), *_cells_part(found)],
        local: _local(found),
        flips: [*_turned_more(found), *_turned(found)],
    }


def _slower(found: Results, parameters: Mapping[str, int]) -> list[Criterion]:
    seconds = compare(*([f.seconds for f in found[n]] for n in ("lstm", "simple_rnn")))
    return [
        Criterion(
            "an epoch of the LSTM takes longer",
            seconds.text("LSTM", "SimpleRNN", " s"),
            seconds.higher,
        ),
        Criterion(
            "the LSTM has more parameters",
            f"{parameters['lstm']:,} against {parameters['simple_rnn']:,}",
            parameters["lstm"] > parameters["simple_rnn"],
        ),
    ]


def _better(found: Results, tests: Tests) -> list[Criterion]:
    tested = []
    for name in BEATEN:
        won = sum(t.p_value < 0.05 and t.only_second > t.only_first for t in tests[name])
        means = [np.mean([f.accuracy for f in found[n]]) for n in ("lstm", name)]
        tested.append(
            Criterion(
                f"the LSTM is right more often than the {CONDITIONS[name].title} on the same "
                "reviews, with every seed (McNemar, p < 0.05)",
                f"{won} of {len(tests[name])} seeds; means {means[0]:.2f}% and {means[1]:.2f}%",
                won == len(tests[name]),
            )
        )
    return tested


def printed_gap() -> float:
    """LSTM minus SimpleRNN as the notebook printed them, in points of accuracy."""
    return 100 * (notebook.TEST_ACCURACY["lstm"] - notebook.TEST_ACCURACY["simple_rnn"])


def gaps(found: Results, start: str, end: str) -> list[float]:
    """Per seed, how far the second condition is above the first, in points of accuracy."""
    return [b.accuracy - a.accuracy for a, b in zip(found[start], found[end], strict=True)]


def _by_as_much(found: Results, comparable: bool) -> list[Criterion]:
    tested, printed = [], printed_gap()
    for name in BEATEN:
        between = prediction_interval(gaps(found, name, "lstm"))
        said = "one seed" if between is None else f"{between[0]:+.1f} to {between[1]:+.1f} points"
        tested.append(
            Criterion(
                f"its lead over the {CONDITIONS[name].title} on the IMDB test reviews is about "
                f"the notebook's {printed:.1f} points: one more seed might show it (95% "
                "prediction interval)",
                said if comparable else f"{said}, on other reviews or of changed recipes",
                between[0] <= printed <= between[1] if comparable and between else None,
            )
        )
    return tested


def vanishing(curves: MemoryCurves) -> float:
    """How much of a word's gradient is left far from the end: median over ``FAR`` by ``NEAR``.

    NaN where there is no finite gradient.
    """
    median_D = curves.word.median_D
    far = median_D[FAR] if len(median_D) > FAR.start else median_D[-1:]
    return float(np.median(far) / max(np.median(median_D[NEAR]), 1e-30))


def _gradients(found: Results) -> list[Criterion]:
    test = compare(
        *([vanishing(f.measured.fresh) for f in found[n]] for n in ("lstm", "simple_rnn"))
    )
    left = f"less of a word's gradient is left {FAR.start} to {FAR.stop} words before the end in "
    at_start = Criterion(
        f"at initialisation, {left}the SimpleRNN than in the LSTM",
        "ratio to the last ten words: " + test.text("LSTM", "SimpleRNN"),
        test.higher,
    )
    return [
        at_start,
        *_each(
            found,
            lambda f: vanishing(f.measured.trained),
            f"after training, {left}the {{}} than in the LSTM",
            lower=True,
        ),
    ]


def _each(
    found: Results,
    figure: Callable[[Found], float],
    statement: str,
    unit: str = "",
    *,
    lower: bool = False,
) -> list[Criterion]:
    """A criterion per rival, over the trainings that learned: its figure is higher than the LSTM's.

    Args:
      found: all conditions.
      figure: of one training; NaN leaves it out.
      statement: with ``{}`` for the rival's title.
      unit: of the figure.
      lower: the rival's figure has to be lower instead.
    """
    tested = []
    for name in RIVALS:
        title = CONDITIONS[name].title
        named = [(title, [figure(f) for f in learned(found, name)])]
        named.append(("LSTM", [figure(f) for f in learned(found, "lstm")]))
        (first, a), (second, b) = reversed(named) if lower else named
        test = compare(a, b)
        measured = test.text(first, second, unit)
        tested.append(Criterion(statement.format(title), measured, test.higher))
    return tested


def learned(found: Results, name: str) -> list[Found]:
    """The trainings of a condition that learned."""
    return [f for f in found[name] if f.test_accuracy >= LEARNED]


def _reach(found: Results) -> list[Criterion]:
    """Gradients are a means; what they should bring is a use for words far from the end."""
    return _each(
        found,
        lambda f: 100 * (f.measured.whole - f.measured.last[40].accuracy),
        "what stands more than 40 words before the end raises the {}'s accuracy less than the "
        "LSTM's",
        " points",
        lower=True,
    )


def by_recurrent_dropout(found: Results) -> list[Shares]:
    """Per seed, the gap after one fit over the 2 x 2 of cell by recurrent dropout, in points."""
    order = ("simple_rnn", "lstm-recurrent", "simple_rnn-plain", "lstm")
    return [shares(*corner) for corner in zip(*_accuracies(found, order), strict=True)]


def by_trainings(found: Results) -> list[Shares]:
    """Per seed, the LSTM's lead over the SimpleRNN fitted twice, in points.

    The cell's share is the lead over the SimpleRNN trained just like the LSTM; the rest is what
    recurrent dropout and the second fit make of the SimpleRNN.
    """
    order = ("simple_rnn-twice", "simple_rnn-plain", "lstm")
    return [
        Shares(lstm - twice, lstm - plain, plain - twice)
        for twice, plain, lstm in zip(*_accuracies(found, order), strict=True)
    ]


def _accuracies(found: Results, names: Sequence[str]) -> list[list[float]]:
    return [[f.accuracy for f in found[name]] for name in names]


def _cells_part(found: Results) -> list[Criterion]:
    tested = []
    for split, gap, rest in (
        (by_recurrent_dropout(found), "gap after one fit", "recurrent dropout's"),
        (by_trainings(found), "lead over the SimpleRNN fitted twice", "training's"),
    ):
        cell, whole = (
            float(np.mean([getattr(s, part) for s in split])) for part in ("cell", "gap")
        )
        test = sign([s.cell - s.recipe for s in split])
        tested.append(
            Criterion(
                f"there is a {gap}, and it is more the cell's than the {rest}",
                f"{cell:+.1f} of {whole:+.1f} points; "
                + test.text("the one minus the other", " points"),
                test.positive if whole > 0 else False,
            )
        )
    return tested


def _local(found: Results) -> list[Criterion]:
    return [
        *_each(
            found,
            lambda f: 100 * f.measured.last[20].same,
            "with only the last 20 words, the {} keeps its prediction more often than the LSTM",
            "%",
        ),
        *_each(
            found,
            lambda f: 100 * f.measured.replaced[80].same,
            "with its first 80 words replaced by another review's, the {} keeps its prediction "
            "more often than the LSTM",
            "%",
        ),
        *_each(
            found,
            lambda f: 100 * f.measured.turns[20],
            "the {} still changes sides within the last 20 words more often than the LSTM",
            "%",
        ),
        *_each(
            found,
            lambda f: f.measured.jump,
            "the {}'s probability moves more within ten words than the LSTM's",
        ),
    ]


def _turned_more(found: Results) -> list[Criterion]:
    return _each(
        found,
        lambda f: f.turned,
        "a last sentence of the opposite sentiment turns the {}'s confident predictions more often "
        "than the LSTM's",
        "%",
    )


def _turned(found: Results) -> list[Criterion]:
    tested = []
    for name in RIVALS:
        title, rival = CONDITIONS[name].title, learned(found, name)
        shares_ = [f.turned for f in rival if f.measured.flips.confident]
        test = sign([f.turned - f.turned_by_neutral for f in rival])
        tested += [
            Criterion(
                f"such a sentence turns at least a tenth of the {title}'s confident predictions "
                "(median over seeds)",
                f"{np.median(shares_):.1f}%" if shares_ else "no confident prediction",
                bool(np.median(shares_) >= TENTH) if shares_ else None,
            ),
            Criterion(
                f"such a sentence turns more of the {title}'s than one without a sentiment",
                test.text("difference", " points"),
                test.positive,
            ),
        ]
    return tested
