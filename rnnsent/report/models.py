"""The recipes of a comparison: what they differ in, and the layers of their models."""

import itertools
from collections.abc import Iterator

from rnnsent import notebook
from rnnsent.compare.entrants import Entrant
from rnnsent.compare.record import Record
from rnnsent.report import story
from rnnsent.report.blocks import Block, Heading, Strong, Table, Text
from rnnsent.report.numbers import listed


def differences(record: Record) -> Iterator[Block]:
    """What the recipes differ in."""
    if len(record.entrants) < 2:
        return
    names = list(dict.fromkeys(name for e in record.entrants for name in e.fields))
    rows = [
        (name.replace("_", " "), *(_field(e.fields.get(name)) for e in record.entrants))
        for name in names
        if len({_field(e.fields.get(name)) for e in record.entrants}) > 1
    ]
    if rows:
        yield Heading(2, "What the recipes differ in")
        yield Table(("", *(entrant.title for entrant in record.entrants)), rows)


def _field(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_field, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {_field(one)}" for name, one in value.items()) or "–"
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def layers(record: Record) -> Iterator[Block]:
    """One table for all recipes whose layers are the same, beside the notebook's counts."""
    ordered = sorted(record.entrants, key=lambda e: _rows(e))
    for rows, same in itertools.groupby(ordered, key=_rows):
        entrants = list(same)
        told = [dict(notebook.LAYERS[story.PRINTED[e.name]]) for e in entrants if _own(e)]
        counts = told[0] if told else {}
        body: list[list[Text]] = [
            [name, output, f"{count:,}", *([_count(counts.get(name))] if told else [])]
            for name, output, count in rows
        ]
        total: list[Text] = ["total", "", Strong(f"{entrants[0].parameters:,}")]
        body.append([*total, *([_count(sum(counts.values()))] if told else [])])
        yield Heading(3, listed([e.title for e in entrants]))
        head = ("layer", "output", "parameters", *(["notebook"] if told else []))
        yield Table(head, body, "llrr"[: len(head)])


def _rows(entrant: Entrant) -> tuple[tuple[str, str, int], ...]:
    return tuple((layer.name, layer.output, layer.parameters) for layer in entrant.layers)


def _own(entrant: Entrant) -> bool:
    return entrant.shipped and entrant.name in story.PRINTED


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"
