"""One member of a sweep trained into the run folder, by whichever process is handed it.

What is handed over is a text: the recipe as JSON, seeds, and paths on a file system that all
processes see. What comes of it is in the folder, so a member that is handed over twice, or goes on
after its worker was killed, is trained once.
"""

import contextlib
import functools
import os
import pathlib
import time
from collections.abc import Iterator

import jax
import msgspec

from rnnsent import console, data, devices, locks, recipes, runs
from rnnsent.data import Encoding, Reviews
from rnnsent.errors import UserError
from rnnsent.recipes import Recipe
from rnnsent.sweep.plan import Plan


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the reviews of a run are found again.

    Attributes:
      source: as ``data.load`` takes it; what "auto" came to, not "auto".
      encoding: how they become ids.
      archive: absolute path, as the next two.
      word_index: likewise.
      data_dir: likewise.
      validation: share of the training reviews.
    """

    source: str
    encoding: Encoding
    archive: str | None
    word_index: str | None
    data_dir: str | None
    validation: float


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A member that is to be trained.

    Attributes:
      run: absolute path of the run folder, opened.
      recipe: of the member.
      digest: of the recipe; a worker with another source of a guest's cell has another one.
      seeds: one training for each.
      source: of the reviews.
      implementation: of the recurrence.
      devices: XLA devices on a CPU; one number of them everywhere makes the same results.
      every: steps after which a training is kept within an epoch too; 0: none.
      debug_nans: run the step in which one diverges once more, op by op.
    """

    run: str
    recipe: Recipe
    digest: str
    seeds: tuple[int, ...]
    source: Source
    implementation: str
    devices: int
    every: int = 0
    debug_nans: bool = False


def source(
    reviews: Reviews,
    archive: str | os.PathLike | None = None,
    word_index: str | os.PathLike | None = None,
    data_dir: str | os.PathLike | None = None,
) -> Source:
    """Where these reviews are found again, which were loaded from these places.

    Like ``data.load``, it looks into the environment, which a worker need not share.
    """
    held, environment = reviews.provenance, os.environ
    source = held["source"]
    if source == "imdb":
        archive = archive or environment.get("RNNSENT_IMDB_ARCHIVE")
    if source != "toy":
        word_index = word_index or environment.get("RNNSENT_IMDB_WORD_INDEX")
    return Source(
        source=source,
        encoding=reviews.encoding,
        archive=_whole(archive),
        word_index=_whole(word_index),
        data_dir=_whole(data_dir or os.environ.get("TFDS_DATA_DIR")),
        validation=held.get("validation", 0.0),
    )


def _whole(path: str | os.PathLike | None) -> str | None:
    return str(pathlib.Path(path).expanduser().absolute()) if path else None


def jobs(
    run: pathlib.Path,
    plan: Plan,
    source: Source,
    *,
    implementation: str = "auto",
    every: int = 0,
    debug_nans: bool = False,
) -> list[Job]:
    """What is left to do of a plan in a run folder; how, is as of ``runs.train``."""
    where = str(run.absolute())
    common = (source, implementation, jax.local_device_count(), every, debug_nans)
    left = ((member, runs.pending(run, member, plan.seeds)) for member in plan.members)
    return [
        Job(where, member, recipes.digest(member), tuple(seeds), *common)
        for member, seeds in left
        if seeds
    ]


def train(text: str) -> str:
    """Does the job in a JSON text; returns what the user is told if that cannot be, or nothing."""
    try:
        job = msgspec.json.decode(text, type=Job)
        devices.configure(job.devices)
        _train(job)
    except UserError as error:
        return f"{job.recipe.name}: {error}"
    except OSError as error:
        return f"{job.recipe.name}: {error.filename or job.run}: {error.strerror or error}."
    return ""


def _train(job: Job) -> None:
    run = pathlib.Path(job.run)
    if not (run / "config.json").is_file():
        raise UserError(f"a worker does not see {run}. It must be on a file system of all workers.")
    if recipes.digest(job.recipe) != job.digest:
        raise UserError(f"a worker has another source of the cell {job.recipe.cell}.")
    reviews = _reviews(job.source)
    held = runs.data_of(run)
    found = reviews.provenance
    if differs := [n for n in held if n != "reason" and held[n] != found.get(n)]:
        raise UserError(f"a worker has other reviews than {run}: {', '.join(differs)} differ.")
    with alone(run / job.recipe.folder):
        runs.train(
            run,
            job.recipe,
            job.seeds,
            reviews,
            implementation=job.implementation,
            every=job.every,
            debug_nans=job.debug_nans,
        )


@functools.lru_cache(maxsize=1)  # a worker trains many members on the same reviews
def _reviews(source: Source) -> Reviews:
    return data.load(
        source.source,
        source.encoding,
        archive=source.archive,
        word_index=source.word_index,
        data_dir=source.data_dir,
        validation=source.validation,
    )


@contextlib.contextmanager
def alone(folder: pathlib.Path, seconds: float = 1.0) -> Iterator[None]:
    """A member's folder for this process, after whoever has it.

    A scheduler may take a living worker for dead, and a worker may outlive the command that handed
    it the member. Once more is asked every so many seconds; the system frees what the dead held.
    """
    folder.mkdir(exist_ok=True)
    told = False
    while True:
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(locks.alone(folder))
            except UserError:
                if not told:
                    console.say(f"Another process trains in {folder}; this one waits for it.")
                told = True
                time.sleep(seconds)
                continue
            yield
            return
