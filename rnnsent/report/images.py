"""What is drawn and tabled of trainings, whichever experiment's record holds them."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from rnnsent.evaluation import Calibration
from rnnsent.memory import MemoryCurves
from rnnsent.report import figures
from rnnsent.report.blocks import Block, Figure, Table

CAPTIONS = {
    "accuracy": "accuracy of every seed",
    "curves": "training loss and accuracy by epoch",
    "reliability": "reliability curve of every seed, ten bins",
    "memory": "gradient by distance from the end, quartiles",
    "last": "accuracy and steadiness with the last words only",
    "replaced": "accuracy and steadiness with the first words replaced",
    "turns": "how often the predicted side still changes near the end",
    "varied": "accuracy of every member by each field that the sweep varies",
}
PANELS = {
    "word": "the word read",
    "h 1": "the first layer's output",
    "h 2": "the second layer's output",
}
"""What gradients are drawn of, where a model has it."""
DISTANCES = (0, 10, 20, 50, 100)
"""Words before the end whose gradients are tabled."""

Curves = Mapping[str, Sequence[MemoryCurves]]
"""By title, untrained and trained in turns, per seed."""


def figure(name: str) -> Figure:
    """The block of one of the figures, without its image."""
    return Figure(f"figures/{name}.png", CAPTIONS[name])


def placed(report: Iterable[Block], drawn: Mapping[str, bytes]) -> list[Block]:
    """A report with the images of its figures, which are given by name."""
    images = {figure(name).path: png for name, png in drawn.items()}
    return [
        dataclasses.replace(block, png=images[block.path]) if isinstance(block, Figure) else block
        for block in report
    ]


def trainings(
    accuracy: Mapping[str, Sequence[float]],
    printed: Mapping[str, float],
    epochs: Mapping[str, Sequence[Sequence[Any]]],
    calibration: Mapping[str, Sequence[Calibration]],
    test_title: str,
) -> dict[str, bytes]:
    """Accuracy, training and calibration of models over seeds, as PNG by name.

    Args:
      accuracy: by title, on the test reviews.
      printed: likewise what the notebook printed, where that can stand beside it.
      epochs: likewise each seed's, with ``loss`` and ``accuracy``, and what the reviews held out
        came to after each, where there are any.
      calibration: likewise, on the test reviews.
      test_title: what an accuracy on them is called.
    """
    histories = {title: [_history(one) for one in seeds] for title, seeds in epochs.items()}
    test = {"caption": test_title}
    return {
        "accuracy": figures.png(figures.accuracies, accuracy, printed, **test),
        "curves": figures.png(figures.curves, histories, caption=_caption(histories)),
        "reliability": figures.png(figures.reliability, calibration, **test),
    }


def _history(epochs: Sequence[Any]) -> list[dict[str, float]]:
    return [
        {name: _nan(getattr(one, name, None)) for name in (*figures.CURVES, *figures.HELD_OUT)}
        for one in epochs
    ]


def _caption(histories: Mapping[str, Sequence[Sequence[dict[str, float]]]]) -> str:
    epochs = [epoch for seeds in histories.values() for seed in seeds for epoch in seed]
    held_out = any(epoch[name] == epoch[name] for epoch in epochs for name in figures.HELD_OUT)
    dashed = "; dashed the validation part, dropout off" if held_out else ""
    return f"training, dropout on{dashed}"


def _nan(value: float | None) -> float:
    return float("nan") if value is None else value


def memory(curves: Curves, caption: str, among: Curves | None = None) -> bytes:
    """Gradients by distance from the end, as PNG; what has a place ``among`` more has its colour.

    A model is left out of the panels of layers that it does not have.
    """
    colours = {title: i // 2 for i, title in enumerate(among or curves)}
    panels = {}
    for name, panel in PANELS.items():
        of = {title: _quartiles(seeds, name) for title, seeds in curves.items()}
        if drawn := {title: seeds for title, seeds in of.items() if seeds}:
            panels[panel] = drawn
    return figures.png(figures.memory, panels, caption=caption, colours=colours)


def _quartiles(seeds: Sequence[MemoryCurves], name: str) -> list[np.ndarray]:
    """Per seed (3, D), as long as all of them are; none where the model has no such layer."""
    of = [one.word if name == "word" else one.carry.get(name) for one in seeds]
    found = [curve.quartiles_QD for curve in of if curve is not None]
    return [curve_QD[:, : min(len(one[0]) for one in found)] for curve_QD in found]


def gradients(curves: Curves) -> Table:
    """Norm of the logit's gradient with respect to a word: median (mean), both means over seeds."""
    longest = min(len(one.word.median) for seeds in curves.values() for one in seeds)
    at = [distance for distance in DISTANCES if distance < longest]
    rows = [(title, *(_gradient(seeds, d) for d in at)) for title, seeds in curves.items()]
    return Table(("median (mean) of words before the end", *map(str, at)), rows)


def _gradient(seeds: Sequence[MemoryCurves], distance: int) -> str:
    median = np.mean([one.word.median_D[distance] for one in seeds])
    mean = np.mean([one.word.mean_D[distance] for one in seeds])
    return f"{median:.2g} ({mean:.2g})"
