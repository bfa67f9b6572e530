"""The whole story: the notebook's SimpleRNN and LSTM, as it trained them and trained soundly.

python -m experiments.compare                               four recipes, one seed
python -m experiments.compare --seeds 0 1 2                 with the spread over seeds
python -m experiments.compare --recipes sound-lstm my.toml  any recipes, yours among them
python -m experiments.compare --quick                       a tiny version, to see it work
python -m experiments.compare --run FOLDER                  go on where a run was interrupted
python -m experiments.compare --redraw FOLDER               a finished run's pages once more
python -m experiments.compare --from FOLDER                 a finished run repeated; code 1 unless
                                                            it came to the same, to the bit
"""

import dataclasses
import pathlib
from typing import Annotated

import tyro

from rnnsent import baseline, console, locks, processes, provenance, runs
from rnnsent.compare import entrants, measure, subjects
from rnnsent.compare.record import Record
from rnnsent.config import Cells, RunOptions, TrainOptions, check_repeat, cli
from rnnsent.report import compare as report
from rnnsent.report import nothing, repetition
from rnnsent.runs import repeats
from rnnsent.runs.records import Provenance
from rnnsent.session import conclude, progress, say_begun


@dataclasses.dataclass(frozen=True)
class Options(TrainOptions):
    """Options of the comparison."""

    from_: Annotated[
        pathlib.Path | None, tyro.conf.arg(name="from", metavar="FOLDER", help_behavior_hint="")
    ] = None
    """Repeat the trainings of this finished run, as they were, into a new run folder, and say \
whether they came to the same to the bit. Else the code is 1, and what is recorded otherwise is \
named; times are never compared."""
    from_cells: Cells = ()
    """Cells of that run that are no part of rnnsent, as module:Class; their modules are run."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_repeat(self, self.from_, self.from_cells)


def main(options: Options) -> None:
    """Trains recipes on the same reviews and reports how they differ."""
    if options.redraw:
        record = runs.read_record(options.redraw, Record)
        with locks.alone(options.redraw):
            _show(record, options.redraw)
        return
    options.start()
    if options.from_:
        _repeat(options, options.from_)
        return
    chosen = options.chosen()
    runs.check(options.run, chosen, options.seeds, options.encoding.num_words)
    reviews = options.load()
    made = provenance.of(reviews)
    with runs.open_folder(options.out, options.run, "compare", reviews, made) as folder:
        say_begun(folder, reviews)
        bag = baseline.bag_of_words(reviews)
        console.say(f"To compare with, the same words without their order: {bag:.2%} accuracy.")
        with progress(folder, chosen, options.seeds) as told:
            settings = options.training | {"progress": told}
            trained = [runs.train(folder, r, options.seeds, reviews, **settings) for r in chosen]
        if not processes.is_first():
            return
        every = [one for many in trained for one in many]
        if all(one.diverged for one in every):
            lost = f"{runs.diverged_text(every)}; nothing is left to report"
            drawn, advice = nothing.write(every, reviews.provenance, folder), runs.advice(every)
            conclude(drawn, folder, lost, advice=advice)
            return
        compared = subjects.finished(chosen, trained, reviews, options.implementation)
        parts = runs.origins([one.folder for one in every])
        record = measure.measure(compared, reviews, Provenance.of(made, parts), bag_of_words=bag)
        runs.write_record(folder, record)
        _show(record, folder)


def _repeat(options: Options, run: pathlib.Path) -> None:
    """Trains a run's trainings once more; ends with code 1 unless all came to the same."""
    groups = repeats.recorded(run, options.from_cells)
    for recipe, seeds, _ in groups:
        runs.check(options.run, [recipe], seeds, runs.data_of(run)["num_words"])
    reviews = RunOptions(run, options.archive, options.word_index, options.data_dir).reviews(run)
    made, compared = provenance.of(reviews), []
    with runs.open_folder(options.out, options.run, "compare", reviews, made) as folder:
        for recipe, seeds, implementation in groups:
            with progress(folder, [recipe], seeds) as told:
                settings = {"implementation": implementation, "progress": told}
                trained = runs.train(folder, recipe, seeds, reviews, **settings)
            compared += [repeats.compare(run, one) for one in trained]
        if not processes.is_first():
            return
        record = repeats.Repetition(
            origin=Provenance.of(made), run=str(run), repeats=tuple(compared)
        )
        runs.write_record(folder, record)
        lost = repetition.verdict(record) if record.others else ""
        conclude(repetition.write(record, folder), folder, lost, *repetition.ENDING)


def _show(record: Record, folder: pathlib.Path) -> None:
    lost = ", ".join(entrants.diverged(record.entrants))
    advice = entrants.advice(record.entrants)
    conclude(report.write(record, folder), folder, lost, advice=advice)


if __name__ == "__main__":
    cli(main, Options)
