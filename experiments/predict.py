"""What a run's models say of a new review.

python -m experiments.predict "a wonderful film"
"""

import dataclasses
import pathlib
from typing import Annotated

import numpy as np
import tyro

from rnnsent import data, devices, evaluation, inference, runs
from rnnsent.config import Cells, Flag, Folder, Implementation, cli, require
from rnnsent.report import terminal
from rnnsent.report.blocks import Paragraph, Table


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of the prediction."""

    text: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="TEXT")]]
    """The review, in quotes."""
    run: Folder = None
    """Run folder; without it the newest under runs/."""
    cell: Cells = ()
    """Cells of the run that are no part of rnnsent, as module:Class; their modules are run."""
    implementation: Implementation = "auto"  # type: ignore[valid-type]  # a table
    """How the recurrence is computed; auto: the fastest way on this machine."""
    best: Flag = False
    """The state after the epoch with the lowest validation loss, of a run with --validation."""


def main(options: Options) -> None:
    """Prints each model's probability that a review is positive, with a run's trained models."""
    devices.configure()
    folder = options.run or runs.latest(pathlib.Path("runs"))
    trainings = runs.trusted(runs.readable(folder), options.cell)
    vocabulary, encoding = runs.load_vocabulary(folder)
    ids_1T = data.encode_text(options.text, vocabulary, encoding)
    read = vocabulary.decode(ids_1T[0])
    require(bool(read), "No known word is left of the review. Give a text with words in English.")
    source = runs.data_of(folder)
    about = f"Trained on: {source['source']} — {source['title']} ({folder})"
    table = Table(("model", "probability of positive, by seed"), _rows(trainings, ids_1T, options))
    lines = about, f"Read as: {read}", _dropped(options.text, vocabulary)
    terminal.show([*map(Paragraph, lines), table])


def _dropped(text: str, vocabulary: data.Vocabulary) -> str:
    words = data.tokenise(text)
    unknown = len(vocabulary.unknown(words))
    return f"Left out: {unknown} of {len(words)} words, which the vocabulary does not have."


def _rows(
    trainings: list[runs.Training], ids_1T: np.ndarray, options: Options
) -> list[tuple[str, str]]:
    said = {}
    for training in trainings:
        how = options.cell, options.implementation, options.best
        model, _, params = runs.restore(training, *how)
        probability = evaluation.probability(inference.predict(model, params, ids_1T))[0]
        said.setdefault(training.title, []).append(f"{probability:.3f}")
    return [(title, ", ".join(values)) for title, values in said.items()]


if __name__ == "__main__":
    cli(main, Options)
