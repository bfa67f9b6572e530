"""Many recipes made of one: every combination of some values, or draws, each over seeds.

python -m experiments.sweep SWEEP.toml                         one after the other, in this process
python -m experiments.sweep SWEEP.toml --scheduler local:2     in two processes of this machine
python -m experiments.sweep SWEEP.toml --scheduler ADDRESS     on the workers of a Dask scheduler
python -m experiments.sweep SWEEP.toml --run FOLDER            go on where a sweep was interrupted
python -m experiments.sweep SWEEP.toml --run FOLDER --final    the best one on the test reviews, once
python -m experiments.sweep --redraw FOLDER                    a finished sweep's pages once more

Members are ranked on a part of the training reviews that is held out (--validation).
"""

import dataclasses
import functools
import pathlib

import tyro

from rnnsent import console, devices, locks, provenance, runs
from rnnsent.config import DataOptions, Implementation, cli, progress, require
from rnnsent.data import Reviews
from rnnsent.recipes import Recipe
from rnnsent.report import sweep as report
from rnnsent.report import terminal
from rnnsent.sweep import cluster, final, measure, plan, tables, work
from rnnsent.sweep import record as records


@dataclasses.dataclass(frozen=True)
class Options(DataOptions):
    """Options of the sweep."""

    sweep: tyro.conf.Positional[pathlib.Path | None] = None
    """TOML file that says which recipes."""
    validation: float = 0.2
    """Share of the training reviews, their last ones, that members are ranked on."""
    implementation: Implementation = "auto"  # type: ignore[valid-type]  # a table
    """Of the recurrence; auto: the fastest on this machine."""
    scheduler: str | None = None
    """Who trains: local:2 for two processes of this machine, the address of a Dask scheduler, or \
the JSON file that it wrote. Without it, this process."""
    final: bool = False
    """Train the best recipe on all training reviews and read the test reviews for it, once."""
    out: pathlib.Path = pathlib.Path("runs")
    """Where run folders are made."""
    run: pathlib.Path | None = None
    """Go on with this run folder: what it holds already is not trained again."""
    redraw: pathlib.Path | None = None
    """Draw the table and the pages of this run folder anew from its record, and compute nothing."""

    def __post_init__(self) -> None:
        require(bool(self.sweep) != bool(self.redraw), "Give a sweep's TOML file, or --redraw.")
        require(self.validation > 0, "--validation must be above 0: a sweep chooses by that part.")
        runs.check_place(self.out, self.run)
        if self.scheduler:
            cluster.check(self.scheduler)


def main(options: Options) -> None:
    """Trains recipes made of one and ranks them on held-out training reviews."""
    if options.redraw:
        record = records.read(options.redraw)
        with locks.alone(options.redraw):
            _show(record, options.redraw)
        return
    devices.configure()
    planned = plan.read(options.sweep)
    runs.check(options.run, planned.members, planned.seeds, options.encoding.num_words)
    reviews = options.load()
    made = provenance.of(reviews)
    with runs.open_folder(options.out, options.run, "sweep", reviews, made) as folder:
        console.say(f"Data: {reviews.provenance['source']} — {reviews.provenance['title']}")
        console.say(f"If interrupted, go on with the same options and --run {folder}")
        _train(options, planned, reviews, folder)
        record = measure.measure(planned, folder, reviews.test.label_N, made)
        records.write(record, folder)
        if options.final:
            load = dataclasses.replace(options, validation=0.0, final=False).load
            final.read_test(folder, record, load, functools.partial(_trained, options))
        _show(record, folder)


def _train(options: Options, planned: plan.Plan, reviews: Reviews, folder: pathlib.Path) -> None:
    """All members, here or on the scheduler's workers."""
    if options.scheduler:
        paths = options.archive, options.word_index, options.data_dir
        source = work.source(reviews, *paths)
        todo = work.jobs(folder, planned, source, options.implementation)
        cluster.train(options.scheduler, todo)
        return
    with progress(folder, planned.members, planned.seeds) as told:
        for member in planned.members:
            settings = {"implementation": options.implementation, "progress": told}
            runs.train(folder, member, planned.seeds, reviews, **settings)


def _trained(
    options: Options, folder: pathlib.Path, recipe: Recipe, seeds: tuple[int, ...], reviews: Reviews
) -> list[runs.Trained]:
    """The seeds of one recipe, here."""
    with progress(folder, [recipe], seeds) as told:
        settings = {"implementation": options.implementation, "progress": told}
        return runs.train(folder, recipe, seeds, reviews, **settings)


def _show(record: records.Record, folder: pathlib.Path) -> None:
    """Table and pages, and these on the terminal; ends with code 1 if nothing has finished."""
    tables.write(record, folder)
    terminal.show(report.write(record, final.read(folder), folder))
    console.say(f"Everything is in {folder}; the report is {folder / 'report.html'}")
    if not any(member.finished for member in record.members):
        raise SystemExit(f"error: every training diverged. {runs.ADVICE}")


if __name__ == "__main__":
    cli(main, Options)
