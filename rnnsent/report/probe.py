"""The probe's report, drawn from its record; nothing is measured here."""

import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from rnnsent.probe.record import Length, Longest, Record, Seed, longest
from rnnsent.probe.tasks import TASKS, Task
from rnnsent.report import figures, page
from rnnsent.report.blocks import (
    Block,
    Code,
    Figure,
    Heading,
    Items,
    Note,
    Paragraph,
    Strong,
    Table,
    Text,
)
from rnnsent.report.numbers import counted, duration, percent
from rnnsent.report.setting import flags

TITLE = "What a cell remembers"

RULE = (
    "Lengths double until no seed solves one. A seed's longest length is the longest that it "
    "solved; the table gives the median over seeds and, in brackets, the shortest and the longest "
    "of them. – is none, ≥ the longest length that was tried, where a seed solved even that. "
    "A length that is not solved was not learned in these steps; whether the cell could hold it "
    "is another question."
)
GRADIENTS = (
    "Of the gradient of the last answer with respect to what is read: its norm at the first step "
    "over its norm at the last (medians over rows, then over seeds), untrained → at the end of "
    "training. Bold: solved by at least half of the seeds."
)


def write(record: Record, folder: pathlib.Path) -> list[Block]:
    """Draws ``report.md``, ``report.html`` and the figures into ``folder``; returns the blocks."""
    report = blocks(record)
    page.write(report, folder, TITLE)
    return report


def blocks(record: Record) -> list[Block]:
    """The report."""
    return [
        Heading(1, TITLE),
        *_setting(record),
        Heading(2, "Longest length solved"),
        longest_lengths(record),
        Note(RULE),
        *_drawn(record),
        Heading(2, "The tasks"),
        Items([_told(TASKS[name]) for name in record.tasks()]),
        *(block for name in record.tasks() for block in _task(record, name)),
    ]


def _setting(record: Record) -> Iterator[Block]:
    """What the figures rest on."""
    made, machine = record.origin, record.origin.device
    yield Paragraph(
        [
            Strong("Data:"),
            " made-up tasks, and scikit-learn's 8 x 8 digits; no reviews. "
            f"Seeds {', '.join(map(str, record.seeds))}. Recurrent layers of "
            f"{', '.join(map(str, record.features))}, {counted(record.batch, 'row')} a step, at "
            f"most {counted(record.steps, 'step')}, lengths to {record.limit}.",
        ]
    )
    yield Paragraph(
        f"Device: {machine.name} ({machine.platform}, {machine.devices} JAX device(s)). "
        f"JAX {made.versions.get('jax')}, Flax {made.versions.get('flax')}. "
        f"Revision {made.git or 'unknown'}. Started {made.started}.{flags(made)} "
        f"Trainings took {duration(sum(one.seconds for one in _lengths(record)))} in all."
    )
    if lost := record.lost():
        yield Paragraph([Strong("Diverged, which counts as not solved:"), f" {'; '.join(lost)}."])


def _lengths(record: Record) -> Iterator[Length]:
    for row in record.rows.values():
        for lengths in row.tasks.values():
            yield from lengths


def _told(task: Task) -> Text:
    return [
        Strong(task.title),
        f": {task.what}. Score: {task.score}; chance {percent(task.chance)}, solved from "
        f"{percent(task.solved)}. Source: {task.source}.",
    ]


def longest_lengths(record: Record) -> Table:
    """One row per model, one column per task."""
    head = ("model", "cell", *(TASKS[name].title for name in record.tasks()))
    rows: list[list[Text]] = [
        [row.title, Code(row.cell), *(_longest(longest(tried)) for tried in row.tasks.values())]
        for row in record.rows.values()
    ]
    return Table(head, rows, "ll" + "r" * len(record.tasks()))


def _longest(found: Longest) -> str:
    median, low, high = (_steps(length, found.cap) for length in (found.median, *found.span))
    return median if low == high else f"{median} ({low} to {high})"


def _steps(length: int, cap: int | None) -> str:
    return f"≥ {length}" if length == cap else str(length) if length else "–"


def _task(record: Record, name: str) -> list[Block]:
    """One task: how many seeds solved which length, their scores, and the gradients."""
    of = {row.title: row.tasks[name] for row in record.rows.values()}
    return [
        Heading(2, TASKS[name].title),
        Paragraph("Seeds that solved a length (median score at the end of training)."),
        _by_length(of, _solved),
        Paragraph(GRADIENTS),
        _by_length(of, _gradients),
    ]


def _by_length(of: Mapping[str, Sequence[Length]], shown: Callable[[Length], Text]) -> Table:
    """One row per model: its longest length, and a column per length; – where it was not tried."""
    tried = sorted({one.length for lengths in of.values() for one in lengths})
    rows = []
    for title, lengths in of.items():
        held = {one.length: shown(one) for one in lengths}
        longest_of = _longest(longest(lengths))
        rows.append((title, longest_of, *(held.get(length, "–") for length in tried)))
    return Table(("model", "longest solved", *(f"{length} steps" for length in tried)), rows)


def _solved(one: Length) -> Text:
    score = _median([seed.score for seed in one.seeds])
    return f"{one.solved} of {len(one.seeds)} ({'diverged' if score is None else percent(score)})"


def _gradients(one: Length) -> Text:
    shares = [_median([getattr(seed, of) for seed in one.seeds]) for of in ("fresh", "trained")]
    text = " → ".join("–" if share is None else f"{share:.1e}" for share in shares)
    return Strong(text) if 2 * one.solved >= len(one.seeds) else text


def _median(values: Sequence[float | None]) -> float | None:
    """Over those that are numbers; None where there is none."""
    numbers = [value for value in values if value is not None]
    return float(np.median(numbers)) if numbers else None


SMALLEST = 1e-12
"""A share of a gradient below it is drawn as it: a logarithmic axis has no place for zero."""


def _drawn(record: Record) -> Iterator[Block]:
    yield from _figure(record, "score", "score by length, mean and range of seeds", _score)
    told = "gradient at the first step over the last, trained, mean and range of seeds"
    yield from _figure(record, "gradient", told, _share, log=True)


def _score(seed: Seed) -> float | None:
    return seed.score


def _share(seed: Seed) -> float | None:
    return None if seed.trained is None else max(seed.trained, SMALLEST)


def _figure(
    record: Record,
    name: str,
    caption: str,
    figure: Callable[[Seed], float | None],
    *,
    log: bool = False,
) -> Iterator[Figure]:
    """A panel per task; nothing where no seed has a number at all lengths."""
    panels = {TASKS[task].title: _curves(record, task, figure) for task in record.tasks()}
    if panels := {title: curves for title, curves in panels.items() if curves}:
        told = {"xlabel": "steps", "caption": caption, "doubling": True, "log": log}
        yield Figure(f"figures/{name}.png", caption, figures.png(figures.lines, panels, **told))


def _curves(
    record: Record, task: str, figure: Callable[[Seed], float | None]
) -> dict[str, tuple[list[int], list[list[float]]]]:
    """By title, lengths and a list per seed that has a number at all of them."""
    out = {}
    for row in record.rows.values():
        tried = row.tasks[task]
        seeds = [
            [figure(one) for one in seed] for seed in zip(*(t.seeds for t in tried), strict=True)
        ]
        whole = [[v for v in seed if v is not None] for seed in seeds if None not in seed]
        if whole:
            out[row.title] = ([one.length for one in tried], whole)
    return out
