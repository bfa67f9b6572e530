"""What the models do inside: criteria over the trainings that learned."""

from collections.abc import Callable

import numpy as np

from rnnsent.claims.conditions import CONDITIONS
from rnnsent.claims.criterion import Criterion, Results
from rnnsent.claims.measure import Found
from rnnsent.comparison import compare, sign
from rnnsent.memory import MemoryCurves

RIVALS = ("simple_rnn-plain", "simple_rnn-twice")
"""What the LSTM's inside is set against: the SimpleRNN trained just like it, and as the notebook's
most likely was. After one fit with recurrent dropout it often says the same of every review."""

LEARNED = 0.6
"""Test accuracy from which a training counts as having learned: a model at chance says the same of
every review, which would look steady."""
NEAR, FAR = slice(0, 10), slice(60, 100)
"""Words before the end whose gradients are set against each other."""
TENTH = 10
"""Percent of the confident predictions from which a last sentence can be said to turn them."""


def vanishing(curves: MemoryCurves) -> float:
    """How much of a word's gradient is left far from the end: median over ``FAR`` by ``NEAR``.

    NaN where there is no finite gradient.
    """
    median_D = curves.word.median_D
    far = median_D[FAR] if len(median_D) > FAR.start else median_D[-1:]
    return float(np.median(far) / max(np.median(median_D[NEAR]), 1e-30))


def gradients(found: Results) -> list[Criterion]:
    """Less of a far word's gradient is left in the SimpleRNN, untrained and trained."""
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


def reach(found: Results) -> list[Criterion]:
    """Gradients are a means; what they should bring is a use for words far from the end."""
    return _each(
        found,
        lambda f: 100 * (f.measured.whole - f.measured.last[40].accuracy),
        "what stands more than 40 words before the end raises the {}'s accuracy less than the "
        "LSTM's",
        " points",
        lower=True,
    )


def local(found: Results) -> list[Criterion]:
    """The SimpleRNN decides on few words, the LSTM does not."""
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


def turned_more(found: Results) -> list[Criterion]:
    """A last sentence turns the SimpleRNN more often than the LSTM."""
    return _each(
        found,
        lambda f: f.turned,
        "a last sentence of the opposite sentiment turns the {}'s confident predictions more often "
        "than the LSTM's",
        "%",
    )


def turned(found: Results) -> list[Criterion]:
    """It turns the SimpleRNN often, and by its sentiment."""
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
