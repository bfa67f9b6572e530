"""Figures of a run, drawn with matplotlib's object interface (no global state)."""

import pathlib
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

_COLOURS = ("#c8553d", "#2a6f97", "#588157", "#8d6a9f")


def curves(
    histories: Mapping[str, Sequence[Sequence[dict]]], path: pathlib.Path, caption: str
) -> None:
    """Training loss and accuracy by epoch: a thin line per seed, a bold one for their mean.

    Args:
      histories: by model title, one list of epochs per seed, each with ``loss`` and ``accuracy``.
      path: where to write; the suffix decides the format.
      caption: names the data.
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for colour, (title, seeds) in zip(_COLOURS, histories.items(), strict=False):
            values = [[epoch[name] for epoch in seed] for seed in seeds]
            epochs = range(1, len(values[0]) + 1)
            for one in values:
                axes.plot(epochs, one, color=colour, alpha=0.3, linewidth=1)
            mean = [sum(at) / len(at) for at in zip(*values, strict=True)]
            axes.plot(epochs, mean, color=colour, linewidth=2, marker="o", label=title)
        axes.set(xlabel="epoch", ylabel=f"training {name}")
        axes.legend(frameon=False)
    figure.suptitle(caption, fontsize=10)
    figure.savefig(path, dpi=150)


def accuracies(
    values: Mapping[str, Sequence[float]],
    references: Mapping[str, float],
    path: pathlib.Path,
    caption: str,
) -> None:
    """Accuracy of every seed, one column per model, with a reference value as a dashed line."""
    figure = Figure(figsize=(5.5, 3.6), layout="constrained")
    axes = figure.subplots()
    for x, (colour, (title, seeds)) in enumerate(zip(_COLOURS, values.items(), strict=False)):
        axes.scatter([x] * len(seeds), seeds, color=colour, alpha=0.6, zorder=3)
        axes.hlines(sum(seeds) / len(seeds), x - 0.2, x + 0.2, color=colour, linewidth=2)
        if title in references:
            axes.hlines(references[title], x - 0.4, x + 0.4, color="gray", linestyle="--")
            axes.annotate("notebook", (x + 0.4, references[title]), fontsize=8, ha="right")
    axes.axhline(0.5, color="lightgray", linewidth=1)
    axes.set(xticks=range(len(values)), xticklabels=list(values), ylabel="accuracy")
    axes.set_title(caption, fontsize=10)
    figure.savefig(path, dpi=150)
