"""The probe as data: what was trained and what came of it; pages are drawn from it alone."""

import contextlib
import pathlib
import statistics
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from rnnsent import locks, provenance, runs
from rnnsent.errors import UserError
from rnnsent.probe.tasks import TASKS
from rnnsent.runs import records
from rnnsent.runs.records import Origin, RunConfig


class Seed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One training on a task of one length; None stands for no finite number.

    Attributes:
      seed: that everything random in it follows from.
      steps: taken until it was solved, diverged, or time was up.
      loss: mean over the last steps before its end.
      score: at its end.
      solved: whether that is what counts as solved.
      diverged: whether the loss or the outputs ceased to be finite.
      fresh: share of the last answer's gradient that arrives at the first step, untrained.
      trained: likewise at its end.
    """

    seed: int
    steps: int
    loss: float | None
    score: float | None
    solved: bool
    diverged: bool
    fresh: float | None
    trained: float | None


class Length(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All seeds of a model on a task of one length, as a file of its own keeps them.

    Attributes:
      digest: of the recipe as it was trained here, see :func:`rnnsent.recipes.digest`.
      task: its name.
      length: T.
      seconds: of all seeds together, compilation included.
      seeds: in the order asked for.
      format: of the file.
    """

    digest: str
    task: str
    length: int
    seconds: float
    seeds: Annotated[tuple[Seed, ...], Meta(min_length=1)]
    format: int = records.FORMAT

    @property
    def solved(self) -> int:
        """How many seeds solved it."""
        return sum(one.solved for one in self.seeds)


class Longest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The longest length solved, over seeds; 0 where there is none.

    Attributes:
      each: per seed.
      cap: the longest length that was tried, where some seed solved it: for that seed it may be
        more. Else None.
    """

    each: tuple[int, ...]
    cap: int | None

    @property
    def median(self) -> int:
        """Over seeds; of an even number of them the lower one of the two in the middle."""
        return statistics.median_low(self.each)

    @property
    def span(self) -> tuple[int, int]:
        """The shortest and the longest of the seeds."""
        return min(self.each), max(self.each)


def longest(lengths: Sequence[Length]) -> Longest:
    """What the lengths of one model and task come to, in the order they were tried."""
    each = tuple(
        max((one.length if seed.solved else 0 for one, seed in tries), default=0)
        for tries in zip(*([(one, seed) for seed in one.seeds] for one in lengths), strict=True)
    )
    return Longest(each, lengths[-1].length if lengths[-1].solved else None)


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model over all tasks.

    Attributes:
      title: in texts and tables.
      recipe: name of its recipe, or of its cell.
      cell: name of its cell.
      tasks: by name of the task, the lengths tried, in this order.
    """

    title: str
    recipe: str
    cell: str
    tasks: dict[str, Annotated[tuple[Length, ...], Meta(min_length=1)]]


class Record(records.Whole, frozen=True, kw_only=True):
    """One probe.

    Attributes:
      origin: of the command that drew it up.
      seeds: of every training.
      features: width of each recurrent layer.
      batch: rows of a step.
      steps: at most.
      limit: longest length that would have been tried.
      rows: by name.
    """

    FILE: ClassVar[str] = "record.json"

    origin: Origin
    seeds: tuple[int, ...]
    features: tuple[int, ...]
    batch: int
    steps: int
    limit: int
    rows: dict[str, Row]

    def __post_init__(self) -> None:
        if unknown := [name for name in self.tasks() if name not in TASKS]:
            raise ValueError(f"there is no task {unknown[0]}")
        if any(list(row.tasks) != self.tasks() for row in self.rows.values()):
            raise ValueError("every row needs the same tasks")

    def tasks(self) -> list[str]:
        """Names of the tasks, in the order asked for."""
        return list(dict.fromkeys(task for row in self.rows.values() for task in row.tasks))

    def lost(self) -> list[str]:
        """Trainings that diverged, a line each."""
        return [
            f"{row.title}, {task}, {one.length} steps, seed {seed.seed}: diverged within "
            f"{seed.steps:,} steps"
            for row in self.rows.values()
            for task, lengths in row.tasks.items()
            for one in lengths
            for seed in one.seeds
            if seed.diverged
        ]


@contextlib.contextmanager
def open_folder(out: pathlib.Path, run: pathlib.Path | None) -> Iterator[pathlib.Path]:
    """The folder ``run``, or a new one under ``out``, for no other process meanwhile.

    Raises:
      UserError: if it cannot be written to, holds another experiment, or is another process's.
    """
    runs.check_place(out, run)
    folder = run or runs.new_folder(out, "probe")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locks.alone(folder):
            config = RunConfig("probe")
            if (folder / "config.json").exists():
                config = runs.read_json(folder / "config.json", RunConfig)
            if config.experiment != "probe":
                raise UserError(f"{folder} holds a run of {config.experiment}; choose another.")
            runs.write_json(folder / "config.json", config)
            runs.write_json(folder / "provenance.json", provenance.here())
            with runs.going_on(folder):
                yield folder
    except OSError as error:
        raise UserError(
            f"Cannot write to {folder}: {error.strerror}. Choose another folder."
        ) from error


def place(run: pathlib.Path, folder: str, task: str, length: int) -> pathlib.Path:
    """Where a run folder keeps one length of a recipe's folder."""
    return run / folder / f"{task}-{length}.json"


def kept(path: pathlib.Path, digest: str, seeds: Sequence[int]) -> Length | None:
    """One length as a run folder holds it, or None where it does not.

    Raises:
      UserError: if it is of another training, or cannot be read.
    """
    if not path.exists():
        return None
    held = runs.read_json(path, Length)
    if held.digest != digest or [one.seed for one in held.seeds] != list(seeds):
        raise UserError(
            f"{path} is of another recipe, width, batch, number of steps or seeds. Give the "
            "options it was made with, or leave out --run to start anew."
        )
    return held
