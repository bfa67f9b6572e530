"""How fast a training step and inference are: rnnsent, its peers, and the machine's limit.

Every subject does the same work on the same rows, in a process of its own, in turns with the
others; before the clock starts its logits and gradients are compared with a float64 reference.
"""

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.progress import Progress

from rnnsent import console, devices, provenance, runs
from rnnsent.benchmark import SUBJECTS, studies
from rnnsent.benchmark.measure import measure
from rnnsent.benchmark.record import Measured, Record, Settings, failures
from rnnsent.commandline import values
from rnnsent.config import Cells, DataOptions, Flag, Folder, check_redraw, cli
from rnnsent.data import Reviews
from rnnsent.report import benchmark as report
from rnnsent.runs.records import Provenance

Subjects = Annotated[
    tuple[Literal[tuple(SUBJECTS)], ...],
    tyro.conf.arg(
        metavar="NAME …",
        help=f"Who takes part: {', '.join(SUBJECTS)}; without it what the study needs.",
        help_behavior_hint="",
    ),
]


@dataclasses.dataclass(frozen=True)
class Options(DataOptions):
    """What to measure; the defaults take less than ten minutes on two cores."""

    study: Annotated[tuple[Literal[tuple(studies.STUDIES)], ...], values("STUDY")] = ("peers",)
    # Escaped line ends: the command line's help keeps the others.
    """peers: all subjects on the notebook's two models and a GRU. implementations: those of \
rnnsent's recurrence, on reviews of 132 and 512 steps. packing: real reviews of 132 and 512 steps, \
packed and not. steps, batch, features, seeds: the cost as it grows with the steps of time, the \
rows of a batch, the width of the layers, the models trained (one after another, and in one \
program). Several may be named."""
    cells: Cells = ()
    """Cells of the models: simple_rnn, lstm, gru or module:Class of your own; without it the \
notebook's two, in the study of peers a GRU too."""
    subjects: Subjects = ()
    rows: Literal["auto", "real", "full"] = "auto"
    """real: the reviews as they are, padded on the left, under the notebook's mask. full: reviews \
run together, so that all steps of a row are real and no peer needs a mask. auto: real for the \
peers, implementations and packing, full where a cost is followed as it grows."""
    batch: int = studies.BATCH
    """Rows in a step. Steps of time in a row: --maxlen."""
    rounds: int = 10
    """Samples of each subject."""
    seconds: float = 0.4
    """About how long a sample is, of one step or more."""
    quick: Flag = False
    """For a first impression in less than two minutes: two short samples of one subject of each \
library on the LSTM. --cells and --subjects still choose others."""
    trace: Flag = False
    """Also profile rnnsent's training step (jax.profiler) into the record's folder."""
    hlo: Flag = False
    """Also write rnnsent's training step, as XLA compiled it, into the record's folder."""
    out: pathlib.Path = pathlib.Path("runs")
    """Where the folder with the record goes."""
    redraw: Folder = None
    """Measure nothing: write the tables and figures of this record's folder anew."""

    def choice(self, folder: pathlib.Path | None = None) -> studies.Choice:
        """What is measured; profiles and programs go into the folder."""
        shared = {field.name for field in dataclasses.fields(studies.Choice)} & set(vars(self))
        own = {name: getattr(self, name) for name in shared - {"trace", "hlo"}}
        places = {name: folder and folder / name for name in ("trace", "hlo") if vars(self)[name]}
        return studies.Choice(**own, **places, steps=self.maxlen, vocab_size=self.num_words)

    def __post_init__(self):
        check_redraw(self)
        studies.check(self.study, self.choice())


def main(options: Options) -> None:
    """Times training and inference against Keras, PyTorch and Flax on the same work."""
    if options.redraw is not None:
        record = runs.read_record(options.redraw, Record)
        print(report.write(record, options.redraw))
        return
    devices.configure()
    reviews = options.load()
    folder = runs.new_folder(options.out, "benchmark")
    console.say(f"{reviews.provenance['title']}; record in {folder}")
    settings = Settings(*options.choice().taken)
    origin = Provenance.of(provenance.of(reviews))
    record = Record(origin=origin, settings=settings, cases=[])
    for measured in _measured(options, reviews, folder):
        record.cases.append(measured)
        runs.write_record(folder, record)
        text = report.write(runs.read_record(folder, Record), folder)
    print(text)
    console.say(f"record: {folder / record.FILE}")
    if failed := failures(record):
        raise SystemExit(console.steady("\n".join(failed)))


def _measured(options: Options, reviews: Reviews, folder: pathlib.Path) -> Iterator[Measured]:
    """The cases of all studies, measured, one by one."""
    choice = options.choice(folder)
    jobs = studies.jobs(options.study, choice)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=len(jobs))
        for number, job in enumerate(jobs, 1):

            def advance(doing, share, label=job.label):
                bar.update(task, advance=share, description=f"{label}: {doing}")

            rows = studies.rows_for(
                job.case, reviews, lambda n: dataclasses.replace(options, maxlen=n).load()
            )
            yield measure(job, rows, studies.plan(job, choice), advance)
            bar.update(task, completed=number)
            console.say(f"{job.label}: measured ({number} of {len(jobs)})")


if __name__ == "__main__":
    cli(main, Options)
