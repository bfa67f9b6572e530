"""How far the LSTM is ahead: criteria of time, size and accuracy, over all trainings."""

from collections.abc import Mapping, Sequence

import numpy as np

from rnnsent import notebook
from rnnsent.claims.conditions import CONDITIONS
from rnnsent.claims.criterion import Criterion, Results
from rnnsent.comparison import Shares, compare, prediction_interval, shares, sign
from rnnsent.evaluation import McNemar

BEATEN = ("simple_rnn", "simple_rnn-twice")
"""What the notebook's SimpleRNN may have been, for setting accuracies against each other."""

Tests = Mapping[str, Sequence[McNemar]]
"""By condition of ``BEATEN``, per seed: it and the LSTM on the same test reviews."""


def slower(found: Results, parameters: Mapping[str, int]) -> list[Criterion]:
    """The LSTM takes longer and has more parameters."""
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


def better(found: Results, tests: Tests) -> list[Criterion]:
    """It is right more often on the same reviews, with every seed."""
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


def by_as_much(found: Results, comparable: bool) -> list[Criterion]:
    """Its lead is about the one that the notebook printed."""
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


def cells_part(found: Results) -> list[Criterion]:
    """There is a lead, and more of it is the cell's than that of how it was trained."""
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
