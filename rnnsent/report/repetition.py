"""The page of a run that was repeated: whether it came to the same, and if not, what may be why."""

import pathlib
from collections.abc import Iterator

from rnnsent.report import page
from rnnsent.report.blocks import Block, Code, Heading, Items, Note, Paragraph, Strong, Table
from rnnsent.report.numbers import counted
from rnnsent.report.setting import setting
from rnnsent.runs.repeats import Gap, Repeat, Repetition

TITLE = "A run and its repetition"
COMPARED = ("epoch's loss", "epoch's accuracy", "loss", "accuracy", "logits")
"""Of which the largest difference is shown, in the order of ``Repeat.gaps``."""

ENDING = ("repetition.html", "The page says how far apart they are and what may be why.")
"""Of the command where something differs: the page, and what to do."""


def write(record: Repetition, folder: pathlib.Path) -> list[Block]:
    """Writes ``repetition.md`` and ``repetition.html`` into a run folder; returns the blocks.

    Raises:
      UserError: if the folder cannot be written to.
    """
    report = list(blocks(record))
    page.write(report, folder, TITLE, "repetition")
    return report


def blocks(record: Repetition) -> Iterator[Block]:
    """The report."""
    yield Heading(1, TITLE)
    yield Paragraph(["The trainings of ", Code(record.run), f": {verdict(record)}."])
    header = ("recipe", "seed", *COMPARED, "flipped")
    yield Table(header, [_row(one) for one in record.repeats])
    yield Note(
        "The largest difference of an epoch's loss and accuracy in training, of what was measured "
        "after each fit, and of a logit; how many reviews that were measured on are now predicted "
        "on the other side. Times are not compared."
    )
    if record.others or reasons(record):
        yield Paragraph([Strong("What is recorded otherwise:")])
        yield Items(reasons(record) or ["Nothing: of one of the two, something was changed."])
    yield from setting(record.origin)


def verdict(record: Repetition) -> str:
    """In a few words, what came of it."""
    others = [f"{one.title} seed {one.seed}" for one in record.others]
    if not others:
        return "all came to the same, to the bit"
    kept = len(record.repeats) - len(others)
    return (
        f"{kept} of {counted(len(record.repeats), 'training')} came to the same, to the bit; "
        + (f"not so {', '.join(others)}")
    )


def reasons(record: Repetition) -> list[str]:
    """What is recorded otherwise of the trainings, each thing once."""
    return list(dict.fromkeys(reason for one in record.repeats for reason in one.reasons))


def _row(one: Repeat) -> list[str]:
    flipped = "–" if one.flipped is None else f"{one.flipped:,}"
    return [one.title, str(one.seed), *map(_gap, one.gaps), flipped]


def _gap(gap: Gap) -> str:
    if gap.identical:
        return "the same"
    return "not comparable" if gap.largest is None else f"{gap.largest:.3g}"
