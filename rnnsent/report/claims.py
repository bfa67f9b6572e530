"""The claims' report: Markdown and figures from finished trainings; nothing is measured here."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnnsent import evaluation, notebook
from rnnsent.claims import (
    CONDITIONS,
    LEARNED,
    Found,
    Results,
    by_recurrent_dropout,
    by_trainings,
    learned,
    printed_gap,
)
from rnnsent.report import figures, markdown, statistics
from rnnsent.verdicts import SIGNIFICANCE, Criterion, Shares, verdict

RULE = (
    "A claim is *supported* where all its criteria that could be tested hold, *not supported* "
    "where none does, else *mixed*, and *not tested* where less than half could be. Figures of two "
    "groups of trainings are compared with a one-sided Mann-Whitney test, differences by seed with "
    f"Wilcoxon's, both at {SIGNIFICANCE}; where so few trainings could not have shown it, the "
    "criterion is untested and counts for nothing. What is said of the models' insides is said of "
    f"the trainings that learned: those of at least {100 * LEARNED:.0f}% test accuracy."
)


def verdicts(tested: Mapping[str, Sequence[Criterion]]) -> str:
    """Each claim with its verdict and how many of its criteria hold."""
    rows = []
    for claim, criteria in tested.items():
        holds = [c.holds for c in criteria if c.holds is not None]
        untested = len(criteria) - len(holds)
        count = f"{sum(holds)} of {len(holds)}" + (f", {untested} untested" if untested else "")
        rows.append((claim, f"**{verdict(criteria)}**", count))
    return markdown.table(("the notebook says", "verdict", "criteria that hold"), rows)


def claim(title: str, criteria: Sequence[Criterion]) -> str:
    """One claim: its verdict and the table of its criteria."""
    holds = {True: "yes", False: "no", None: "untested"}
    rows = [(c.statement, c.measured, holds[c.holds]) for c in criteria]
    table = markdown.table(("what would have to be true", "measured", "holds"), rows)
    return f"## {title}\n\nVerdict: **{verdict(criteria)}**.\n\n{table}"


def trainings(found: Results, label_N: np.ndarray, test_title: str, comparable: bool) -> str:
    """Accuracies of every condition: over seeds, over reviews, and the notebook's."""
    rows = []
    for name, fs in found.items():
        condition, results = CONDITIONS[name], [f.trained.result for f in fs]
        right_N = evaluation.correct(fs[0].trained.test_logits_N, label_N)
        low, high = evaluation.bootstrap_interval(right_N)
        printed = markdown.percent(notebook.TEST_ACCURACY[condition.preset])
        rows.append(
            (
                condition.title,
                results[0]["epochs"],
                condition.recurrent_dropout,
                markdown.percent(float(np.mean([r["train_accuracy"] for r in results]))),
                _plus_minus(fs),
                f"{markdown.percent(low)} to {markdown.percent(high)}",
                ", ".join(f"{f.accuracy:.2f}" for f in fs),
                f"{len(learned(found, name))} of {len(fs)}",
                printed if comparable and condition.notebooks else "–",
            )
        )
    head = (
        "model",
        "epochs",
        "recurrent dropout",
        "training accuracy",
        f"{markdown.escape(test_title)} ± spread over seeds",
        "95% over reviews (first seed)",
        "each seed, %",
        "learned",
        "notebook",
    )
    return markdown.table(head, rows)


def _plus_minus(fs: Sequence[Found]) -> str:
    spread = evaluation.spread([f.accuracy for f in fs])
    return f"{spread.mean:.2f}%" + ("" if spread.std is None else f" ± {spread.std:.2f}")


def split(found: Results, comparable: bool) -> str:
    """What part of the LSTM's lead is the cell's and what part the recipe's."""
    once, twice = by_recurrent_dropout(found), by_trainings(found)
    rows = [
        ("**LSTM minus SimpleRNN**, one fit each", _points(once, "gap")),
        ("of it, the cell", _points(once, "cell")),
        ("of it, the recurrent dropout", _points(once, "recipe")),
        ("**LSTM minus SimpleRNN fitted twice**", _points(twice, "gap")),
        ("of it, the cell: LSTM minus SimpleRNN without recurrent dropout", _points(twice, "cell")),
        ("of it, the recurrent dropout and the second fit", _points(twice, "recipe")),
    ]
    return (
        "The notebook gives recurrent dropout to the SimpleRNN only, so its gap mixes two things. "
        "After one fit, each share is the mean over the two orders of changing cell and recurrent "
        "dropout; against the SimpleRNN fitted twice, the cell's share is what is left when the "
        "SimpleRNN is trained just like the LSTM.\n\n"
        + markdown.table(("points of accuracy", "mean ± spread over seeds"), rows)
        + "\n\n"
        + (_portion(printed_gap(), twice) if comparable else _ELSEWHERE)
    )


