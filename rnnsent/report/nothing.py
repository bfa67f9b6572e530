"""The page of a run whose trainings diverged, so that nothing was measured."""

import pathlib
from collections.abc import Sequence
from typing import Any

from rnnsent import runs
from rnnsent.report import page
from rnnsent.report.blocks import Block, Code, Heading, Note, Paragraph, Table
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
    rows = [(one.title, f"seed {one.seed}", _when(one)) for one in trainings]
    report: list[Block] = [
        Heading(1, TITLE),
        Paragraph("Loss or logits of these trainings ceased to be finite, so nothing is compared."),
        Table(("recipe", "training", "diverged"), rows, "lll"),
        *(
            Note(f"{o.title}, seed {o.seed}: {o.divergence.why}.")
            for o in trainings
            if o.divergence
        ),
        Paragraph(runs.advice(trainings)),
        Paragraph(["Data: ", Code(data["source"]), f" — {data['title']}."]),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    page.write(report, folder, TITLE)
    return report


def _when(one: Training) -> str:
    if not one.diverged:
        return "no"
    return f"in {one.divergence.place}" if one.divergence else f"in epoch {one.diverged}"
