"""Why a comparison's figures may mean nothing, said beside its first table."""

import math
from collections.abc import Iterator

from rnnsent.compare.record import Record
from rnnsent.report.blocks import Block, Paragraph, Strong

GUESS = math.log(2)
"""Mean cross-entropy, in nats, of saying 0.5 of every review."""


def of(record: Record) -> Iterator[Block]:
    """A paragraph on each."""
    if "--quick" in record.origin.command.split():
        yield Paragraph(
            [
                Strong("A quick run:"),
                " a few epochs on the first reviews, to see that everything works. Its figures say "
                "nothing of the recipes, which are named after what was changed.",
            ]
        )
    yield from _worse_than_a_guess(record)


def _worse_than_a_guess(record: Record) -> Iterator[Block]:
    """Finite losses can be enormous, and accuracy cannot tell: it looks at the logits' signs only.

    No training should leave a model worse *on its own training reviews* than a constant is; what is
    so to the three digits of the tables is named.
    """
    worse = [
        f"{entrant.title} seed {training.seed} ({loss:.4g})"
        for entrant in record.finished
        for training in entrant.finished
        if round(loss := training.results.train_loss, 3) > round(GUESS, 3)
    ]
    if worse:
        yield Paragraph(
            [
                Strong("Worse than a guess:"),
                f" {', '.join(worse)}. The training loss is above {GUESS:.3f} nats, which saying "
                "0.5 of every review costs, so the training failed, whatever the accuracy.",
            ]
        )
