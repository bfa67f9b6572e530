"""Finished trainings, read back from a run folder."""

import dataclasses
import pathlib
import zipfile
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from rnnsent import checkpoints, console, optimizers, recipes
from rnnsent.cells import check_trusted, is_trusted
from rnnsent.errors import UserError
from rnnsent.model import SentimentClassifier
from rnnsent.recipes import SHIPPED, Recipe
from rnnsent.runs import files, records
from rnnsent.runs.records import Config, Epoch, Result, RunConfig

ADVICE = "Try a lower --learning-rate, or --clip 1."
"""What to do about a training that diverged."""

METRICS = "metrics.jsonl"
"""A training's file with a line per epoch, each written as its epoch ends."""


def seed_folder(run: pathlib.Path, recipe: str, seed: int) -> pathlib.Path:
    """Where a training is kept; ``recipe`` is :attr:`rnnsent.recipes.Recipe.folder`."""
    return run / recipe / f"seed-{seed}"


def seeds(run: pathlib.Path, recipe: str) -> list[int]:
    """The finished seeds of a recipe in a run folder, those that diverged among them."""
    found = (run / recipe).glob("seed-*/result.json")
    numbers = (path.parent.name.removeprefix("seed-") for path in found)
    return sorted(int(number) for number in numbers if number.isdecimal())


@dataclasses.dataclass(frozen=True)
class Training:
    """A finished training, without its arrays.

    Attributes:
      folder: where it is kept.
      config: what it follows from.
      result: what was measured, or where it diverged.
    """

    folder: pathlib.Path
    config: Config
    result: Result

    @property
    def recipe(self) -> Recipe:
        """What was trained, and how."""
        return self.config.recipe

    @property
    def title(self) -> str:
        """What tables call the recipe."""
        return self.recipe.title

    @property
    def seed(self) -> int:
        """That everything random in it follows from."""
        return self.config.seed

    @property
    def diverged(self) -> int | None:
        """The epoch in which the loss or the logits ceased to be finite, if they did."""
        return self.result.diverged

    @property
    def told(self) -> str:
        """A line on one that diverged."""
        return records.diverged(self.title, self.seed, self.diverged)


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


def diverged_text(trained: Iterable[Training]) -> str:
    """Which trainings diverged, and when; empty where none did."""
    return ", ".join(one.told for one in trained if one.diverged)


def finished(run: pathlib.Path) -> list[Training]:
    """A run's finished trainings, the shipped recipes first, in their order.

    Raises:
      UserError: if there is none, or the folder is not as this version leaves it.
    """
    if (run / "config.json").exists():
        files.read_json(run / "config.json", RunConfig)
    names = {path.parents[1].name for path in run.glob("*/seed-*/result.json")}
    order = {name: i for i, name in enumerate(SHIPPED)}
    ordered = sorted(names, key=lambda name: (order.get(name, len(order)), name))
    found = [read(seed_folder(run, name, seed)) for name in ordered for seed in seeds(run, name)]
    if not found:
        raise UserError(f"{run} holds no finished model. Give the folder of a finished run.")
    return found


def readable(run: pathlib.Path) -> list[Training]:
    """A run's trainings that did not diverge; a line names those that did.

    Raises:
      UserError: if there is none.
    """
    found = finished(run)
    lost = diverged_text(found)
    left = [one for one in found if not one.diverged]
    if not left:
        raise UserError(f"{run} holds nothing to read: {lost}. {ADVICE}")
    if lost:
        console.say(f"Left out: {lost}.")
    return left


def trusted(found: Sequence[Training], cells: Collection[str] = ()) -> list[Training]:
    """The trainings that are read without running a module of others; a line names the rest.

    Args:
      found: in a run's folder.
      cells: that may be imported, as ``module:Class``, besides the shipped ones.

    Raises:
      UserError: if there is none, or a cell is named that none of them has.
    """
    check_named(found, cells)
    left = [one for one in found if is_trusted(one.recipe.cell, cells)]
    others = {one.title: one.recipe.cell for one in found if not is_trusted(one.recipe.cell, cells)}
    if found and not left:
        check_trusted(found[0].recipe.cell, cells, str(found[0].folder))
    if others:
        console.say(
            f"Left out: {', '.join(others)}, for reading a cell that is no part of rnnsent runs "
            f"its module. If you trust it, add --cell {' '.join(dict.fromkeys(others.values()))}"
        )
    return left


def check_named(found: Sequence[Training], cells: Collection[str]) -> None:
    """Raises ``UserError`` where a cell is named that no training has: it is mistyped."""
    there = list(dict.fromkeys(repr(one.recipe.cell) for one in found))
    if other := [repr(cell) for cell in cells if repr(cell) not in there]:
        raise UserError(
            f"--cell: no model of this run has the cell {', '.join(other)}; there is "
            f"{', '.join(there)}."
        )


def read(folder: pathlib.Path) -> Training:
    """What a finished training's folder says of it, without its arrays."""
    config = files.read_json(folder / "config.json", Config)
    return Training(folder, config, files.read_json(folder / "result.json", Result))


def load(folder: pathlib.Path) -> Trained:
    """A finished training whole; ``UserError`` where it is damaged."""
    one = read(folder)
    epochs = one.diverged or one.result.epochs
    try:
        history = files.read_lines(folder / METRICS, Epoch)
        if len(history) != epochs:
            raise ValueError(f"{METRICS} has {len(history)} epochs, not {epochs}")
        if one.diverged:
            return Trained(folder, one.config, one.result, history, np.zeros(0), np.zeros(0))
        # NumPy leaves a file that it opened itself open where it is damaged.
        with (folder / "predictions.npz").open("rb") as file, np.load(file) as arrays:
            logits = [arrays[f"{name}_logits_N"] for name in ("train", "test")]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"The training in {folder} is damaged ({error}). Delete that folder; it is trained "
            "again when the run goes on."
        ) from error
    return Trained(folder, one.config, one.result, history, *logits)


def restore(
    training: Training, cells: Collection[str] = (), implementation: str = "auto"
) -> tuple[SentimentClassifier, int, Any]:
    """A finished training's model, its seed, and the parameters to evaluate.

    Args:
      training: as it was read.
      cells: that may be imported, as ``module:Class``, besides the shipped ones. What the training
        itself says of its cell is no reason to name it here: a folder may come from anyone.
      implementation: of the recurrence; not the training's own, which may have been elsewhere.

    Raises:
      UserError: if it diverged, cannot be read, or has a cell that was not named.
    """
    if training.diverged:
        raise UserError(f"{training.told}, so there is nothing to read. {ADVICE}")
    config, recipe = training.config, training.recipe
    check_trusted(recipe.cell, cells, str(training.folder))
    if recipes.digest(recipe) != config.digest:
        console.say(f"The source of the cell {recipe.cell} has changed since {training.folder}.")
    model = recipe.classifier(config.vocab_size, implementation)
    optimizer = recipe.optimizer(config.rows)
    state = checkpoints.restore(training.folder / "checkpoint", model, optimizer)
    return model, training.seed, optimizers.averaged(state)
