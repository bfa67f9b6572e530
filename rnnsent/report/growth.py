"""The cost of a step as the work grows: a table with its exponent for each kind of work."""

import pathlib
from collections.abc import Sequence

import numpy as np

from rnnsent.benchmark.measure import TASKS
from rnnsent.benchmark.record import Measured
from rnnsent.report import speed
from rnnsent.report.markdown import escape
from rnnsent.report.timing import absent, figure, median, table, title_of

UNITS = {
    "steps": "steps of time (T)",
    "batch": "rows in a batch (B)",
    "features": "width of the lower layer (H)",
    "seeds": "seeds in training (S)",
}


def sweep(cases: list[Measured], unit: str, path: pathlib.Path) -> list[str]:
    page = [f"## Growth with the {unit}"]
    speed.scaling(cases, unit, path)
    for cell in dict.fromkeys(case.case.cell for case in cases):
        own = [case for case in cases if case.case.cell == cell]
        names = list(dict.fromkeys(name for case in own for name in case.names()))
        for task, title in TASKS.items():
            columns = {title_of(name): _column(own, task, name, 1e3) for name in names}
            columns["floor"] = [
                case.floor[task].seconds * 1e3 if task in case.floor else float("nan")
                for case in own
            ]
            page += [f"### {escape(cell)}, {title}: ms", _growth(own, unit, columns)]
        columns = {title_of(name): [_mb(case, name) for case in own] for name in names}
        columns = {name: sizes for name, sizes in columns.items() if any(map(np.isfinite, sizes))}
        page += [
            f"### {escape(cell)}, memory of a training step: temporary MB",
            _growth(own, unit, columns),
        ]
    page.append(
        figure(
            path.name,
            f"Time and memory of a step against the {unit}, on logarithmic axes",
            f"Growth with the {unit}; a line of slope 1 doubles when the work doubles. The "
            "exponent is that of a power law through the upper half of the values.",
        )
    )
    missing = {line for case in cases for line in absent(case)}
    return [*page, *(f"- {line}" for line in sorted(missing))]


def _column(cases: list[Measured], task: str, name: str, scale: float) -> list[float]:
    return [
        median(case, task, name) * scale if name in case.names() else float("nan") for case in cases
    ]


def _mb(case: Measured, name: str) -> float:
    return (case.temporary_bytes(name) or float("nan")) / 1e6


def _growth(cases: list[Measured], unit: str, columns: dict[str, list[float]]) -> str:
    """A row per value, and the exponent of a power law through the upper half of them."""
    values = [case.varied for case in cases]
    rows = [
        [f"{value:,}", *(f"{column[i]:,.1f}" for column in columns.values())]
        for i, value in enumerate(values)
    ]
    rows.append(["exponent", *(f"{_exponent(values, column):.2f}" for column in columns.values())])
    return table((unit, *columns), rows)


def _exponent(values: Sequence[float], column: Sequence[float]) -> float:
    upper = len(values) // 2
    x, y = np.log(values[upper:]), np.log(column[upper:])
    return float(np.polyfit(x, y, 1)[0]) if len(x) > 1 and np.isfinite(y).all() else float("nan")
