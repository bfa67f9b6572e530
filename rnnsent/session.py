"""How a script's run begins, what it tells meanwhile, and how it ends."""

import contextlib
import pathlib
from collections.abc import Iterator, Sequence

from rnnsent import console, processes, runs
from rnnsent.data import Reviews
from rnnsent.epochs import Progress
from rnnsent.recipes import Recipe
from rnnsent.report import terminal
from rnnsent.report.blocks import Block


def say_begun(folder: pathlib.Path, reviews: Reviews) -> None:
    """What a run rests on; and how to go on with it, where its folder is kept."""
    console.say(f"Data: {reviews.provenance['source']} — {reviews.provenance['title']}")
    if processes.is_first():
        console.say(f"If interrupted, go on with the same options and --run {folder}")


@contextlib.contextmanager
def progress(
    run: pathlib.Path, chosen: Sequence[Recipe], seeds: Sequence[int]
) -> Iterator[runs.Told | None]:
    """A bar over all trainings that a run folder does not hold yet; yields what `runs.train` calls.

    The work of an epoch is taken to be as the number of recurrent weights, of which there may be
    none. Of several processes only the first one tells.
    """
    missing = {recipe.folder: runs.pending(run, recipe, seeds) for recipe in chosen}
    work = {recipe.folder: max(1, recipe.work()) for recipe in chosen}
    if not any(missing.values()) or not processes.is_first():
        yield None
        return
    total = sum(work[folder] * len(seeds) for folder, seeds in missing.items())
    ended = 0.0
    running: tuple[tuple[str, tuple[int, ...]] | None, float] = (None, 0.0)

    def told(recipe: Recipe, seeds: Sequence[int], now: Progress) -> None:
        nonlocal ended, running
        group = recipe.folder, tuple(seeds)
        if begun := group != running[0]:
            ended, running = ended + running[1], (group, work[recipe.folder] * len(seeds))
        epochs = recipe.epochs * recipe.fits
        share = (now.epoch - 1 + now.step / now.steps) / epochs
        tell(ended + share * running[1], _line(recipe, seeds, now), now.ended, begun)

    with console.whole_progress(total) as tell:
        count = sum(map(len, missing.values()))
        console.say(f"To be trained: {count} of {len(chosen) * len(seeds)} trainings.")
        yield told


def _line(recipe: Recipe, seeds: Sequence[int], now: Progress) -> str:
    numbers = ", ".join(map(str, seeds))
    return (
        f"{recipe.title}, seed {numbers}, epoch {now.epoch}/{recipe.epochs * recipe.fits}: loss "
        f"{now.loss:.4f}, accuracy {now.accuracy:.4f}, {now.rows / now.seconds:,.0f} reviews/s"
    )


def conclude(
    blocks: Sequence[Block],
    folder: pathlib.Path,
    lost: str,
    page: str = "report.html",
    advice: str = "",
) -> None:
    """Shows a page that was written to a folder; ends with code 1 if a training was lost.

    Args:
      blocks: of the page.
      folder: that it is in.
      lost: which trainings, in words; empty where none was.
      page: its file.
      advice: what to try then, a sentence.
    """
    terminal.show(blocks)
    console.say(f"Everything is in {folder}; the report is {folder / page}")
    if lost:
        raise SystemExit(console.steady(f"error: {lost}. {advice}".rstrip()))
