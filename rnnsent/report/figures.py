"""Figures of a run, drawn with matplotlib's object interface (no global state).

They are as narrow as a phone needs them: panels one below another, legends below the panels.
"""

import io
import itertools
import pathlib
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rnnsent.evaluation import Calibration
from rnnsent.report.blocks import shown

_COLOURS = ("#c8553d", "#2a6f97", "#588157", "#8d6a9f", "#b08900", "#4f9d9d", "#a05070", "#6b6b6b")
_WIDTH = 5.6
_LINE, _SHORT = 68, 32
"""Letters of a legend's size that go beside one another, and into half of the width."""
_LONGEST = 150
_TICKS = 6
"""Names that go beside one another below a panel."""
_LINE_HEIGHT = 0.16
"""Of a legend, in inches."""

File = pathlib.Path | BinaryIO
"""Where a figure is written; what is no path gets a PNG."""


def png(draw: Callable[..., None], *arguments: Any, **options: Any) -> bytes:
    """The image that a function of this module draws; its ``path`` is left out."""
    file = io.BytesIO()
    draw(*arguments, path=file, **options)
    return file.getvalue()


def _stacked(rows: int, height: float, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure of ``rows`` panels one below another, each ``height`` inches high."""
    figure = Figure(figsize=(_WIDTH, rows * height + 0.9), layout="constrained")
    return figure, list(figure.subplots(rows, 1, squeeze=False, **options)[:, 0])


def letters(text: str, width: int = _LINE) -> str:
    """A text as it is drawn: to the letter, in lines; a label that began with _ would be hidden.

    A recipe's changed fields go to another line as wholes; of more than ``_LONGEST`` letters the
    middle is left out, and the tables have it.
    """
    text = shown(text)
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST * 2 // 3]} … {text[-_LONGEST // 3 :]}"
    lines = textwrap.fill(text.replace("+", " +").replace("$", r"\$"), width)
    return f" {lines}" if lines.startswith("_") else lines


def _finish(figure: Figure, axes: Axes, caption: str, path: File) -> None:
    """The legend of one of the panels below all, the caption above, and into the file."""
    handles, labels = axes.get_legend_handles_labels()
    across = 1 if max(map(len, labels), default=0) > _SHORT else 2 if len(labels) > 3 else 3
    columns = min(across, len(labels))
    lines = sum(label.count("\n") + 1 for label in labels) / max(1, columns)
    figure.set_figheight(figure.get_figheight() + max(0, lines - 2) * _LINE_HEIGHT)
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=8,
    )
    figure.suptitle(letters(caption, 60), fontsize=10)
    figure.savefig(path, dpi=150)


CURVES = ("loss", "accuracy")
HELD_OUT = ("validation_loss", "validation_accuracy")


def curves(histories: Mapping[str, Sequence[Sequence[dict]]], path: File, caption: str) -> None:
    """Training loss and accuracy by epoch: the seeds' mean, and a band from lowest to highest.

    Args:
      histories: by model title, one list of epochs per seed, each with ``loss`` and ``accuracy``;
        and with ``validation_loss`` and ``validation_accuracy``, whose means are dashed, where they
        are numbers.
      path: where to write; the suffix decides the format.
      caption: names the data.
    """
    figure, panels = _stacked(2, 2.7, sharex=True)
    for axes, name, held_out in zip(panels, CURVES, HELD_OUT, strict=True):
        for colour, (title, seeds) in zip(
            itertools.cycle(_COLOURS), histories.items(), strict=False
        ):
            values = [[epoch[name] for epoch in seed] for seed in seeds]
            epochs = range(1, len(values[0]) + 1)
            at_epoch = list(zip(*values, strict=True))
            low, high = [min(at) for at in at_epoch], [max(at) for at in at_epoch]
            axes.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)
            mean = [sum(at) / len(at) for at in at_epoch]
            axes.plot(
                epochs,
                mean,
                color=colour,
                linewidth=2,
                marker="o",
                markersize=4,
                label=letters(title),
            )
            dashed = [[epoch.get(held_out, np.nan) for epoch in seed] for seed in seeds]
            mean = [sum(at) / len(at) for at in zip(*dashed, strict=True)]
            axes.plot(epochs, mean, color=colour, linewidth=1.5, linestyle="--")
        axes.set_ylabel(f"training {name}")
    panels[-1].set_xlabel("epoch")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    _finish(figure, panels[0], caption, path)


def accuracies(
    values: Mapping[str, Sequence[float]],
    references: Mapping[str, float],
    path: File,
    caption: str,
) -> None:
    """Accuracy of every seed, one column per model, with a reference value as a dashed line.

    The names stand below the columns, or in a legend where they are long or many.
    """
    figure, (axes,) = _stacked(1, 3.2)
    for x, (colour, (title, seeds)) in enumerate(
        zip(itertools.cycle(_COLOURS), values.items(), strict=False)
    ):
        name = letters(title)
        axes.scatter([x] * len(seeds), seeds, color=colour, alpha=0.6, zorder=3, label=name)
        axes.hlines(sum(seeds) / len(seeds), x - 0.2, x + 0.2, color=colour, linewidth=2)
        if title in references:
            axes.hlines(references[title], x - 0.4, x + 0.4, color="gray", linestyle="--")
            axes.annotate(
                "notebook",
                (x + 0.4, references[title]),
                xytext=(0, -3),
                textcoords="offset points",
                fontsize=8,
                ha="right",
                va="top",
            )
    axes.axhline(0.5, color="lightgray", linewidth=1)
    axes.set(ylabel="accuracy", xlim=(-0.5, len(values) - 0.5))
    if max(map(len, values), default=0) > _SHORT or len(values) > _TICKS:
        axes.set_xticks([])
        _finish(figure, axes, caption, path)
        return
    labels = [letters(title, 12) for title in values]
    axes.set_xticks(range(len(values)), labels, fontsize=10 if len(values) <= 4 else 7)
    axes.set_title(letters(caption, 60), fontsize=10)
    figure.savefig(path, dpi=150)


def reliability(values: Mapping[str, Sequence[Calibration]], path: File, caption: str) -> None:
    """Share of positive reviews against predicted probability: a thin line per seed."""
    figure, (axes,) = _stacked(1, 4.2)
    axes.plot([0, 1], [0, 1], color="gray", linestyle="--", linewidth=1)
    for colour, (title, seeds) in zip(itertools.cycle(_COLOURS), values.items(), strict=False):
        for i, one in enumerate(seeds):
            axes.plot(
                one.mean_probability,
                one.share_positive,
                color=colour,
                alpha=0.8,
                marker=".",
                label=letters(title) if i == 0 else None,
            )
    axes.set(xlabel="predicted probability of positive", ylabel="share of positive reviews")
    axes.set_aspect("equal")
    _finish(figure, axes, caption, path)


def memory(
    panels: Mapping[str, Mapping[str, Sequence[np.ndarray]]],
    path: File,
    caption: str,
    colours: Mapping[str, int],
) -> None:
    """Gradient norms by distance from the end, one panel per quantity, on a logarithmic axis.

    Args:
      panels: by panel title, by curve title, untrained (dashed) and trained in turns: one array
        (Q, D) per seed, rows the lower quartile, median and upper quartile over reviews; the band
        is the mean quartiles over seeds.
      path: where to write.
      caption: names the data.
      colours: by curve title, the number of its model among all models of the report.
    """
    figure, rows = _stacked(len(panels), 2.3, sharex=True)
    for axes, (panel, curves) in zip(rows, panels.items(), strict=True):
        for i, (title, seeds) in enumerate(curves.items()):
            colour, style = _COLOURS[colours[title] % len(_COLOURS)], ("--", "-")[i % 2]
            low_D, median_D, high_D = np.maximum(np.mean(seeds, axis=0), 1e-12)
            distance = range(len(median_D))
            axes.plot(distance, median_D, color=colour, linestyle=style, label=letters(title))
            axes.fill_between(distance, low_D, high_D, color=colour, alpha=0.12, linewidth=0)
        axes.set(yscale="log", ylim=(1e-9, None))
        axes.set_title(f"gradient with respect to {panel}", fontsize=10)
    rows[-1].set_xlabel("words before the end")
    figure.supylabel("norm of the logit's gradient", fontsize=10)
    _finish(figure, rows[0], caption, path)


def lines(
    panels: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[Sequence[float]]]]],
    path: File,
    xlabel: str,
    caption: str,
    *,
    doubling: bool = False,
    log: bool = False,
) -> None:
    """Several quantities against one: per panel and curve, ``(x, one list of y per seed)``.

    The line is the seeds' mean, the band goes from the lowest to the highest seed. ``doubling``
    spaces x by powers of two, ``log`` y by powers of ten.
    """
    figure, rows = _stacked(len(panels), 2.6, sharex=True)
    for axes, (panel, curves) in zip(rows, panels.items(), strict=True):
        for colour, (title, (x, seeds)) in zip(
            itertools.cycle(_COLOURS), curves.items(), strict=False
        ):
            y = np.asarray(seeds, float)
            axes.plot(x, y.mean(0), color=colour, marker="o", markersize=4, label=letters(title))
            axes.fill_between(x, y.min(0), y.max(0), color=colour, alpha=0.15, linewidth=0)
        axes.set_title(letters(panel, 60), fontsize=10)
        if doubling:
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_formatter("{x:g}")
        if log:
            axes.set_yscale("log")
    rows[-1].set_xlabel(xlabel)
    _finish(figure, rows[0], caption, path)


def varied(
    panels: Mapping[str, Sequence[tuple[Any, Sequence[float]]]], path: File, caption: str
) -> None:
    """Accuracy against one quantity per panel: a point for each model, from lowest to highest seed.

    Args:
      panels: by the quantity's name, of each model its value and the accuracy of its seeds. Values
        that are no numbers stand side by side, in their order.
      path: where to write.
      caption: names the data.
    """
    figure, rows = _stacked(len(panels), 2.6, sharey=True)
    for colour, axes, (name, points) in zip(
        itertools.cycle(_COLOURS), rows, panels.items(), strict=False
    ):
        x = _places(axes, [value for value, _ in points])
        mean, low, high = (np.array([f(ys) for _, ys in points]) for f in (np.mean, min, max))
        reach = np.maximum([mean - low, high - mean], 0)  # rounding
        axes.errorbar(x, mean, reach, fmt="o", color=colour, alpha=0.6, markersize=4)
        axes.set(xlabel=letters(name), ylabel="accuracy")
    figure.suptitle(letters(caption, 60), fontsize=10)
    figure.savefig(path, dpi=150)


def _places(axes: Axes, values: Sequence[Any]) -> list[float]:
    """Where values stand on a panel's axis: logarithmic where they span more than a decade."""
    if all(isinstance(value, int | float) for value in values):
        if min(values) > 0 and max(values) >= 10 * min(values):
            axes.set_xscale("log")
        return list(map(float, values))
    texts = list(dict.fromkeys(map(str, values)))
    axes.set_xticks(range(len(texts)), [letters(text, 20) for text in texts])
    return [float(texts.index(str(value))) for value in values]
