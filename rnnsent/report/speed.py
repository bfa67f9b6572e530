"""Figures of a benchmark's record: bars against peers, growth, roofline."""

import pathlib
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from rnnsent.benchmark import SUBJECTS, clock
from rnnsent.benchmark.measure import TASKS
from rnnsent.benchmark.record import Floor, Measured
from rnnsent.report.figures import letters

_PEERS = {
    "flax": ("#2a6f97", "D"),
    "keras-jax": ("#61a5c2", "<"),
    "keras-tensorflow": ("#588157", ">"),
    "torch": ("#6c757d", "h"),
    "torch-compile": ("#adb5bd", "p"),
    "jax-cudnn": ("#8d6a9f", "*"),
}

_WARM = ("#c8553d", "#e07a5f", "#d98873", "#e0a08f", "#8c3b2a", "#a04a86", "#b5651d", "#7a2e1d")


def _looks() -> dict[str, tuple[str, str]]:
    """Colour and marker of a subject, the same in every figure: warm ones are rnnsent's."""
    ours = [name for name, spec in SUBJECTS.items() if spec.ours]
    return dict(zip(ours, zip(_WARM, "odv^sPX8", strict=True), strict=False)) | _PEERS


def _look(name: str) -> tuple[str, str]:
    return _looks().get(name, ("black", "."))


def _title(name: str) -> str:
    return SUBJECTS[name].title if name in SUBJECTS else letters(name)


def _names(cases: Sequence[Measured]) -> list[str]:
    """Every subject that was measured in one of the cases, in the record's order."""
    return list(dict.fromkeys(name for case in cases for name in case.names()))


def bars(cases: Sequence[Measured], path: pathlib.Path) -> None:
    """Median time per step of every subject, a panel per case and task.

    Args:
      cases: of the record.
      path: where to write; the suffix decides the format.
    """
    heights = [0.9 + 0.3 * len(_names([case])) for case in cases]
    figure = Figure(figsize=(11, sum(heights) + 0.5), layout="constrained")
    grid = figure.subplots(len(cases), len(TASKS), squeeze=False, height_ratios=heights)
    for row, case in zip(grid, cases, strict=True):
        for axes, (task, title) in zip(row, TASKS.items(), strict=True):
            _bars(axes, case, task)
            axes.set_title(letters(f"{case.label}: {title}", 60), fontsize=9, loc="left")
        row[1].set_yticklabels([])
    for axes in grid[-1]:
        axes.set_xlabel("ms per step")
    figure.savefig(path, dpi=150)


def _bars(axes: Axes, case: Measured, task: str) -> None:
    names = _names([case])
    summaries = [clock.summarise(case.samples[task][name]) for name in names]
    median = np.array([summary.median for summary in summaries]) * 1e3
    low, high = (np.array([getattr(s, end) for s in summaries]) * 1e3 for end in ("low", "high"))
    places = np.arange(len(names))
    axes.barh(places, median, color=[_look(name)[0] for name in names], height=0.7)
    axes.errorbar(
        median,
        places,
        xerr=(median - low, high - median),
        fmt="none",
        ecolor="#333333",
        elinewidth=1,
        capsize=2,
    )
    for place, (value, top) in enumerate(zip(median, high, strict=True)):
        text = f"{value:.0f}" if value >= 10 else f"{value:.2g}"
        axes.annotate(
            text,
            (top, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    end = float(high.max())
    if task in case.floor:
        floor = case.floor[task].seconds * 1e3
        axes.axvline(floor, color="black", linestyle="--", linewidth=1)
        end = max(end, floor)
    axes.set(yticks=places, yticklabels=map(_title, names), xlim=(0, end * 1.12))
    axes.invert_yaxis()
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def scaling(cases: Sequence[Measured], xlabel: str, path: pathlib.Path) -> None:
    """Time per step and memory against what was varied, a row of panels per cell.

    Args:
      cases: of one study; ``value`` is what was varied.
      xlabel: its name.
      path: where to write.
    """
    cells = list(dict.fromkeys(case.case.cell for case in cases))
    figure = Figure(figsize=(13, 3.3 * len(cells) + 0.3), layout="constrained")
    grid = figure.subplots(len(cells), len(TASKS) + 1, squeeze=False)
    for row, cell in zip(grid, cells, strict=True):
        own = [case for case in cases if case.case.cell == cell]
        for axes, (task, title) in zip(row, TASKS.items(), strict=False):
            _times(axes, own, task)
            axes.set(title=letters(f"{cell}: {title}", 60), ylabel="ms per step")
        _lines(row[-1], own, _temporary)
        row[-1].set(
            title=letters(f"{cell}: memory of a training step", 60), ylabel="temporary MB (XLA)"
        )
        for axes in row:
            _logarithmic(axes, [case.varied for case in own], xlabel)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


def _times(axes: Axes, cases: Sequence[Measured], task: str) -> None:
    def of(scale: Callable) -> Callable[[Measured, str], float]:
        return lambda case, name: (
            scale(case.samples[task][name]) * 1e3 if name in case.names() else float("nan")
        )

    _lines(axes, cases, of(lambda samples: clock.summarise(samples).median))
    x = [case.varied for case in cases]
    for name in _names(cases):
        low, high = ([of(end)(case, name) for case in cases] for end in (min, max))
        axes.fill_between(x, low, high, color=_look(name)[0], alpha=0.15, linewidth=0)
    nan = float("nan")
    floor = [case.floor[task].seconds * 1e3 if task in case.floor else nan for case in cases]
    axes.plot(x, floor, color="black", linestyle="--", linewidth=1, label="floor")


def _lines(axes: Axes, cases: Sequence[Measured], of: Callable[[Measured, str], float]) -> None:
    """A line per subject that has values."""
    for name in _names(cases):
        y = [of(case, name) for case in cases]
        if np.isfinite(y).any():
            colour, marker = _look(name)
            axes.plot(
                [case.varied for case in cases],
                y,
                label=_title(name),
                color=colour,
                marker=marker,
                markersize=5,
                linewidth=1.5,
            )


def _temporary(case: Measured, name: str) -> float:
    size = case.temporary_bytes(name)
    return size / 1e6 if size else float("nan")


def _logarithmic(axes: Axes, values: Sequence[float], xlabel: str) -> None:
    axes.set(xscale="log", yscale="log", xlabel=xlabel)
    axes.set_xticks(values, [f"{value:,}" for value in values], fontsize=8)
    axes.minorticks_off()
    _readable(axes.yaxis, lambda y, _: f"{y:,.3g}" if y < 1000 else f"{y:,.0f}")
    axes.grid(alpha=0.25)
    axes.title.set_fontsize(10)


def _readable(axis: Axis, text: Callable[[float, float], str]) -> None:
    """Ticks at 1, 2 and 5 of every decade, as plain numbers."""
    axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5), numticks=12))
    axis.set_major_formatter(text)
    axis.set_minor_locator(NullLocator())


