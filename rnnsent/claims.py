"""The notebook's claims as criteria: what would have to be true, decided from trainings over seeds.

Everything here is computed from finished trainings and what was measured on them; how they are
trained and measured is ``experiments.claims``'s business.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from rnnsent import evaluation, notebook
from rnnsent.model import PRESETS
from rnnsent.runs import Trained
from rnnsent.verdicts import Criterion, Shares, compare, prediction_interval, shares, sign


@dataclasses.dataclass(frozen=True)
class Condition:
    """One way to train: ``epochs`` counts in units of the run's epochs."""

    title: str
    preset: str
    recurrent_dropout: float
    epochs: int = 1

    @property
    def notebooks(self) -> bool:
        """Whether the notebook may have trained like this, once or twice."""
        return self.recurrent_dropout == PRESETS[self.preset].recurrent_dropout


CONDITIONS: dict[str, Condition] = {
    "simple_rnn": Condition("SimpleRNN", "simple_rnn", 0.1),
    "lstm": Condition("LSTM", "lstm", 0.0),
    "simple_rnn-twice": Condition("SimpleRNN fitted twice", "simple_rnn", 0.1, epochs=2),
    "simple_rnn-plain": Condition("SimpleRNN without recurrent dropout", "simple_rnn", 0.0),
    "lstm-recurrent": Condition("LSTM with recurrent dropout", "lstm", 0.1),
}
"""The notebook's two recipes, the rest of the 2 x 2 of cell by recurrent dropout, and the SimpleRNN
fitted twice, which the notebook's cell numbers suggest."""

RIVALS = ("simple_rnn-plain", "simple_rnn-twice")
"""What the LSTM's inside is set against: the SimpleRNN trained just like it, and as the notebook's
most likely was. After one fit with recurrent dropout it often says the same of every review."""

CHANGED = 10_000
"""Test reviews that are read again with words masked, replaced or appended: the first of a shuffled
split. That leaves half a point of doubt in a share, where seeds differ by several."""
LEARNED = 0.6
"""Test accuracy from which a training counts as having learned: a model at chance says the same of
every review, which would look steady."""
NEAR, FAR = slice(0, 10), slice(60, 100)
"""Words before the end whose gradients are set against each other."""
TENTH = 10
"""Percent of the confident predictions from which a last sentence can be said to turn them."""


@dataclasses.dataclass(frozen=True)
class Found:
    """One training, and what was measured on it by ``experiments.claims.measure``."""

    trained: Trained
    measured: Mapping[str, Any]

    @property
    def accuracy(self) -> float:
        """On all test reviews, in percent."""
        return 100 * self.trained.result["test_accuracy"]

    @property
    def learned(self) -> bool:
        return self.accuracy >= 100 * LEARNED

    @property
    def epoch_seconds(self) -> float:
        return float(np.median(self.trained.result["epoch_seconds"]))

    def last(self, words: int, what: str) -> float:
        """``accuracy`` or ``same`` in percent, with only the last words."""
        return 100 * self.measured["last"][str(words)][what]

    def replaced(self, words: int, what: str) -> float:
        """Likewise with the first words replaced."""
        return 100 * self.measured["replaced"][str(words)][what]

    def turned(self, what: str = "share") -> float:
        """Confident predictions turned by a last sentence, in percent; NaN if there are none."""
        share = self.measured["flips"][what]
        return float("nan") if share is None else 100 * share


Results = Mapping[str, Sequence[Found]]
"""By condition, one per seed, the same seeds in the same order."""


def criteria(
    found: Results,
    label_N: np.ndarray,
    params: Mapping[str, int],
    comparable: bool,
) -> dict[str, list[Criterion]]:
    """The criteria of each of the notebook's claims.

    Args:
      found: all conditions.
      label_N: of the test reviews.
      params: number of parameters of ``simple_rnn`` and ``lstm``.
      comparable: whether these are the test reviews of the notebook.
    """
    slower, better, gradients, local, flips = notebook.CLAIMS
    return {
        slower: _slower(found, params),
        better: [*_better(found, label_N), *_by_as_much(found, comparable)],
        gradients: [*_gradients(found), *_reach(found, label_N), *_cells_part(found)],
        local: _local(found),
        flips: [*_turned_more(found), *_turned(found)],
    }


