"""What was measured on the trainings of the claims, as figures and tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnnsent.claims.conditions import CONDITIONS
from rnnsent.claims.measure import Found
from rnnsent.claims.record import Record, Row
from rnnsent.memory import MemoryCurves
from rnnsent.report import figures
from rnnsent.report.blocks import Table


def path(name: str) -> str:
    """Where a figure lies in the report's folder."""
    return f"figures/{name}.png"


def draw(record: Record) -> dict[str, bytes]:
    """All figures as PNG, by their path."""
    drawn = _trained(record) | _words(record) | {"memory": _memory(record)}
    return {path(name): image for name, image in drawn.items()}


def _trained(record: Record) -> dict[str, bytes]:
    rows = record.rows.values()
    accuracy = {row.title: [f.test_accuracy for f in row.found] for row in rows}
    printed = {row.title: row.printed for row in rows if row.printed is not None}
    histories = {row.title: [_history(f) for f in row.found] for row in rows}
    calibration = {row.title: row.calibration for row in rows}
    test = {"caption": record.test_title}
    return {
        "accuracy": figures.png(figures.accuracies, accuracy, printed, **test),
        "curves": figures.png(figures.curves, histories, caption="training, dropout on"),
        "reliability": figures.png(figures.reliability, calibration, **test),
    }


def _history(found: Found) -> list[dict[str, float]]:
    return [{"loss": epoch.loss, "accuracy": epoch.accuracy} for epoch in found.history]


def _words(record: Record) -> dict[str, bytes]:
    """What becomes of predictions by how many words are kept, replaced, or left to read."""
    rows, data = record.rows.values(), record.origin.data["title"]
    out = {}
    for name, xlabel in (("last", "last words read"), ("replaced", "first words replaced")):
        panels = {
            panel: {row.title: _by_words(row, name, of) for row in rows}
            for panel, of in (
                ("accuracy", "accuracy"),
                ("same prediction as of the whole", "same"),
            )
        }
        out[name] = figures.png(figures.lines, panels, xlabel=xlabel, caption=data)
    turns = {row.title: _lines([f.measured.turns for f in row.found]) for row in rows}
    panel = {"reviews whose predicted side still changes": turns}
    within = "within the last words"
    return out | {"turns": figures.png(figures.lines, panel, xlabel=within, caption=data)}


def _by_words(row: Row, name: str, of: str) -> tuple[list[int], list[list[float]]]:
    measured = [getattr(f.measured, name) for f in row.found]
    return _lines([{k: getattr(at, of) for k, at in m.items()} for m in measured])


def _lines(seeds: Sequence[Mapping[int, Any]]) -> tuple[list[int], list[list[float]]]:
    return list(seeds[0]), [list(one.values()) for one in seeds]


PANELS = {
    "word": "the word read",
    "h 1": "the first layer's output",
    "h 2": "the second layer's output",
}
"""What gradients are drawn of, where all models have it."""


def _memory(record: Record) -> bytes:
    shown = ("simple_rnn-plain", "lstm", "simple_rnn-twice")
    guests = [name for name in record.rows if name not in CONDITIONS]
    drawn = curves({name: record.rows[name] for name in (*shown, *guests)})
    colours = {title: i // 2 for i, title in enumerate(curves(record.rows))}
    panels = {}
    for name, panel in PANELS.items():
        of = {title: _quartiles(seeds, name) for title, seeds in drawn.items()}
        panels[panel] = {title: seeds for title, seeds in of.items() if seeds}
    caption = record.origin.data["title"]
    return figures.png(figures.memory, panels, caption=caption, colours=colours)


def _quartiles(seeds: Sequence[MemoryCurves], name: str) -> list[np.ndarray]:
    """Per seed; none where the models have no such layer."""
    of = [one.word if name == "word" else one.carry.get(name) for one in seeds]
    return [curve.quartiles_QD for curve in of if curve is not None]


def flips(rows: Mapping[str, Row]) -> Table:
    """The flip test of every row, means over the seeds that have confident predictions."""
    body = []
    for row in rows.values():
        tested = [f.measured.flips for f in row.found]
        sure = [f for f in row.found if f.measured.flips.confident]
        texts = ["–", "–", "–"]
        if sure:
            moved = np.mean([f.measured.flips.moved for f in sure])
            turned = np.mean([f.turned for f in sure])
            neutral = np.mean([f.turned_by_neutral for f in sure])
            texts = [f"{turned:.1f}%", f"{neutral:.1f}%", f"{moved:+.3f}"]
        confident = np.mean([one.confident for one in tested])
        body.append((row.title, str(len(sure)), f"{confident:,.0f}", *texts))
    head = (
        "model",
        "seeds",
        "confident reviews",
        "turned by the opposite sentiment",
        "turned by no sentiment",
        "probability moved towards the sentence",
    )
    return Table(head, body)


Curves = Mapping[str, Sequence[MemoryCurves]]
"""By title, untrained and trained in turns, per seed."""


def curves(rows: Mapping[str, Row]) -> Curves:
    """The memory curves of rows."""
    out = {}
    for row in rows.values():
        out[f"{row.title}, untrained"] = [f.measured.fresh for f in row.found]
        out[row.title] = [f.measured.trained for f in row.found]
    return out


DISTANCES = (0, 10, 20, 50, 100)
"""Words before the end that the table of gradients has a column for."""


def gradients(curves: Curves) -> Table:
    """Norm of the logit's gradient with respect to a word: median (mean), both means over seeds."""
    longest = min(len(one.word.median) for seeds in curves.values() for one in seeds)
    at = [distance for distance in DISTANCES if distance < longest]
    rows = [(title, *(_gradient(seeds, d) for d in at)) for title, seeds in curves.items()]
    head = ("‖∂ logit / ∂ word‖, median (mean)", *(f"{d} before the end" for d in at))
    return Table(head, rows)


def _gradient(seeds: Sequence[MemoryCurves], distance: int) -> str:
    median = np.mean([one.word.median_D[distance] for one in seeds])
    mean = np.mean([one.word.mean_D[distance] for one in seeds])
    return f"{median:.2g} ({mean:.2g})"