_ELSEWHERE = "The notebook's gap was on other reviews, so these shares are not its."


def _portion(printed: float, split: Sequence[Shares]) -> str:
    """The printed gap in points: the cell's part as measured, and what remains."""
    cell = float(np.mean([s.cell for s in split]))
    if cell <= 0:
        part = "none of them is the cell's: trained alike, the SimpleRNN is not behind."
    elif cell >= printed:
        part = "all of them are the cell's: trained alike, the SimpleRNN is as far behind or more."
    else:
        rest = printed - cell
        part = f"{cell:.1f} are the cell's (trained alike) and {rest:.1f} the recipe's."
    return f"**Of the {printed:.1f} points that the notebook printed, {part}**"


def _points(split: Sequence[Shares], part: str) -> str:
    spread = evaluation.spread([getattr(s, part) for s in split])
    std = "" if spread.std is None else f" ± {spread.std:.1f}"
    return f"{spread.mean:+.1f}{std} ({spread.low:+.1f} to {spread.high:+.1f})"


def flips(found: Results) -> str:
    """The flip test per condition, means over the seeds that have confident predictions."""
    rows = []
    for name, fs in found.items():
        sure = [f for f in fs if f.measured["flips"]["confident"]]
        confident = np.mean([f.measured["flips"]["confident"] for f in fs])
        said = ["–", "–", "–"]
        if sure:
            share, neutral = (np.mean([f.turned(w) for f in sure]) for w in ("share", "neutral"))
            moved = np.mean([f.measured["flips"]["moved"] for f in sure])
            said = [f"{share:.1f}%", f"{neutral:.1f}%", f"{moved:+.3f}"]
        rows.append((CONDITIONS[name].title, f"{len(sure)}", f"{confident:,.0f}", *said))
    head = (
        "model",
        "seeds",
        "confident reviews",
        "turned by the opposite sentiment",
        "turned by no sentiment",
        "probability moved towards the sentence",
    )
    return markdown.table(head, rows)


def curves(found: Results, names: Sequence[str]) -> dict[str, list[dict[str, np.ndarray]]]:
    """Memory curves by title, untrained and trained in turns."""
    out = {}
    for name in names:
        for state, suffix in (("fresh", ", untrained"), ("trained", "")):
            out[CONDITIONS[name].title + suffix] = [
                {quantity: np.asarray(rows) for quantity, rows in f.measured[state].items()}
                for f in found[name]
            ]
    return out


def draw(
    found: Results, folder: pathlib.Path, provenance: Mapping[str, Any], comparable: bool
) -> None:
    """All figures, into ``folder/figures``."""
    place, test_title = folder / "figures", provenance["test_title"]
    place.mkdir(parents=True, exist_ok=True)
    titles = {name: CONDITIONS[name].title for name in found}
    printed = {
        condition.title: notebook.TEST_ACCURACY[condition.preset]
        for condition in CONDITIONS.values()
        if comparable and condition.notebooks
    }
    accuracy = {titles[n]: [f.accuracy / 100 for f in fs] for n, fs in found.items()}
    figures.accuracies(accuracy, printed, place / "accuracy.png", test_title)
    histories = {titles[n]: [f.trained.history for f in fs] for n, fs in found.items()}
    figures.curves(histories, place / "curves.png", "training, dropout on")
    for name, xlabel in (("last", "last words read"), ("replaced", "first words replaced")):
        panels = {
            panel: {titles[n]: _by_words(fs, name, key) for n, fs in found.items()}
            for panel, key in (
                ("accuracy", "accuracy"),
                ("same prediction as of the whole", "same"),
            )
        }
        figures.lines(panels, place / f"{name}.png", xlabel, provenance["title"])
    turns = {titles[n]: _turns(fs) for n, fs in found.items()}
    panel = {"reviews whose predicted side still changes": turns}
    figures.lines(panel, place / "turns.png", "within the last words", provenance["title"])
    three = curves(found, ("simple_rnn-plain", "lstm", "simple_rnn-twice"))
    order = {title: i // 2 for i, title in enumerate(curves(found, list(found)))}
    statistics.draw_memory(three, place / "memory.png", provenance["title"], order)


def _by_words(fs, name: str, key: str) -> tuple[list[int], list[list[float]]]:
    measured = [f.measured[name] for f in fs]
    return [int(k) for k in measured[0]], [[at[key] for at in m.values()] for m in measured]


def _turns(fs) -> tuple[list[int], list[list[float]]]:
    turns = [f.measured["reading"]["turns"] for f in fs]
    return [int(k) for k in turns[0]], [list(one.values()) for one in turns]
