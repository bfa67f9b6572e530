"""Blocks on the terminal."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from rich import box
from rich import table as rich_tables
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.text import Text as RichText

from rnnsent.report import blocks
from rnnsent.report.blocks import Block, Text

_STYLES = {blocks.Strong: "bold", blocks.Code: "cyan"}


def show(report: Sequence[Block], console: Console | None = None) -> None:
    """Prints blocks; nothing in them is taken for rich's markup, a link or an emoji's name.

    A table whose words do not fit side by side is printed row below row.
    """
    console = console or Console()
    for block in report:
        _SHOW[type(block)](console, block)


_INDENT = 2
"""At most, of what does not stand in a table."""

_JOINT = re.compile(r"(?=\+[A-Za-z])|(?<=[A-Za-z]-)(?=[A-Za-z])")
"""Where a name may go on in the next line: before what is set in a recipe, after a hyphen; never in
a number such as 1e-05."""


def _lines(console: Console, text: Text, style: str = "") -> RichText:
    """A text outside of tables: a name wider than the terminal goes on at one of its joints."""
    whole = _text(text, style)
    ends = _ends(whole.plain, console.width - _INDENT)
    return RichText("\n", overflow="fold").join(whole.divide(ends))


def _ends(text: str, width: int) -> list[int]:
    """Where the lines of words end that are wider than a line."""
    ends = []
    for word in re.finditer(r"\S+", text):
        start = last = word.start()
        for end in (*(joint.start() for joint in _JOINT.finditer(text, *word.span())), word.end()):
            if cell_len(text[start:end]) > width and last > start:
                ends.append(last)
                start = last
            last = end
    return ends


def _text(text: Text, style: str = "") -> RichText:
    out = RichText(style=style, overflow="fold")
    for part in blocks.spans(text):
        words = part if isinstance(part, str) else part.text
        out.append(words, style=_STYLES.get(type(part), ""))
    return out


def _heading(console: Console, block: blocks.Heading) -> None:
    style = "bold underline" if block.level == 1 else "bold" if block.level == 2 else "italic"
    console.print()
    console.print(_lines(console, block.text, style))


def _paragraph(console: Console, block: blocks.Paragraph) -> None:
    console.print()
    console.print(_lines(console, block.text))


def _note(console: Console, block: blocks.Note) -> None:
    console.print()
    console.print(_lines(console, block.text, "dim"))


def _items(console: Console, block: blocks.Items) -> None:
    console.print()
    for number, item in enumerate(block.items, start=1):
        mark = f"{number}. " if block.numbered else "- "
        line = _lines(console, [mark, *blocks.spans(item)])
        console.print(Padding(line, (0, 0, 0, 1), expand=False))


def _table(console: Console, block: blocks.Table) -> None:
    console.print()
    columns = [[*map(_text, cells)] for cells in zip(block.header, *block.rows, strict=True)]
    least = [max(map(_narrowest, cells)) for cells in columns]
    most = [max(cell_len(cell.plain) for cell in cells) for cells in columns]
    room = console.width - _BETWEEN * (len(columns) - 1)
    if sum(least) > room:
        _row_below_row(console, block)
        return
    made = rich_tables.Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    widths = _shared(least, most, room)
    for (head, *_), side, width in zip(columns, block.sides, widths, strict=True):
        made.add_column(head, justify="right" if side == "r" else "left", width=width)
    for row in zip(*(cells for _, *cells in columns), strict=True):
        made.add_row(*row)
    console.print(made)


_BETWEEN = 3
"""Letters between two columns."""


def _narrowest(text: RichText) -> int:
    """The width of its longest word."""
    return max(map(cell_len, text.plain.split()), default=0)


def _shared(least: Sequence[int], most: Sequence[int], room: int) -> list[int]:
    """Widths of columns: what each needs, and of the rest the same share of what it could use.

    Rich by itself takes from all columns alike, and breaks words.
    """
    wanted = sum(most) - sum(least)
    share = min(1.0, (room - sum(least)) / wanted) if wanted else 0.0
    return [few + int(share * (many - few)) for few, many in zip(least, most, strict=True)]


def _row_below_row(console: Console, block: blocks.Table) -> None:
    for first, *others in block.rows:
        console.print(_lines(console, first, "bold"))
        for head, cell in zip(block.header[1:], others, strict=True):
            line = _lines(console, [*blocks.spans(head), ": ", *blocks.spans(cell)])
            console.print(Padding(line, (0, 0, 0, _INDENT), expand=False))


def _figure(console: Console, block: blocks.Figure) -> None:
    console.print()
    console.print(_lines(console, f"Figure {block.path}: {block.caption}", "dim"))


def _cards(console: Console, block: blocks.Cards) -> None:
    show(block.instead, console)


_SHOW: dict[type, Callable[[Console, Any], None]] = {
    blocks.Heading: _heading,
    blocks.Paragraph: _paragraph,
    blocks.Note: _note,
    blocks.Items: _items,
    blocks.Table: _table,
    blocks.Figure: _figure,
    blocks.Cards: _cards,
}
