"""Finished trainings, read back from a run folder, without their arrays."""

import contextlib
import dataclasses
import pathlib
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence

from rnnsent import console
from rnnsent.cells import check_trusted, is_trusted
from rnnsent.divergence import Divergence
from rnnsent.errors import UserError
from rnnsent.recipes import SHIPPED, Recipe
from rnnsent.runs import divergences, files, records
from rnnsent.runs.records import Config, Epoch, Result, RunConfig

DIVERGENCE = "divergence.json"
"""Of a training that diverged: the step, where it was found."""

FINAL, BEST = "checkpoint", "best"
"""A training's states after its last epoch, and after the one with the lowest validation loss."""

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
        return divergences.said(self.title, self.seed, self.diverged, self.divergence)

    @property
    def best(self) -> Epoch | None:
        """The epoch with the lowest validation loss, if that was measured; its state is kept.

        Raises:
          UserError: if what is kept of the epochs is damaged.
        """
        return None if self.diverged else records.best(history(self.folder))

    @property
    def divergence(self) -> Divergence | None:
        """The step in which it diverged; None where it did not, or no step was found.

        Raises:
          UserError: if what is kept of it is damaged.
        """
        path = self.folder / DIVERGENCE
        if not self.diverged or not path.exists():  # a folder of before has none
            return None
        return files.read_json(path, Divergence, files.damaged)


def diverged_text(trained: Iterable[Training]) -> str:
    """Which trainings diverged, and when; empty where none did."""
    return ", ".join(one.told for one in trained if one.diverged)


def advice(trained: Iterable[Training]) -> str:
    """What to try, by the recipes of those that diverged and where they did."""
    lost = [one for one in trained if one.diverged]
    return divergences.advice((one.recipe.fields(), one.divergence) for one in lost)


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
        raise UserError(f"{run} holds nothing to read: {lost}. {advice(found)}")
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
    config = files.read_json(folder / "config.json", Config, files.damaged)
    result = files.read_json(folder / "result.json", Result, files.damaged)
    if not folder.name == f"seed-{config.seed}" == f"seed-{result.seed}":
        raise files.damaged(folder / "result.json", f"it is of seed {result.seed}")
    if config.rows != result.data.train:
        raise files.damaged(folder / "result.json", "it is of other training reviews")
    return Training(folder, config, result)


def history(folder: pathlib.Path) -> list[Epoch]:
    """The epochs of a training; ``UserError`` where their file is damaged."""
    with refusing(folder / METRICS):
        return files.read_lines(folder / METRICS, Epoch)


_UNPACKING = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, MemoryError)
_DAMAGE = (OSError, ValueError, KeyError, RecursionError, *_UNPACKING)


@contextlib.contextmanager
def refusing(path: pathlib.Path) -> Iterator[None]:
    """Inside, whatever a damaged file raises as it is read is a ``UserError`` that names it."""
    try:
        yield
    except _DAMAGE as error:
        raise files.damaged(path, getattr(error, "strerror", None) or error) from error
