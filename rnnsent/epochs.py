"""Epochs on the host: steps dispatched one group after another, their totals read as they come."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from rnnsent.arrays import Array

STEPS_PER_DISPATCH = 7
"""About how many training steps go to the devices at once: enough to hide the dispatch, few enough
for the progress to move."""


class Totals(NamedTuple):
    """Weighted sums over reviews, divided once, by ``weight``."""

    loss: Array
    correct: Array
    weight: Array

    @classmethod
    def zero(cls) -> "Totals":
        return cls(*(jnp.zeros(()),) * 3)


@dataclasses.dataclass(frozen=True)
class Progress:
    """What a running epoch has come to.

    Attributes:
      epoch: its number, from 1, of ``epochs``.
      step: steps done, of ``steps``.
      loss: mean over the rows so far, in nats, with dropout on.
      accuracy: likewise, a share.
      rows: reviews so far.
      seconds: since the epoch began; of all seeds that train together.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float
    rows: int
    seconds: float

    @property
    def ended(self) -> bool:
        """Whether the epoch is over."""
        return self.step == self.steps


@dataclasses.dataclass(frozen=True)
class Position:
    """Where some trainings stand between two dispatches.

    Attributes:
      epoch: epochs behind them.
      step: steps of the next epoch that are done.
      sums: of these steps, every seed's loss, correct and weight; none at step 0.
      seconds: that these steps have taken.
    """

    epoch: int = 0
    step: int = 0
    sums: tuple[tuple[float, ...], ...] = ()
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class Keeping:
    """How trainings are kept while they run, so that one that was killed can go on.

    Attributes:
      due: asked between dispatches with the steps done in the epoch, and whether it has ended.
      save: where due, given the states and where they stand. It may end the run by raising.
      start: where the states stand that the run begins with; its epoch is theirs.
      begin: told, as an epoch begins or goes on, of the states and where they stand.
      ended: told, as an epoch has ended and before it is saved, of the states and of every seed's
        progress; what it does is in no epoch's time.
    """

    due: Callable[[int, bool], bool]
    save: Callable[[Any, Position], Any]
    start: Position = Position()
    begin: Callable[[Any, Position], Any] | None = None
    ended: Callable[[Any, list[Progress]], Any] | None = None


def mean(seeds: Sequence[Progress]) -> Progress:
    """That of trainings side by side as if they were one."""
    rows = sum(now.rows for now in seeds)
    loss = sum(now.loss * now.rows for now in seeds) / rows
    accuracy = sum(now.accuracy * now.rows for now in seeds) / rows
    return dataclasses.replace(seeds[0], loss=loss, accuracy=accuracy, rows=rows)


def run_epochs(
    order: Callable[[Any, int], Any],
    advance: Callable[[Any, Any, int, int], tuple[Any, Totals]],
    states: Any,
    epochs: range,
    steps: int,
    progress: Callable[[list[Progress]], Any] | None = None,
    keeping: Keeping | None = None,
) -> tuple[Any, list[list[Progress]]]:
    """Runs epochs of some steps each, reporting progress.

    Every epoch takes one ``order(states, epoch)``, which ``advance(states, order, start, stop)``
    trains on, some steps at a time. An epoch in which no seed's loss is finite is the last one, for
    no later step brings it back. ``progress`` is told of every seed, after some steps and as the
    epoch ends.

    Returns:
      The states after the last step and, per epoch, the progress of every seed at its end.
    """
    history = []
    start = keeping.start if keeping else Position()
    for epoch in epochs:
        if keeping and keeping.begin:
            keeping.begin(states, start)
        meter = _Meter(epoch + 1, epochs.stop, steps, progress, start)
        taken = order(states, epoch)
        for first in range(start.step, steps, STEPS_PER_DISPATCH):
            stop = min(first + STEPS_PER_DISPATCH, steps)
            states, totals = advance(states, taken, first, stop)
            meter.add(stop, totals)
            if keeping and stop < steps and keeping.due(stop, False):
                keeping.save(states, meter.position())
        start = Position(epoch + 1)
        history.append(meter.end())
        if keeping and keeping.ended:
            keeping.ended(states, history[-1])
        if keeping and keeping.due(steps, True):
            keeping.save(states, start)
        if not any(math.isfinite(now.loss) for now in history[-1]):
            break
    return states, history


class _Meter:
    """Running means of one epoch, read one dispatch late so that the devices never wait for us."""

    def __init__(
        self,
        epoch: int,
        epochs: int,
        steps: int,
        progress: Callable[[list[Progress]], Any] | None,
        start: Position,
    ):
        self.at: dict[str, Any] = {"epoch": epoch, "epochs": epochs, "steps": steps}
        self.progress = progress
        self.started = time.perf_counter() - start.seconds
        self.sums = [np.array(sums) for sums in start.sums] or [np.zeros(1)] * len(Totals._fields)
        self.pending: tuple[int, Totals] | None = None

    def add(self, step: int, totals: Totals) -> None:
        if self.pending:
            self._read()
        self.pending = (step, totals)

    def end(self) -> list[Progress]:
        return self._read()

    def position(self) -> Position:
        """After the steps that were added, for whose end it waits."""
        self._read()
        sums = tuple(tuple(each.tolist()) for each in self.sums)
        return Position(self.at["epoch"] - 1, self.at["step"], sums, self.at["seconds"])

    def _read(self) -> list[Progress]:
        assert self.pending is not None, "an epoch has at least one step"
        (step, totals), self.pending = self.pending, None
        new = [np.atleast_1d(np.asarray(total, float)) for total in totals]  # waits for the devices
        self.sums = [old + each for old, each in zip(self.sums, new, strict=True)]
        self.at |= {"step": step, "seconds": time.perf_counter() - self.started}
        seeds = [self._now(each) for each in zip(*self.sums, strict=True)]
        if self.progress:
            self.progress(seeds)
        return seeds

    def _now(self, sums: Iterable[Any]) -> Progress:
        loss, correct, weight = map(float, sums)
        return Progress(**self.at, loss=loss / weight, accuracy=correct / weight, rows=int(weight))
