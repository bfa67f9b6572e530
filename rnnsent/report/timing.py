"""What all parts of a benchmark's page share: names, multiples, tables, figures."""

from collections.abc import Iterable, Sequence

import numpy as np

from rnnsent.benchmark import SUBJECTS, clock
from rnnsent.benchmark.record import Measured
from rnnsent.report.markdown import escape


def title_of(name: str) -> str:
    return SUBJECTS[name].title if name in SUBJECTS else escape(name)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table that is aligned as plain text too: names left, numbers right."""
    rows = [list(header), *map(list, rows)]
    widths = [max(2, *map(len, column)) for column in zip(*rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = []
    for row in [rows[0], rule, *rows[1:]]:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def median(case: Measured, task: str, name: str) -> float:
    """Seconds per step."""
    return clock.summarise(case.samples[task][name]).median


def multiple(case: Measured, task: str, name: str) -> clock.Ratio:
    """Time per step as a multiple of rnnsent's; nan where rnnsent has no samples."""
    if "rnnsent" not in case.names():
        return clock.Ratio(*[float("nan")] * 3)
    return clock.ratio(case.samples[task][name], case.samples[task]["rnnsent"])


def interval(times: clock.Ratio) -> str:
    return f"{times.low:.2f} to {times.high:.2f}" if np.isfinite(times.low) else "-"


def figure(name: str, alt: str, caption: str) -> str:
    return f"![{alt}]({name})\n\n*{caption}*"


def absent(case: Measured) -> list[str]:
    """A line for every subject that took no part, with the reason, and for a case without one."""
    lines = [
        f"{title_of(name)}: {escape(result.status)}: {escape(result.why)}"
        for name, result in case.results.items()
        if name not in case.names()
    ]
    return lines + ([f"failed: {escape(case.failed)}"] if case.failed else [])
