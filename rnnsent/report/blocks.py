"""What a report is made of: a list of blocks, each drawn to Markdown, to HTML and to the terminal.

Blocks hold texts, never markup: emphasis is a type of its own, and whatever a text contains is
shown to the letter by every renderer. So titles of data, answers of the network, names of folders
and words of reviews may stand in any block.
"""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from rnnsent.report.cards import Card


@dataclasses.dataclass(frozen=True)
class Strong:
    """A part of a text that stands out."""

    text: str


@dataclasses.dataclass(frozen=True)
class Code:
    """A part of a text that is to be typed or was read by a machine: a command, a name."""

    text: str


Span = str | Strong | Code
Text = Span | Sequence[Span]
"""A text: a string, or several parts in a sequence; nothing stands between the parts."""


def spans(text: Text) -> list[Span]:
    """The parts of a text, with everything that cannot be shown replaced."""
    parts = [text] if isinstance(text, str | Strong | Code) else list(text)
    return [
        shown(part)
        if isinstance(part, str)
        else dataclasses.replace(part, text=shown(part.text).strip())
        for part in parts
    ]


def plain(text: Text) -> str:
    """A text without its emphasis, on one line."""
    return "".join(part if isinstance(part, str) else part.text for part in spans(text)).strip()


def shown(text: object) -> str:
    """A string on one line, without characters that steer what shows it.

    Runs of white space become one space; what cannot be printed (control characters, changes of
    the direction of writing) becomes U+FFFD.
    """
    line = "".join(" " if c.isspace() else c for c in str(text))
    while "  " in line:
        line = line.replace("  ", " ")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)


@dataclasses.dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the report's title."""

    level: int
    text: Text
    kind: ClassVar[str] = "heading"


@dataclasses.dataclass(frozen=True)
class Paragraph:
    """Some sentences."""

    text: Text
    kind: ClassVar[str] = "paragraph"


@dataclasses.dataclass(frozen=True)
class Note:
    """Some sentences in small print."""

    text: Text
    kind: ClassVar[str] = "note"


@dataclasses.dataclass(frozen=True)
class Items:
    """A list, numbered or not."""

    items: Sequence[Text]
    numbered: bool = False
    kind: ClassVar[str] = "items"


@dataclasses.dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
      header: one text per column.
      rows: as long as the header each.
      align: a letter per column, ``l`` or ``r``; without it the first is left, the others right.
    """

    header: Sequence[Text]
    rows: Sequence[Sequence[Text]]
    align: str = ""
    kind: ClassVar[str] = "table"

    def __post_init__(self) -> None:
        columns = len(self.header)
        if {len(row) for row in self.rows} - {columns} or len(self.sides) != columns:
            raise ValueError(f"every row and the alignment need {columns} entries, as the header")

    @property
    def sides(self) -> str:
        return self.align or "l" + "r" * (len(self.header) - 1)


@dataclasses.dataclass(frozen=True)
class Figure:
    """A PNG.

    Attributes:
      path: in the run folder, below ``figures``, with forward slashes.
      caption: what it shows, also for those who do not see it.
      png: the image itself; None where it has been drawn to ``path`` already.
    """

    path: str
    caption: str
    png: bytes | None = None
    kind: ClassVar[str] = "figure"


@dataclasses.dataclass(frozen=True)
class Cards:
    """Single reviews as cards, and what stands in for them where there are no colours."""

    cards: Sequence[Card]
    instead: Sequence["Block"] = ()
    kind: ClassVar[str] = "cards"


Block = Heading | Paragraph | Note | Items | Table | Figure | Cards
