"""The claims' report, drawn from their record; nothing is measured here."""

import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from rnnsent import evaluation, memory
from rnnsent.claims import measure
from rnnsent.claims.conditions import CONDITIONS
from rnnsent.claims.insides import LEARNED, learned
from rnnsent.claims.leads import by_recurrent_dropout, by_trainings, printed_gap
from rnnsent.claims.record import Claim, Record, Row
from rnnsent.comparison import SIGNIFICANCE, Shares
from rnnsent.report import images, insides, page, reviews
from rnnsent.report.blocks import (
    Block,
    Code,
    Heading,
    Note,
    Paragraph,
    Strong,
    Table,
    Text,
)
from rnnsent.report.numbers import percent
from rnnsent.report.setting import BY_THE_NOTEBOOKS_RULE, left_out, setting

TITLE = "The notebook's claims, measured"

RULE = (
    "A claim is *supported* where all its criteria that could be tested hold, *not supported* "
    "where none does, else *mixed*, and *not tested* where less than half could be. Figures of two "
    "groups of trainings are compared with a one-sided Mann-Whitney test, differences by seed with "
    f"Wilcoxon's, both at {SIGNIFICANCE}; where so few trainings could not have shown it, the "
    "criterion is untested and counts for nothing. What is said of the models' insides is said of "
    f"the trainings that learned: those of at least {100 * LEARNED:.0f}% test accuracy."
).replace("*", "")


def write(record: Record, folder: pathlib.Path) -> list[Block]:
    """Draws ``report.md``, ``report.html`` and the figures into ``folder``; returns the blocks."""
    report = images.placed(blocks(record), insides.draw(record))
    page.write(report, folder, TITLE)
    return report


def blocks(record: Record) -> list[Block]:
    """The report; its figures are without their images."""
    return [
        Heading(1, TITLE),
        *setting(record.origin),
        *_trained(record),
        Heading(2, "Verdicts"),
        verdicts(record.claims),
        Note(RULE),
        Heading(2, "What was trained"),
        trainings(record),
        images.figure("accuracy"),
        images.figure("curves"),
        Heading(2, "The cell and the recipe"),
        *split(record),
        *(block for claim in record.claims for block in _claim(claim)),
        *_insides(record),
        *_reviews(record),
        Heading(2, "The notebook's twenty reviews"),
        Paragraph(
            "Read by the trainings whose test accuracy is nearest to the notebook's: "
            f"{' and '.join(record.chosen)}."
        ),
        Paragraph(BY_THE_NOTEBOOKS_RULE),
        reviews.single(record.reviews),
    ]


def _trained(record: Record) -> Iterator[Block]:
    """The seeds, and what is left out."""
    yield Paragraph(f"Seeds {', '.join(map(str, record.seeds))}.")
    yield from left_out(
        record.lost,
        "; with a condition its seed is left out everywhere, for what is trained in several ways "
        "is compared seed by seed",
        record.advice,
    )


def verdicts(claims: Sequence[Claim]) -> Table:
    """Each claim with its verdict and how many of its criteria hold."""
    rows = []
    for claim in claims:
        holds = [c.holds for c in claim.criteria if c.holds is not None]
        untested = len(claim.criteria) - len(holds)
        count = f"{sum(holds)} of {len(holds)}" + (f", {untested} untested" if untested else "")
        rows.append((claim.statement, Strong(claim.verdict), count))
    return Table(("the notebook says", "verdict", "criteria that hold"), rows, "lll")


def _claim(claim: Claim) -> list[Block]:
    """One claim: its verdict and the table of its criteria."""
    holds = {True: "yes", False: "no", None: "untested"}
    rows = [(c.statement, c.measured, holds[c.holds]) for c in claim.criteria]
    return [
        Heading(2, claim.statement),
        Paragraph(["Verdict: ", Strong(claim.verdict), "."]),
        Table(("what would have to be true", "measured", "holds"), rows, "lll"),
    ]


def trainings(record: Record) -> Table:
    """Accuracies of every row: over seeds, over reviews, and the notebook's."""
    head = (
        "model",
        "recipe",
        "epochs",
        "recurrent dropout",
        "training accuracy",
        f"{record.test_title} ± spread over seeds",
        "95% over reviews (first seed)",
        "each seed, %",
        "learned",
        "notebook",
    )
    return Table(head, [_row(row) for row in record.rows.values()], "ll" + "r" * 8)


