"""Finished trainings with their arrays: what they said of every review, and their states."""

import dataclasses
import pathlib
import zipfile
from collections.abc import Collection
from typing import Any, BinaryIO

import numpy as np

from rnnsent import checkpoints, console, optimizers, recipes
from rnnsent.cells import check_trusted
from rnnsent.errors import UserError
from rnnsent.model import SentimentClassifier
from rnnsent.runs import files, records
from rnnsent.runs.reading import (
    BEST,
    FINAL,
    METRICS,
    Training,
    advice,
    history,
    read,
    refusing,
)
from rnnsent.runs.records import Data, Epoch, Provenance


@dataclasses.dataclass(frozen=True)
class Trained(Training):
    """A finished training with what it said of every review.

    Attributes:
      history: per epoch, the training loss and accuracy with dropout on, and the seconds.
      train_logits_N: of the final state, dropout off; none of a training that diverged.
      test_logits_N: likewise.
    """

    history: list[Epoch]
    train_logits_N: np.ndarray
    test_logits_N: np.ndarray


def load(folder: pathlib.Path) -> Trained:
    """A finished training whole; ``UserError`` where it is damaged."""
    one = read(folder)
    epochs, lines = one.diverged or one.result.epochs, history(folder)
    if len(lines) != epochs:
        raise files.damaged(folder / METRICS, f"{len(lines)} epochs, not {epochs}")
    if one.diverged:
        _ = one.divergence  # which is refused where it is damaged
        return Trained(folder, one.config, one.result, lines, np.zeros(0), np.zeros(0))
    path = folder / "predictions.npz"
    # NumPy leaves a file open that it opened itself.
    with refusing(path), path.open("rb") as file:
        logits = _logits(file, one.result.data)
    return Trained(folder, one.config, one.result, lines, *logits)


def _logits(file: BinaryIO, data: Data) -> list[np.ndarray]:
    """The logits of the training and of the test reviews, of which there are so many."""
    with zipfile.ZipFile(file) as packed:
        large = [one.filename for one in packed.infolist() if one.file_size > _MOST_BYTES]
    if large:
        raise ValueError(f"{large[0]} is too large")
    found = []
    with np.load(file) as arrays:
        for name, rows in (("train", data.train), ("test", data.test)):
            logits_N = arrays[f"{name}_logits_N"]
            if logits_N.shape != (rows,) or logits_N.dtype.kind != "f":
                raise ValueError(f"{logits_N.dtype}{list(logits_N.shape)}, not float32[{rows}]")
            if not np.isfinite(logits_N).all():
                raise ValueError("a logit is no number")
            found.append(logits_N)
    return found


_MOST_BYTES = 2**26
"""Of the logits of a split; those of the 25,000 reviews have 100,000."""


def check(folder: pathlib.Path) -> None:
    """Raises ``UserError`` unless every file of a finished training is as it was left."""
    one = load(folder)
    files.read_json(folder / "provenance.json", Provenance, files.damaged)
    if not one.diverged:
        checkpoints.check(folder / FINAL)
        if records.best(one.history):
            checkpoints.check(folder / BEST)


def restore(
    training: Training,
    cells: Collection[str] = (),
    implementation: str = "auto",
    best: bool = False,
) -> tuple[SentimentClassifier, int, Any]:
    """A finished training's model, its seed, and the parameters to evaluate.

    Args:
      training: as it was read.
      cells: that may be imported, as ``module:Class``, besides the shipped ones. What the training
        itself says of its cell is no reason to name it here: a folder may come from anyone.
      implementation: of the recurrence; not the training's own, which may have been elsewhere.
      best: after the epoch with the lowest validation loss, instead of the last one.

    Raises:
      UserError: if it diverged, cannot be read, has a cell that was not named, or no best epoch.
    """
    if training.diverged:
        raise UserError(f"{training.told}, so there is nothing to read. {advice([training])}")
    epoch = training.best if best else None
    if best and epoch is None:
        raise UserError(
            f"{training.folder} has no best epoch: its {METRICS} has no validation loss, as "
            "where it was trained without --validation. Leave out --best."
        )
    config, recipe = training.config, training.recipe
    check_trusted(recipe.cell, cells, str(training.folder))
    model = recipe.classifier(config.vocab_size, implementation)
    optimizer = recipe.optimizer(config.rows)
    state = checkpoints.restore(training.folder / (BEST if best else FINAL), model, optimizer)
    if epoch:
        at = f"epoch {epoch.epoch} of {training.result.epochs}"
        console.say(f"{training.title}, seed {training.seed}: the best state, after {at}.")
    if recipes.digest(recipe) != config.digest:
        console.say(f"The source of the cell {recipe.cell} has changed since {training.folder}.")
    return model, training.seed, optimizers.averaged(state)
