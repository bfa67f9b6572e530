"""The page of a run whose trainings diverged, so that nothing was measured."""

import pathlib
from collections.abc import Sequence
from typing import Any

from rnnsent import runs
from rnnsent.report import page
from rnnsent.report.blocks import Block, Code, Heading, Paragraph, Table
from rnnsent.runs import Training

TITLE = "Nothing is left to report"


def write(trainings: Sequence[Training], data: dict[str, Any], folder: pathlib.Path) -> list[Block]:
    """Writes ``report.md`` and ``report.html`` into a folder; returns the blocks.

    Args:
      trainings: of which too many diverged to report anything.
      data: the provenance of the reviews.
      folder: of the run; made where it is missing.

    Raises:
      UserError: if the folder cannot be written to.
    """
    rows = [
        (one.title, f"seed {one.seed}", f"in epoch {one.diverged}" if one.diverged else "no")
        for one in trainings
    ]
    report: list[Block] = [
        Heading(1, TITLE),
        Paragraph("Loss or logits of these trainings ceased to be finite, so nothing is compared."),
        Table(("recipe", "training", "diverged"), rows, "lll"),
        Paragraph(runs.ADVICE),
        Paragraph(["Data: ", Code(data["source"]), f" — {data['title']}."]),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    page.write(report, folder, TITLE)
    return report