def _row(row: Row) -> tuple[Text, ...]:
    spread = evaluation.spread([f.accuracy for f in row.found])
    low, high = row.interval
    return (
        row.title,
        Code(row.recipe),
        str(row.found[0].epochs),
        f"{row.recurrent_dropout:g}",
        percent(float(np.mean([f.train_accuracy for f in row.found]))),
        f"{spread.mean:.2f}%" + ("" if spread.std is None else f" ± {spread.std:.2f}"),
        f"{percent(low)} to {percent(high)}",
        ", ".join(f"{f.accuracy:.2f}" for f in row.found),
        f"{len(learned({'': row.found}, ''))} of {len(row.found)}",
        "–" if row.printed is None else percent(row.printed),
    )


def split(record: Record) -> list[Block]:
    """What part of the LSTM's lead is the cell's and what part the recipe's."""
    found = {name: record.rows[name].found for name in CONDITIONS}
    once, twice = by_recurrent_dropout(found), by_trainings(found)
    rows: list[tuple[Text, str]] = [
        (Strong("LSTM minus SimpleRNN, one fit each"), _points(once, "gap")),
        ("of it, the cell", _points(once, "cell")),
        ("of it, the recurrent dropout", _points(once, "recipe")),
        (Strong("LSTM minus SimpleRNN fitted twice"), _points(twice, "gap")),
        ("of it, the cell: LSTM minus SimpleRNN without recurrent dropout", _points(twice, "cell")),
        ("of it, the recurrent dropout and the second fit", _points(twice, "recipe")),
    ]
    return [
        Paragraph(
            "The notebook gives recurrent dropout to the SimpleRNN only, so its gap mixes two "
            "things. After one fit, each share is the mean over the two orders of changing cell "
            "and recurrent dropout; against the SimpleRNN fitted twice, the cell's share is what "
            "is left when the SimpleRNN is trained just like the LSTM."
        ),
        Table(("points of accuracy", "mean ± spread over seeds"), rows),
        Paragraph(_portion(printed_gap(), twice) if record.comparable else _ELSEWHERE),
    ]


_ELSEWHERE = (
    "The notebook's gap was on other reviews or of other recipes, so these shares are not its."
)


def _portion(printed: float, split: Sequence[Shares]) -> Strong:
    """The printed gap in points: the cell's part as measured, and what remains."""
    cell = float(np.mean([s.cell for s in split]))
    if cell <= 0:
        part = "none of them is the cell's: trained alike, the SimpleRNN is not behind."
    elif cell >= printed:
        part = "all of them are the cell's: trained alike, the SimpleRNN is as far behind or more."
    else:
        rest = printed - cell
        part = f"{cell:.1f} are the cell's (trained alike) and {rest:.1f} the recipe's."
    return Strong(f"Of the {printed:.1f} points that the notebook printed, {part}")


def _points(split: Sequence[Shares], part: str) -> str:
    spread = evaluation.spread([getattr(s, part) for s in split])
    std = "" if spread.std is None else f" ± {spread.std:.1f}"
    return f"{spread.mean:+.1f}{std} ({spread.low:+.1f} to {spread.high:+.1f})"


def _insides(record: Record) -> list[Block]:
    return [
        Heading(2, "What the measurements look like"),
        Paragraph(
            f"The changed reviews are the first {measure.CHANGED:,} at most of the "
            f"{record.origin.source.measured}, the curves the first {measure.READ:,}, the "
            f"gradients the first {memory.REVIEWS:,}."
        ),
        images.figure("last"),
        images.figure("replaced"),
        images.figure("turns"),
        insides.flips(record.rows),
        Paragraph(
            "Gradients of the logit by words before the end, means over seeds: in the table median "
            "and mean over reviews, in the figure median and quartiles, untrained dashed."
        ),
        images.gradients(insides.curves(record.rows)),
        images.figure("memory"),
    ]


def _reviews(record: Record) -> Iterator[Block]:
    titles = {name: row.title for name, row in record.rows.items()}
    calibration = {row.title: row.calibration for row in record.rows.values()}
    yield Heading(2, f"All {record.origin.source.measured}: {record.test_title}")
    yield from reviews.every(titles, calibration, record.groups, record.agreements)
