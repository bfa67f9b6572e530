"""The test reviews, read once, for the recipe that a sweep has chosen.

That recipe is trained again, with the sweep's seeds, on all training reviews, those among them that
it was chosen on: what a sweep chooses is a recipe, no set of weights. Before the test reviews are
read, ``final.json`` is written with the choice and the time. From then on another choice is refused
in this folder; the same one goes on if it was interrupted, and else shows what is stored.
"""

import datetime
import pathlib
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from rnnsent import evaluation, provenance, recipes, runs
from rnnsent.data import Reviews
from rnnsent.errors import UserError
from rnnsent.evaluation import Spread
from rnnsent.recipes import Recipe
from rnnsent.runs import files
from rnnsent.runs.records import Part
from rnnsent.sweep.record import Record

NAME = "final.json"
"""The file in a sweep's folder."""

FOLDER = "final"
"""The run folder of the trainings, in the sweep's."""


class Tested(Part, frozen=True, kw_only=True):
    """One seed on the test reviews; the figures are None where it diverged, in that epoch."""

    __test__ = False  # pytest takes classes of this name for its own

    seed: int
    accuracy: float | None
    loss: float | None
    diverged: int | None


class Final(Part, frozen=True, kw_only=True):
    """The choice, and what the test reviews say of it.

    Attributes:
      name: of the recipe.
      digest: of the recipe.
      seeds: each a training.
      opened: when the test reviews were opened for it, ISO 8601.
      title: of the data, once they were read.
      test_title: what the accuracy is called.
      tested: per seed; empty until all are trained.
    """

    name: str
    digest: str
    seeds: Annotated[tuple[int, ...], Meta(min_length=1)]
    opened: str
    title: str = ""
    test_title: str = ""
    tested: tuple[Tested, ...] = ()

    @property
    def accuracy(self) -> Spread | None:
        """Over the seeds that did not diverge; None without one."""
        values = [one.accuracy for one in self.tested if one.accuracy is not None]
        return evaluation.spread(values) if values else None


def read(folder: pathlib.Path) -> Final | None:
    """What a sweep's folder says of the test reviews; None where they were not read for it."""
    path = folder / NAME
    return files.read_json(path, Final) if path.exists() else None


def chosen(record: Record) -> Recipe:
    """The recipe of rank 1.

    Raises:
      UserError: if none has a rank.
    """
    if not record.ranked:
        raise UserError("Every member has a training that diverged, so none is chosen.")
    best = record.ranked[0]
    return msgspec.convert({"name": best.name, **best.fields}, Recipe)


def check(folder: pathlib.Path, recipe: Recipe, seeds: tuple[int, ...]) -> Final | None:
    """What is stored of this choice, if anything.

    Raises:
      UserError: if the test reviews were read for another one.
    """
    held = read(folder)
    if held and (held.digest, held.seeds) != (recipes.digest(recipe), seeds):
        raise UserError(
            f"The test reviews were opened on {held.opened} for {held.name} with seeds "
            f"{_numbers(held.seeds)}; {recipe.name} with seeds {_numbers(seeds)} is another "
            "choice, which they would have had a part in. Leave out --final."
        )
    return held


def _numbers(seeds: tuple[int, ...]) -> str:
    return ", ".join(map(str, seeds))


Train = Callable[[pathlib.Path, Sequence[Recipe], Sequence[int], Reviews], None]


def read_test(
    folder: pathlib.Path, record: Record, load: Callable[[], Reviews], train: Train
) -> Final:
    """The chosen recipe on the test reviews: trained and measured, or as it is stored.

    Args:
      folder: of the sweep, held by this process.
      record: of the sweep.
      load: the reviews with the test split; called at most once, after the choice is written down.
      train: trains the seeds of recipes into a run folder.

    Raises:
      UserError: if they were read for another choice, or cannot be had; then nothing is left.
    """
    recipe, seeds = chosen(record), record.seeds
    held = check(folder, recipe, seeds)
    if held and held.tested:
        return held
    begun = held or _begin(folder, recipe, seeds)
    try:
        reviews = load()
    except UserError:
        if held is None:  # nothing was read
            (folder / NAME).unlink()
        raise
    place, made = folder / FOLDER, provenance.of(reviews)
    with runs.open_folder(folder, place, "sweep-final", reviews, made) as opened:
        train(opened, [recipe], seeds, reviews)
    trained = [runs.read(runs.seed_folder(place, recipe.folder, seed)) for seed in seeds]
    done = msgspec.structs.replace(
        begun,
        title=reviews.provenance["title"],
        test_title=reviews.provenance["test_title"],
        tested=tuple(map(_tested, trained)),
    )
    files.write_json(folder / NAME, done)
    return done


def _begin(folder: pathlib.Path, recipe: Recipe, seeds: tuple[int, ...]) -> Final:
    """Writes the choice down."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    begun = Final(name=recipe.name, digest=recipes.digest(recipe), seeds=seeds, opened=now)
    files.write_json(folder / NAME, begun)
    return begun


def _tested(one: runs.Training) -> Tested:
    if one.diverged is not None:
        return Tested(seed=one.seed, accuracy=None, loss=None, diverged=one.diverged)
    final = one.result.final
    return Tested(seed=one.seed, accuracy=final.test_accuracy, loss=final.test_loss, diverged=None)
