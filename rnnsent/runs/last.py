"""The last checkpoint of trainings under way: all that they need to go on, in one commit.

In the folder of the first seed of those that are trained as one program: ``last.json``, and beside
it the folder of states that it names. The states are written first, into a folder of another name;
replacing ``last.json`` is the commit; then the states before go. So a process that is killed at any
moment leaves one checkpoint that is whole, or none yet, and nothing else that counts.
"""

import concurrent.futures
import contextlib
import math
import pathlib
import re
import shutil
from typing import Annotated

import jax
import msgspec
import optax

from rnnsent import checkpoints, console, processes, provenance
from rnnsent.epochs import Position
from rnnsent.errors import UserError
from rnnsent.model import SentimentClassifier
from rnnsent.runs import files
from rnnsent.runs.files import FORMAT
from rnnsent.runs.records import Config, Epoch, Measured, NonNegative, Positive, best
from rnnsent.training import TrainState

NAME = "last.json"
_STATES = "last-"
"""What the name of a folder of states begins with."""

Natural = Annotated[int, msgspec.Meta(ge=0)]


class Seed(msgspec.Struct, frozen=True):
    """One seed on its way.

    Attributes:
      config: all that it follows from besides the data.
      epochs: those that have ended. Where one of them is the best, the checkpoint holds its state.
      fits: measured so far.
      diverged: the epoch in which it ceased to be finite, if it did.
    """

    config: Config
    epochs: tuple[Epoch, ...] = ()
    fits: tuple[Measured, ...] = ()
    diverged: Positive | None = None

    @property
    def has_best(self) -> bool:
        """Whether an epoch was measured on reviews that are held out."""
        return best(self.epochs) is not None


class Last(msgspec.Struct, frozen=True):
    """``last.json``.

    Attributes:
      seeds: trained as one program, in this order.
      states: name of the folder with their states, and after these, in the same order, the best
        ones of those that have one.
      fit: fits that have ended and were measured.
      epoch: epochs behind them.
      step: steps of the next one.
      sums: of these steps; None is no number. See :class:`rnnsent.epochs.Position`.
      epoch_seconds: that these steps have taken.
      seconds: that all training has taken.
      machine: see :func:`machine`.
      format: of the run folder.
    """

    seeds: tuple[Seed, ...]
    states: str
    fit: Natural
    epoch: Natural
    step: Natural
    sums: tuple[tuple[float | None, ...], ...]
    epoch_seconds: NonNegative
    seconds: NonNegative
    machine: str
    format: int = FORMAT

    def __post_init__(self) -> None:
        if not self.seeds or not re.fullmatch(rf"{_STATES}[\d-]+", self.states):
            raise ValueError("no seeds, or states elsewhere")

    @property
    def position(self) -> Position:
        """Where the states stand."""
        sums = tuple(tuple(math.nan if x is None else x for x in one) for one in self.sums)
        return Position(self.epoch, self.step, sums, self.epoch_seconds)


def machine() -> str:
    """What the bits of a result depend on besides its recipe, seed and data."""
    name, count = provenance.device()["name"], jax.process_count()
    several = f" in {count} processes" if count > 1 else ""
    return f"{jax.device_count()} devices{several} of {name}, JAX {jax.__version__}"


class Saver:
    """Writes one checkpoint after another in the background; as a context, it waits for the last.

    Args:
      folder: of the first seed.
      every: steps after which there is one within an epoch; 0: none.
    """

    def __init__(self, folder: pathlib.Path, every: int):
        self.folder, self.every = folder, every
        self.saved = 0  # the step of this epoch at which one was begun
        self.pool = concurrent.futures.ThreadPoolExecutor(1)
        self.pending: concurrent.futures.Future | None = None

    def due(self, step: int, ended: bool) -> bool:
        """Whether there is to be one now; there is none while another is still being written,
        nor in a process whose folder ends with it."""
        saved, self.saved = self.saved, 0 if ended else self.saved
        if self.pending and not self.pending.done() or not processes.is_first():
            return False
        return ended or bool(self.every and step - saved >= self.every)

    def save(self, states: list[TrainState], last: Last) -> None:
        """Begins to write one; the states may be given away when this returns.

        Args:
          states: the last ones, then the best ones; see :class:`Last`.
          last: what is beside them.

        Raises:
          OSError: if this one or the one before cannot be written.
        """
        self.wait()
        self.saved = last.step
        finish = checkpoints.begin(self.folder / last.states, states)

        def commit() -> None:
            finish()
            files.write_json(self.folder / NAME, last)
            _sweep(self.folder, last.states)

        self.pending = self.pool.submit(commit)

    def wait(self) -> None:
        """Until all is written that was begun; an ``OSError`` where it cannot be."""
        pending, self.pending = self.pending, None
        if pending:
            pending.result()

    def __enter__(self) -> "Saver":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with contextlib.ExitStack() as after:
            after.callback(self.pool.shutdown)
            if kind:  # which is what is told
                after.enter_context(contextlib.suppress(Exception))
            self.wait()


def states_name(position: Position) -> str:
    """Of the folder of states at a position: another one than those before it."""
    return f"{_STATES}{position.epoch}-{position.step}"


def find(folder: pathlib.Path) -> Last | None:
    """The checkpoint in a seed's folder, or None; a line tells of one that cannot be read."""
    if not (folder / NAME).exists():
        return None
    try:
        return files.read_json(folder / NAME, Last, files.damaged)
    except UserError:
        console.say(f"{folder / NAME} cannot be read; what it was of is trained from its start.")
        return None


def restore(
    folder: pathlib.Path,
    last: Last,
    model: SentimentClassifier,
    optimizer: optax.GradientTransformation,
) -> list[tuple[TrainState, TrainState | None]]:
    """The last and the best state of each seed of a checkpoint, in their order.

    Raises:
      UserError: if they are not as they were written.
    """
    seeds = len(last.seeds)
    count = seeds + sum(one.has_best for one in last.seeds)
    states = checkpoints.restore_all(folder / last.states, model, optimizer, count)
    bests = iter(states[seeds:])
    own = (next(bests) if one.has_best else None for one in last.seeds)
    return list(zip(states[:seeds], own, strict=True))


def remove(folder: pathlib.Path) -> None:
    """Removes a checkpoint and whatever was left of others; ``last.json`` goes first."""
    (folder / NAME).unlink(missing_ok=True)
    _sweep(folder)


def _sweep(folder: pathlib.Path, kept: str | None = None) -> None:
    """Removes all states but these, those among them that were never finished."""
    for path in folder.glob(f"{_STATES}*"):
        if path.name in (kept, f"{kept}.json"):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
