"""How long a memory is: lengths that double until no seed solves one."""

import dataclasses
import math
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from rnnsent import devices, recipes, runs
from rnnsent.errors import UserError
from rnnsent.probe import train
from rnnsent.probe.entrants import Entrant, Settings
from rnnsent.probe.record import Length, Row, Seed, kept, place
from rnnsent.probe.tasks import SHORTEST


def lengths(limit: int) -> Iterator[int]:
    """Those tried, up to ``limit``."""
    length = SHORTEST
    while length <= limit:
        yield length
        length *= 2


class Work:
    """How much of a probe is done, as a share of what there is at most.

    The work of a step is taken to be as recurrent weights times steps of time. What an early end
    saves is no longer part of the whole, so the time left is what is left at most.
    """

    def __init__(
        self,
        chosen: Sequence[Entrant],
        tasks: Sequence[str],
        limit: int,
        steps: int,
        tell: Callable[[float, str, bool], None],
    ):
        self.left = {
            (one.name, task, length): float(one.weights() * length * steps)
            for one in chosen
            for task in tasks
            for length in lengths(limit)
        }
        self.done, self.steps, self.tell = 0.0, steps, tell

    def advanced(
        self, entrant: Entrant, task: str, length: int, steps: float, text: str, ended: bool
    ) -> None:
        """Told that the seeds have taken so many steps each, and whether they have ended there."""
        part = (entrant.name, task, length)
        now = entrant.weights() * length * steps
        left = 0.0 if ended else self.left[part] - now
        others = sum(work for name, work in self.left.items() if name != part)
        whole = self.done + now + left + others
        self.tell((self.done + now) / whole if whole else 1.0, text, ended)
        if ended:
            self.done, self.left[part] = self.done + now, 0.0

    def skipped(self, entrant: Entrant, task: str, after: int) -> None:
        """Told that no longer lengths of a task are tried."""
        for name, of, length in self.left:
            if (name, of) == (entrant.name, task) and length > after:
                self.left[name, of, length] = 0.0


@dataclasses.dataclass(frozen=True)
class Probe:
    """One probe on its way.

    Attributes:
      run: the folder, opened.
      settings: of all trainings.
      seeds: one training for each.
      limit: longest length tried.
      work: told how far it is.
    """

    run: pathlib.Path
    settings: Settings
    seeds: Sequence[int]
    limit: int
    work: Work

    def row(self, entrant: Entrant, tasks: Sequence[str]) -> Row:
        """A model over all tasks."""
        of = {task: tuple(self.follow(entrant, task)) for task in tasks}
        return Row(entrant.title, entrant.name, entrant.recipe.cell, of)

    def follow(self, entrant: Entrant, task: str) -> Iterator[Length]:
        """Growing lengths until no seed solves one; those that the folder holds are kept."""
        for length in lengths(self.limit):
            path = place(self.run, entrant.folder, task, length)
            found = kept(path, recipes.digest(entrant.recipe), self.seeds)
            if found is None:
                found = self.measure(entrant, task, length)
                path.parent.mkdir(exist_ok=True)
                runs.write_json(path, found)
            else:
                text = f"{entrant.title}, {task}, {length} steps: kept"
                self.work.advanced(entrant, task, length, 0, text, True)
            yield found
            if not found.solved:
                self.work.skipped(entrant, task, length)
                return

    def measure(self, entrant: Entrant, task: str, length: int) -> Length:
        """Trains all seeds on a task of a length and looks at their gradients."""
        started, count = time.perf_counter(), len(self.seeds)
        where = f"{entrant.title}, {task}, {length} steps"
        trial = entrant.trial(task, length, self.settings)
        devices.forget_programs()
        try:
            states = train.create_states(trial, self.seeds)
        except ValueError as error:  # for example an identity that is not square
            raise UserError(f"{entrant.name}: {error}.") from error
        fresh_S = np.asarray(train.reached(states, trial=trial))
        mean_steps = 0.0

        def told(seeds: int, taken: int, score: float) -> None:
            nonlocal mean_steps
            mean_steps += self.settings.every * seeds / count
            text = f"{where}: {seeds} seeds at step {taken:,}, score {score:.3f}"
            self.work.advanced(entrant, task, length, mean_steps, text, False)

        states, ended = train.fit(trial, states, count, self.settings.steps, told)
        trained_S = np.asarray(train.reached(states, trial=trial))
        seeds = tuple(
            _seed(*one)
            for one in zip(self.seeds, *ended, fresh_S[:count], trained_S[:count], strict=True)
        )
        digest = recipes.digest(entrant.recipe)
        found = Length(digest, task, length, time.perf_counter() - started, seeds)
        text = f"{where}: solved by {found.solved} of {count} seeds"
        self.work.advanced(entrant, task, length, mean_steps, text, True)
        return found


def _seed(
    seed: int,
    steps: int,
    loss: float,
    score: float,
    solved: bool,
    diverged: bool,
    fresh: float,
    trained: float,
) -> Seed:
    return Seed(
        seed=seed,
        steps=int(steps),
        loss=_number(loss),
        score=_number(score),
        solved=bool(solved),
        diverged=bool(diverged),
        fresh=_number(fresh),
        trained=_number(trained),
    )


def _number(value: float) -> float | None:
    """To what a table can show; None where it is not finite."""
    return float(f"{value:.5g}") if math.isfinite(value) else None
