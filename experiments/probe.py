"""What a cell remembers: small tasks whose answers lie far back, at growing lengths.

python -m experiments.probe                             six models, four tasks, five seeds
python -m experiments.probe --cells my_cells:MyCell     with a cell of your own, trained soundly
python -m experiments.probe --run FOLDER                go on where a probe was interrupted
python -m experiments.probe --redraw FOLDER             the pages of a finished probe once more
"""

import dataclasses
import pathlib
from typing import Annotated, Literal

from rnnsent import console, devices, locks, runs
from rnnsent.commandline import values
from rnnsent.config import (
    Flag,
    Folder,
    Recipes,
    Seeds,
    check_redraw,
    check_seeds,
    check_unique,
    cli,
    require,
)
from rnnsent.probe import entrants, experiment
from rnnsent.probe.entrants import Settings
from rnnsent.probe.record import Record, open_folder
from rnnsent.probe.tasks import SHORTEST, TASKS
from rnnsent.probe.train import EVERY
from rnnsent.report import probe as report
from rnnsent.session import conclude


@dataclasses.dataclass(frozen=True)
class Options:
    """What is probed, and for how long."""

    recipes: Recipes = ("notebook-simple-rnn", "sound-simple-rnn", "notebook-lstm")
    """Shipped recipes by name, or TOML files of your own: their cell, its start, recurrent \
dropout, optimizer, clipping and schedule."""
    cells: Annotated[tuple[str, ...], values("CELL")] = ("gru", "min_gru", "lru")
    """Cells by name or as module:Class, started as they start themselves and trained as \
sound-gru."""
    tasks: Annotated[tuple[Literal[tuple(TASKS)], ...], values("TASK")] = tuple(TASKS)
    """adding: the sum of two marked numbers. recall: four symbols after a delay. parity: whether \
the ones so far are odd. digits: real 8 x 8 digits, a pixel a step."""
    seeds: Seeds = (0, 1, 2, 3, 4)
    """One training of each model, task and length per seed."""
    longest: int = 128
    """No length beyond this one is tried; they are 8, 16, 32, …"""
    steps: int = 4000
    """Optimizer steps of a training at most, a multiple of 100; it ends when its task is solved."""
    batch: int = 32
    """Rows of a step, new ones in each."""
    features: Annotated[tuple[int, ...], values("INT")] = (64,)
    """Width of each recurrent layer, the lowest first."""
    quick: Flag = False
    """A tiny version: two tasks, two seeds, 16 units, 200 steps, the shortest length. Its numbers \
mean nothing."""
    out: pathlib.Path = pathlib.Path("runs")
    """Where run folders are made."""
    run: Folder = None
    """Go on with this run folder: what it holds already is not trained again."""
    redraw: Folder = None
    """Draw the pages of this run folder anew from its record, and compute nothing."""

    def __post_init__(self) -> None:
        check_redraw(self)
        check_unique("tasks", self.tasks)
        check_seeds(self.seeds)
        require(bool(self.recipes or self.cells), "Give --recipes or --cells.")
        require(self.longest >= SHORTEST, f"--longest must be {SHORTEST} or above.")
        require(self.batch >= 1, "--batch must be 1 or above.")
        whole = self.steps >= EVERY and self.steps % EVERY == 0
        require(whole, f"--steps must be a multiple of {EVERY}.")
        runs.check_place(self.out, self.run)

    def reduced(self) -> "Options":
        """These, or where ``quick`` what it makes of them."""
        if not self.quick:
            return self
        tiny = {"features": (16,), "steps": 200, "longest": SHORTEST}
        return dataclasses.replace(self, tasks=self.tasks[:2], seeds=self.seeds[:2], **tiny)


def main(options: Options) -> None:
    """Measures over what lengths recurrent cells learn to remember."""
    if options.redraw:
        record = runs.read_record(options.redraw, Record)
        with locks.alone(options.redraw):
            _show(record, options.redraw)
        return
    devices.configure()
    options = options.reduced()
    settings = Settings(options.features, options.batch, options.steps)
    chosen = entrants.entrants(options.recipes, options.cells, settings)
    entrants.check(chosen, options.tasks)
    with open_folder(options.out, options.run) as folder:
        console.say(f"If interrupted, go on with the same options and --run {folder}")
        record = experiment.run(
            folder, chosen, options.tasks, options.seeds, options.longest, settings
        )
        runs.write_record(folder, record)
        _show(record, folder)


def _show(record: Record, folder: pathlib.Path) -> None:
    conclude(report.write(record, folder), folder, lost="")


if __name__ == "__main__":
    cli(main, Options)
