"""A sweep's report, drawn from its record; nothing is measured here."""

import pathlib
from collections.abc import Iterator
from typing import Any

from rnnsent.comparison import SIGNIFICANCE
from rnnsent.report import figures, images, page
from rnnsent.report.blocks import Block, Heading, Items, Note, Paragraph, Strong, Table, Text
from rnnsent.report.numbers import counted, duration, listed, percent, short
from rnnsent.report.setting import setting
from rnnsent.sweep.final import Final
from rnnsent.sweep.record import Member, Record

SHOWN = 30
"""Members that the page's table has; all are in the table's file."""


def write(record: Record, final: Final | None, folder: pathlib.Path) -> list[Block]:
    """Draws ``report.md``, ``report.html`` and the figure into a run folder; returns the blocks.

    Raises:
      UserError: if the folder cannot be written to.
    """
    report = images.placed(blocks(record, final), _drawn(record))
    page.write(report, folder, title(record))
    return report


def _drawn(record: Record) -> dict[str, bytes]:
    """The figure as PNG, by name; none where nothing has finished."""
    finished = [(m, [t.figures.validation_accuracy for t in m.finished if t.figures])
                for m in record.members if m.finished]  # fmt: skip
    if not finished:
        return {}
    panels = {
        _words(name): [(_value(member.fields[name]), seeds) for member, seeds in finished]
        for name in record.varied
    }
    caption = record.origin.data["test_title"]
    return {"varied": figures.png(figures.varied, panels, caption=caption)}


def title(record: Record) -> str:
    """Names what is varied."""
    return (
        f"{len(record.members)} recipes that differ in {listed(list(map(_words, record.varied)))}"
    )


def blocks(record: Record, final: Final | None = None) -> list[Block]:
    """The report. Its figure is named; :func:`write` draws it."""
    return [
        Heading(1, title(record)),
        *_found(record, final),
        *_table(record),
        *_lost(record),
        *([images.figure("varied")] if any(m.finished for m in record.members) else []),
        *_final(final),
        *_setting(record),
    ]


def _found(record: Record, final: Final | None) -> Iterator[Block]:
    """The best member, and what its figure is worth."""
    if not record.ranked:
        yield Paragraph("Every member has a training that diverged, so none is chosen.")
        return
    best, base = record.ranked[0], record.members[0]
    assert best.accuracy is not None, "what is ranked has finished"
    said: list[Any] = [Strong(_named(best)), f" is best: {short(best.accuracy)}"]
    if base.accuracy and best is not base:
        said.append(f", the base {short(base.accuracy)}")
    yield Paragraph([*said, f" ({record.origin.data['test_title']})."])
    yield Paragraph(
        f"It was chosen among {counted(len(record.ranked), 'member')} by this very figure, which "
        "is therefore too high. "
        + ("The test reviews follow below." if final else "The test reviews were not read.")
    )


def _named(member: Member) -> str:
    """What tells a member from the base."""
    texts = [f"{_words(name)} {_text(value)}" for name, value in member.changes.items()]
    return ", ".join(texts) or "the base"


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(_value(value))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _value(value: Any) -> Any:
    """Numbers as they are, all else as a text."""
    if isinstance(value, list | tuple):
        return " + ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in sorted(value.items())) or "none"
    return value if isinstance(value, int | float) else str(value)


def _table(record: Record) -> Iterator[Block]:
    """The best members, and the base wherever it stands."""
    base, ranked = record.members[0], record.ranked
    shown = ranked[:SHOWN] + [base] * (base in ranked[SHOWN:])
    if not shown:
        return
    head = ("member", "rank", "accuracy", "points", "p over seeds", "seeds that differ")
    yield Table(head, [_row(member) for member in shown], "lrrrrr")
    left = len(ranked) - len(shown)
    yield Note(
        (f"{counted(left, 'more member')} in table.csv. " if left else "")
        + "± is the sample standard deviation over seeds. Points: more than the base, mean over "
        "seeds. Over seeds: Wilcoxon's signed ranks of these differences, one-sided, corrected "
        "for all members (Holm); – where so few seeds could not have shown any. Seeds that "
        "differ: over reviews, those for which McNemar's exact test on the same ones, corrected "
        f"for all members and seeds, is below {SIGNIFICANCE}."
    )


def _row(member: Member) -> list[Text]:
    assert member.accuracy is not None, "what is ranked has finished"
    row: list[Text] = [_named(member), str(member.rank), Strong(short(member.accuracy))]
    if (one := member.against) is None:
        return [*row, "–", "–", "–"]
    told = sum(test.corrected < SIGNIFICANCE for test in one.tests)
    p = "–" if one.corrected is None else f"{one.corrected:.2g}"
    return [*row, f"{100 * one.difference:+.2f}", p, f"{told} of {len(one.tests)}"]


def _lost(record: Record) -> Iterator[Block]:
    """What diverged, which has no rank."""
    lost = [member for member in record.members if member.lost]
    if not lost:
        return
    yield Heading(2, f"{counted(len(lost), 'member')} without a rank")
    rows = [
        (
            _named(member),
            ", ".join(f"{one.seed} in {one.when}" for one in member.lost),
            "–" if member.accuracy is None else short(member.accuracy),
        )
        for member in lost
    ]
    yield Table(("member", "seeds that diverged", "accuracy of the others"), rows)
    traced = [(m, one, one.divergence) for m in lost for one in m.lost if one.divergence]
    if said := [
        f"{_named(member)}, seed {one.seed}: {found.why}"
        for member, one, found in traced
        if found.first_nan
    ]:
        yield Items(said)
    yield Paragraph(record.advice())


def _final(final: Final | None) -> Iterator[Block]:
    """The test reviews."""
    if final is None:
        return
    yield Heading(2, "The test reviews, read once")
    if not final.tested:
        yield Paragraph(f"Opened on {final.opened} for {final.name}, and not finished since.")
        return
    accuracy = "diverged" if final.accuracy is None else short(final.accuracy)
    yield Paragraph([Strong(f"{final.test_title}: {accuracy}"), f", {final.name}."])
    rows = [
        (str(one.seed), f"diverged in epoch {one.diverged}", "–")
        if one.accuracy is None or one.loss is None
        else (str(one.seed), percent(one.accuracy), f"{one.loss:.4f}")
        for one in final.tested
    ]
    yield Table(("seed", "accuracy", "loss, nats"), rows)
    yield Note(
        f"Opened on {final.opened}, for this choice alone. Trained again on all training reviews, "
        f"those among them that it was chosen on: {final.title}."
    )


def _setting(record: Record) -> Iterator[Block]:
    """What the figures rest on."""
    seconds = sum(one.seconds for member in record.members for one in member.trainings)
    yield Heading(2, "Where this comes from")
    yield from setting(record.origin)
    yield Paragraph(
        f"Base: {record.members[0].name}. Seeds {', '.join(map(str, record.seeds))}. All "
        f"trainings together took {duration(seconds)}, compilation included."
    )
    yield Note("A row for each member and seed is in table.csv.")
