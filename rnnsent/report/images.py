"""A comparison's figures, drawn from its record into memory."""

from collections.abc import Sequence

import numpy as np

from rnnsent.compare.record import Record, Training
from rnnsent.memory import MemoryCurves
from rnnsent.report import figures, story
from rnnsent.report.blocks import Figure

CAPTIONS = {
    "accuracy": "accuracy of every seed",
    "curves": "training loss and accuracy by epoch",
    "reliability": "reliability curve of every seed, ten bins",
    "memory": "gradient by distance from the end, quartiles",
}
PANELS = {"x": "the word read", "h 1": "the first layer's output", "h 2": "the second layer's"}
"""What gradients are drawn of, where all models have it."""


def figure(name: str) -> Figure:
    """The block of one of the figures, without its image."""
    return Figure(f"figures/{name}.png", CAPTIONS[name])


def draw(record: Record) -> dict[str, bytes]:
    """All figures as PNG, by the path of their block."""
    drawn = {
        "accuracy": _accuracy(record),
        "curves": _curves(record),
        "reliability": _reliability(record),
        "memory": _memory(record),
    }
    return {figure(name).path: png for name, png in drawn.items()}


def _accuracy(record: Record) -> bytes:
    values = {e.title: [t.results.test_accuracy for t in e.finished] for e in record.finished}
    told = {e.title: p for e in record.finished if (p := story.printed(record, e)) is not None}
    return figures.png(figures.accuracies, values, told, caption=record.data.test_title)


def _curves(record: Record) -> bytes:
    histories = {e.title: [_history(t) for t in e.finished] for e in record.finished}
    return figures.png(figures.curves, histories, caption="training, dropout on")


def _history(training: Training) -> list[dict[str, float]]:
    return [{"loss": _nan(e.loss), "accuracy": _nan(e.accuracy)} for e in training.epochs]


def _nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _reliability(record: Record) -> bytes:
    found = {e.title: [t.results.calibration for t in e.finished] for e in record.finished}
    return figures.png(figures.reliability, found, caption=record.data.test_title)


def curves(record: Record) -> dict[str, list[MemoryCurves]]:
    """By title, untrained and trained in turns: one per seed."""
    return {
        name: [getattr(training.results, of) for training in entrant.finished]
        for entrant in record.finished
        for name, of in ((f"{entrant.title}, untrained", "fresh"), (entrant.title, "trained"))
    }


def _memory(record: Record) -> bytes:
    found = curves(record)
    panels = {
        panel: {name: _quartiles(seeds, of) for name, seeds in found.items()}
        for of, panel in PANELS.items()
        if all(of == "x" or of in one.carry for seeds in found.values() for one in seeds)
    }
    colours = {name: i // 2 for i, name in enumerate(found)}
    return figures.png(figures.memory, panels, caption=record.data.title, colours=colours)


def _quartiles(seeds: Sequence[MemoryCurves], name: str) -> list[np.ndarray]:
    """Per seed (3, D), as long as all of them are."""
    found = [one.word if name == "x" else one.carry[name] for one in seeds]
    longest = min(len(one.median) for one in found)
    return [one.quartiles_QD[:, :longest] for one in found]
