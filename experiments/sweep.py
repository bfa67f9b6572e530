"""Many recipes made of one: every combination of some values, or draws, each over seeds.

python -m experiments.sweep SWEEP.toml                       one after another, in this process
python -m experiments.sweep SWEEP.toml --scheduler local:2   in two processes of this machine
python -m experiments.sweep SWEEP.toml --scheduler ADDRESS   on the workers of a Dask scheduler
python -m experiments.sweep SWEEP.toml --run FOLDER          go on where a sweep was interrupted
python -m experiments.sweep SWEEP.toml --run FOLDER --final  the best on the test reviews, once
python -m experiments.sweep --redraw FOLDER                  a finished sweep's pages once more

Members are ranked on a part of the training reviews that is held out (--validation).
"""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence
from typing import Annotated

import tyro

from rnnsent import commandline, devices, locks, provenance, runs
from rnnsent.config import DataOptions, File, Flag, KeepOptions, check_redraw, cli, require
from rnnsent.data import Reviews
from rnnsent.recipes import Recipe
from rnnsent.report import sweep as report
from rnnsent.report.blocks import Block
from rnnsent.session import conclude, progress, say_begun
from rnnsent.sweep import cluster, final, measure, plan, tables, work
from rnnsent.sweep.record import Record


@dataclasses.dataclass(frozen=True)
class Options(KeepOptions):
    """Options of the sweep."""

    sweep: tyro.conf.Positional[Annotated[File, commandline.value("[SWEEP.toml]")]] = None
    """TOML file that says which recipes."""
    validation: float = 0.2
    """Share of the training reviews, their last ones, that members are ranked on."""
    scheduler: Annotated[str | None, commandline.value("WHO")] = None
    """Who trains: local:2 for two processes of this machine, the address of a Dask scheduler, or \
the JSON file that it wrote. Without it, this process."""
    final: Flag = False
    """Train the best recipe on all training reviews and read the test reviews for it, once."""

    def __post_init__(self) -> None:
        require(bool(self.sweep) != bool(self.redraw), "Give a sweep's TOML file, or --redraw.")
        check_redraw(self)
        require(self.validation > 0, "--validation must be above 0: a sweep chooses by that part.")
        super().__post_init__()
        if self.scheduler:
            cluster.check(self.scheduler)

    def whole(self, source: str) -> Reviews:
        """All training reviews of a source, and its test reviews."""
        held = {field.name: getattr(self, field.name) for field in dataclasses.fields(DataOptions)}
        return DataOptions(**held | {"data": source, "validation": 0.0}).load()

    def jobs(self, folder: pathlib.Path, planned: plan.Plan, reviews: Reviews) -> list[work.Job]:
        """What a run folder does not hold yet, for workers."""
        source = work.source(reviews, self.archive, self.word_index, self.data_dir)
        return work.jobs(folder, planned, source, **self.training)


def main(options: Options) -> None:
    """Trains recipes made of one and ranks them on held-out training reviews."""
    if options.redraw:
        record = runs.read_record(options.redraw, Record)
        with locks.alone(options.redraw):
            _show(_draw(record, options.redraw), record, options.redraw)
        return
    devices.configure()
    planned = plan.read(options.sweep)
    runs.check(options.run, planned.members, planned.seeds, options.encoding.num_words)
    reviews = options.load()
    made = provenance.of(reviews)
    with runs.open_folder(options.out, options.run, "sweep", reviews, made) as folder:
        say_begun(folder, reviews)
        if options.scheduler:
            cluster.train(options.scheduler, options.jobs(folder, planned, reviews))
        _here(options, folder, planned.members, planned.seeds, reviews)
        record = measure.measure(planned, folder, reviews.test.label_N, made)
        runs.write_record(folder, record)
        drawn = _draw(record, folder)
        if options.final:
            whole = functools.partial(options.whole, reviews.provenance["source"])
            final.read_test(folder, record, whole, functools.partial(_here, options))
            drawn = _draw(record, folder)
        _show(drawn, record, folder)


def _here(
    options: Options,
    folder: pathlib.Path,
    members: Sequence[Recipe],
    seeds: Sequence[int],
    reviews: Reviews,
) -> None:
    """Trains in this process what the folder does not hold yet."""
    with progress(folder, members, seeds) as told:
        for member in members:
            with work.alone(folder / member.folder):
                runs.train(folder, member, seeds, reviews, progress=told, **options.training)


def _draw(record: Record, folder: pathlib.Path) -> list[Block]:
    """The table and the pages."""
    tables.write(record, folder)
    return report.write(record, final.read(folder), folder)


def _show(drawn: list[Block], record: Record, folder: pathlib.Path) -> None:
    lost = not any(member.finished for member in record.members)
    conclude(drawn, folder, "every training diverged" if lost else "", advice=record.advice())


if __name__ == "__main__":
    cli(main, Options)