def roofline(cases: Sequence[Measured], path: pathlib.Path) -> None:
    """Attained rate against arithmetic intensity: a point per subject, a column per case and task.

    Args:
      cases: of the record, those that have a floor with products in it.
      path: where to write.
    """
    figure = Figure(figsize=(10, 5.4), layout="constrained")
    axes = figure.subplots()
    bounds = [(case, task, case.floor[task]) for case in cases for task in TASKS]
    bandwidth = max(bound.bytes_per_second for *_, bound in bounds)
    peak = max(_rate(bound) for *_, bound in bounds)
    intensities = [bound.flops / bound.bytes for *_, bound in bounds]
    x = np.geomspace(peak / bandwidth / 4, max(intensities) * 2, 200)
    axes.plot(x, np.minimum(peak, x * bandwidth) / 1e9, color="black", linewidth=1.5)
    axes.annotate(
        f"memory {bandwidth / 1e9:.0f} GB/s, matrix products up to {peak / 1e9:.0f} GFLOP/s",
        (x[-1], peak / 1e9),
        xytext=(0, 5),
        textcoords="offset points",
        ha="right",
        fontsize=8,
    )
    rates = [
        _column(axes, case, task, bound, intensity)
        for (case, task, bound), intensity in zip(bounds, intensities, strict=True)
    ]
    axes.set(xscale="log", yscale="log", xlabel="FLOP per byte of memory traffic", ylabel="GFLOP/s")
    axes.set_ylim(min(map(min, rates)) / 2, peak / 1e9 * 1.5)  # columns' names below the points
    _readable(axes.yaxis, lambda y, _: f"{y:,g}")
    axes.grid(alpha=0.25)
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    figure.legend(unique.values(), unique, loc="outside right center", frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


def _rate(bound: Floor) -> float:
    """The machine's rate of products."""
    if bound.flops_per_second is None:
        raise ValueError("a roofline is of cases with matrix products")
    return bound.flops_per_second


def _column(axes: Axes, case: Measured, task: str, bound: Floor, x: float) -> list[float]:
    """The subjects of one case and task, and the rate of products of just its shapes."""
    rates = []
    for name in _names([case]):
        colour, marker = _look(name)
        rates.append(bound.flops / clock.summarise(case.samples[task][name]).median / 1e9)
        axes.scatter(x, rates[-1], color=colour, marker=marker, s=36, label=_title(name), zorder=3)
    roof = _rate(bound) / 1e9
    axes.hlines(roof, x / 1.12, x * 1.12, color="black", linestyle="--", linewidth=1)
    label = letters(f"{case.case.cell} {'train' if task == 'train' else 'infer'}")
    axes.annotate(
        label,
        (x, 0.02),
        xycoords=("data", "axes fraction"),
        rotation=90,
        ha="center",
        va="bottom",
        fontsize=8,
    )
    return [*rates, roof]
