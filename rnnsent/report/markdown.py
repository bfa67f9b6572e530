"""Blocks as Markdown, for ``report.md``."""

import re
from collections.abc import Sequence
from typing import Any

from rnnsent.report import blocks
from rnnsent.report.blocks import Block, Span, Text

_MARKS = {mark: f"\\{mark}" for mark in "\\`*_{}[]<>#!&~"} | {"|": "&#124;"}
"""What text becomes so that Markdown shows it; a table would take a bar's backslash off again."""


def render(report: Sequence[Block]) -> str:
    """A report as Markdown, every text in it shown to the letter."""
    return "\n\n".join(_RENDER[type(block)](block) for block in report) + "\n"


def escape(text: object) -> str:
    """Text as Markdown shows it to the letter, on one line, nothing of it a link.

    At the beginning of a line it needs :func:`_begun` besides.
    """
    line = "".join(_MARKS.get(c, c) for c in blocks.shown(text))
    return re.sub(r"(?i)(www)\.", r"\1\\.", line.replace("://", "\\://"))


def code(text: object) -> str:
    """Text as a code span, in which nothing can be escaped."""
    line = blocks.shown(text).strip().replace("`", "'").replace("|", "\N{BROKEN BAR}")
    return f"`{line}`" if line else ""


def _text(text: Text) -> str:
    return "".join(map(_span, blocks.spans(text))).strip()


def _span(span: Span) -> str:
    if isinstance(span, str):
        return escape(span)
    if isinstance(span, blocks.Code):
        return code(span.text)
    return f"**{escape(span.text)}**" if span.text else ""


def _begun(text: Text) -> str:
    """A text where it begins a line: no list, no rule, no heading comes of it."""
    return re.sub(r"^(\d*)([-+=.)])", r"\1\\\2", _text(text))


def _heading(block: blocks.Heading) -> str:
    return f"{'#' * block.level} {_begun(block.text)}"


def _paragraph(block: blocks.Paragraph | blocks.Note) -> str:
    return _begun(block.text)


def _items(block: blocks.Items) -> str:
    marks = [f"{n}." if block.numbered else "-" for n in range(1, len(block.items) + 1)]
    items = zip(marks, block.items, strict=True)
    return "\n".join(f"{mark} {_begun(item)}" for mark, item in items)


def _table(block: blocks.Table) -> str:
    """Aligned as plain text too."""
    rows = [[_text(cell) for cell in row] for row in (block.header, *block.rows)]
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    rule = [
        "-" * (width - 1) + (":" if side == "r" else "-")
        for side, width in zip(block.sides, widths, strict=True)
    ]
    lines = [rows[0], rule, *rows[1:]]
    return "\n".join(f"| {' | '.join(_padded(line, block.sides, widths))} |" for line in lines)


def _padded(cells: Sequence[str], sides: str, widths: Sequence[int]) -> list[str]:
    return [
        cell.rjust(width) if side == "r" else cell.ljust(width)
        for cell, side, width in zip(cells, sides, widths, strict=True)
    ]


def _figure(block: blocks.Figure) -> str:
    return f"![{escape(block.caption)}]({block.path})"


def _cards(block: blocks.Cards) -> str:
    return render(block.instead).rstrip("\n")


_RENDER: dict[type, Any] = {
    blocks.Heading: _heading,
    blocks.Paragraph: _paragraph,
    blocks.Note: _paragraph,
    blocks.Items: _items,
    blocks.Table: _table,
    blocks.Figure: _figure,
    blocks.Cards: _cards,
}
