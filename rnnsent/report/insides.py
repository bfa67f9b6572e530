"""What was measured on the trainings of the claims, as figures and tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnnsent.claims.conditions import CONDITIONS
from rnnsent.claims.record import Record, Row
from rnnsent.report import figures, images
from rnnsent.report.blocks import Table


def draw(record: Record) -> dict[str, bytes]:
    """All figures as PNG, by name."""
    rows = record.rows.values()
    trained = images.trainings(
        {row.title: [f.test_accuracy for f in row.found] for row in rows},
        {row.title: row.printed for row in rows if row.printed is not None},
        {row.title: [f.history for f in row.found] for row in rows},
        {row.title: row.calibration for row in rows},
        record.test_title,
    )
    return trained | _words(record) | {"memory": _memory(record)}


def _words(record: Record) -> dict[str, bytes]:
    """What becomes of predictions by how many words are kept, replaced, or left to read."""
    rows, data = record.rows.values(), record.origin.source.title
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


def _memory(record: Record) -> bytes:
    shown = ("simple_rnn-plain", "lstm", "simple_rnn-twice")
    guests = [name for name in record.rows if name not in CONDITIONS]
    drawn = curves({name: record.rows[name] for name in (*shown, *guests)})
    return images.memory(drawn, record.origin.source.title, among=curves(record.rows))


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
        body.append((row.title, f"{len(sure)} of {len(tested)}", f"{confident:,.0f}", *texts))
    head = (
        "model",
        "seeds",
        "confident reviews",
        "turned by the opposite sentiment",
        "turned by no sentiment",
        "probability moved towards the sentence",
    )
    return Table(head, body)


def curves(rows: Mapping[str, Row]) -> images.Curves:
    """The memory curves of rows."""
    out = {}
    for row in rows.values():
        out[f"{row.title}, untrained"] = [f.measured.fresh for f in row.found]
        out[row.title] = [f.measured.trained for f in row.found]
    return out
