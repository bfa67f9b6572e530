"""Trainings in a run folder: a recipe trained once per seed, measured and kept."""

import functools
import pathlib
from collections.abc import Callable, Iterator, Sequence

import jax

from rnnsent import console, contract, devices, epochs, processes, recipes
from rnnsent.data import Reviews
from rnnsent.errors import UserError
from rnnsent.recipes import Recipe
from rnnsent.runs import files, last, loading, reading
from rnnsent.runs.groups import Group
from rnnsent.runs.loading import Trained
from rnnsent.runs.reading import seed_folder
from rnnsent.runs.records import Config

Told = Callable[[Recipe, Sequence[int], epochs.Progress], None]
"""Told what the seeds of a recipe that are trained at once have come to, mean over them."""


def train(
    run: pathlib.Path,
    recipe: Recipe,
    seeds: Sequence[int],
    reviews: Reviews,
    *,
    implementation: str = "auto",
    progress: Told | None = None,
    every: int = 0,
    debug_nans: bool = False,
) -> list[Trained]:
    """Trains every seed of a recipe into a run folder; those it holds already are loaded.

    Everything follows from recipe, seed and data. A training that diverges is finished with the
    epoch in which it did, and the others go on; in which step is looked for and kept. One that was
    killed goes on from its last checkpoint, and comes to the same as if it had not been; only times
    differ.

    Args:
      run: the folder, opened.
      recipe: what is trained, and how.
      seeds: one training for each.
      reviews: trained and measured on. The test split is read when a fit has ended, never before.
      implementation: of the recurrence.
      progress: called every few steps.
      every: steps after which there is a checkpoint within an epoch, besides those at its end, or
        as soon after them as the program comes back; 0: none.
      debug_nans: run the step in which one diverges once more, op by op, to say where.

    Returns:
      The trainings in the order of the seeds; of several processes of one run only the first
      writes them, and the others get none.

    Raises:
      UserError: for what :func:`check` refuses too, but for a cell that breaks its contract.
    """
    check_same(run, recipe)
    missing = pending(run, recipe, seeds)
    rows = len(reviews.train)
    if missing and rows < recipe.batch_size:
        console.say(f"{recipe.title}: all {rows:,} training reviews are one batch.")
    if missing:
        devices.forget_programs()
    for begun, together in _groups(run, recipe, missing):
        group = Group.of(recipe, together, reviews, implementation, debug_nans)
        told = functools.partial(progress, recipe, together) if progress else None
        group.train(run, told, every, begun)
    if not processes.is_first():
        return []
    return [loading.load(seed_folder(run, recipe.folder, seed)) for seed in seeds]


def _groups(
    run: pathlib.Path, recipe: Recipe, missing: list[int]
) -> Iterator[tuple[last.Last | None, list[int]]]:
    """The seeds that are trained as one program, group by group, with the last checkpoint of each.

    First those that were begun, in the groups that they were begun in: rounding differs in another.
    What is left of finished ones goes.
    """
    missing = list(missing)
    for folder in sorted((run / recipe.folder).glob("seed-*")):
        begun = last.find(folder)
        seeds = [one.config.seed for one in begun.seeds] if begun else []
        left = set(pending(run, recipe, seeds))
        if left and left <= set(missing):
            missing = [seed for seed in missing if seed not in left]
            yield begun, seeds
        elif not left:
            last.remove(folder)
    count = seeds_together(len(missing))
    for start in range(0, len(missing), count):
        yield None, missing[start : start + count]


def seeds_together(seeds: int) -> int:
    """How many seeds one program trains: all on an accelerator; one on a CPU, whose cores are
    filled by the rows of one seed and work from their caches."""
    return 1 if jax.default_backend() == "cpu" else max(seeds, 1)


def pending(run: pathlib.Path, recipe: Recipe, seeds: Sequence[int]) -> list[int]:
    """The seeds that a run folder does not hold yet."""
    places = {seed: seed_folder(run, recipe.folder, seed) for seed in seeds}
    return [seed for seed, place in places.items() if not (place / "result.json").exists()]


def check(
    run: pathlib.Path | None, chosen: Sequence[Recipe], seeds: Sequence[int], num_words: int
) -> None:
    """Raises ``UserError`` if some of these recipes cannot be trained, before any of them is.

    What the folder holds of a recipe must be of the same recipe; a cell that is still to be
    trained must keep its contract, and what is trained already must be whole. No data is needed,
    and nothing is written.

    Args:
      run: the folder, if there is one yet.
      chosen: what is to be trained.
      seeds: one training of each recipe for each.
      num_words: size of the vocabulary.
    """
    for recipe in chosen:
        if run:
            check_same(run, recipe)
        missing = pending(run, recipe, seeds) if run else seeds
        for seed in seeds:
            if run and seed not in missing:
                loading.check(seed_folder(run, recipe.folder, seed))
        if missing:
            contract.check(recipe.classifier(num_words))
            recipe.work()


def check_same(run: pathlib.Path, recipe: Recipe) -> None:
    """Raises ``UserError`` if a finished seed was trained by another recipe of that name.

    Seeds that are not asked for count too: a name stands for one recipe in a folder. And the
    recipe is compared beside its digest, since a folder may come from anyone.
    """
    digest = recipes.digest(recipe)
    for seed in reading.seeds(run, recipe.folder):
        folder = seed_folder(run, recipe.folder, seed)
        held = files.read_json(folder / "config.json", Config, files.damaged)
        if held.digest != digest or held.recipe.fields() != recipe.fields():
            raise UserError(
                f"{folder} holds a training with {_difference(held.recipe, recipe)}. Rename the "
                "recipe, or choose another run folder."
            )


def _difference(held: Recipe, recipe: Recipe) -> str:
    old, new = held.fields(), recipe.fields()
    texts = [f"{name} {old[name]!r}, not {new[name]!r}" for name in old if old[name] != new[name]]
    return "; ".join(texts) or f"another source of the cell {recipe.cell} or what it imports"