def _slower(found: Results, params: Mapping[str, int]) -> list[Criterion]:
    seconds = compare(*([f.epoch_seconds for f in found[n]] for n in ("lstm", "simple_rnn")))
    return [
        Criterion(
            "an epoch of the LSTM takes longer",
            seconds.text("LSTM", "SimpleRNN", " s"),
            seconds.higher,
        ),
        Criterion(
            "the LSTM has more parameters",
            f"{params['lstm']:,} against {params['simple_rnn']:,}",
            params["lstm"] > params["simple_rnn"],
        ),
    ]


def _better(found: Results, label_N: np.ndarray) -> list[Criterion]:
    tested = []
    for name in ("simple_rnn", "simple_rnn-twice"):
        right = [
            [evaluation.correct(f.trained.test_logits_N, label_N) for f in found[n]]
            for n in (name, "lstm")
        ]
        tests = [evaluation.mcnemar(a, b) for a, b in zip(*right, strict=True)]
        won = sum(t.p_value < 0.05 and t.only_second > t.only_first for t in tests)
        means = [np.mean([f.accuracy for f in found[n]]) for n in ("lstm", name)]
        tested.append(
            Criterion(
                f"the LSTM is right more often than the {CONDITIONS[name].title} on the same "
                "reviews, with every seed (McNemar, p < 0.05)",
                f"{won} of {len(tests)} seeds; means {means[0]:.2f}% and {means[1]:.2f}%",
                won == len(tests),
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
    for name in ("simple_rnn", "simple_rnn-twice"):
        between = prediction_interval(gaps(found, name, "lstm"))
        said = "one seed" if between is None else f"{between[0]:+.1f} to {between[1]:+.1f} points"
        tested.append(
            Criterion(
                f"its lead over the {CONDITIONS[name].title} on the IMDB test reviews is about "
                f"the notebook's {printed:.1f} points: one more seed might show it (95% "
                "prediction interval)",
                said if comparable else f"{said}, on other reviews",
                between[0] <= printed <= between[1] if comparable and between else None,
            )
        )
    return tested


def vanishing(found: Found, state: str) -> float:
    """How much of the gradient is left far from the end: median over ``FAR`` by ``NEAR``."""
    median_D = np.asarray(found.measured[state]["x"])[1]
    far = median_D[FAR] if len(median_D) > FAR.start else median_D[-1:]
    return float(np.median(far) / max(np.median(median_D[NEAR]), 1e-30))


def _gradients(found: Results) -> list[Criterion]:
    test = compare(*([vanishing(f, "fresh") for f in found[n]] for n in ("lstm", "simple_rnn")))
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
            lambda f: vanishing(f, "trained"),
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
    return [f for f in found[name] if f.learned]


def _reach(found: Results, label_N: np.ndarray) -> list[Criterion]:
    """Gradients are a means; what they should bring is a use for words far from the end."""

    def gain(f: Found) -> float:
        whole = evaluation.accuracy(f.trained.test_logits_N[:CHANGED], label_N[:CHANGED])
        return 100 * whole - f.last(40, "accuracy")

    return _each(
        found,
        gain,
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
            lambda f: f.last(20, "same"),
            "with only the last 20 words, the {} keeps its prediction more often than the LSTM",
            "%",
        ),
        *_each(
            found,
            lambda f: f.replaced(80, "same"),
            "with its first 80 words replaced by another review's, the {} keeps its prediction "
            "more often than the LSTM",
            "%",
        ),
        *_each(
            found,
            lambda f: 100 * f.measured["reading"]["turns"]["20"],
            "the {} still changes sides within the last 20 words more often than the LSTM",
            "%",
        ),
        *_each(
            found,
            lambda f: f.measured["reading"]["jump"],
            "the {}'s probability moves more within ten words than the LSTM's",
        ),
    ]


def _turned_more(found: Results) -> list[Criterion]:
    return _each(
        found,
        Found.turned,
        "a last sentence of the opposite sentiment turns the {}'s confident predictions more often "
        "than the LSTM's",
        "%",
    )


def _turned(found: Results) -> list[Criterion]:
    tested = []
    for name in RIVALS:
        title, rival = CONDITIONS[name].title, learned(found, name)
        shares_ = [f.turned() for f in rival if f.measured["flips"]["confident"]]
        test = sign([f.turned() - f.turned("neutral") for f in rival])
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
