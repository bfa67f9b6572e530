"""The whole story: the notebook's SimpleRNN and LSTM, as it trained them and trained soundly.

python -m experiments.compare                               four recipes, one seed
python -m experiments.compare --seeds 0 1 2                 with the spread over seeds
python -m experiments.compare --recipes sound-lstm my.toml  any recipes, yours among them
python -m experiments.compare --quick                       a tiny version, to see it work
python -m experiments.compare --run FOLDER                  go on where a run was interrupted
python -m experiments.compare --redraw FOLDER               a finished run's pages once more
"""

import dataclasses
import pathlib

from rnnsent import baseline, console, locks, processes, provenance, runs
from rnnsent.compare import entrants, measure, subjects
from rnnsent.compare.record import Record
from rnnsent.config import TrainOptions, cli, conclude, progress
from rnnsent.report import compare as report
from rnnsent.report import nothing
from rnnsent.runs.records import Provenance


@dataclasses.dataclass(frozen=True)
class Options(TrainOptions):
    """Options of the comparison."""


def main(options: Options) -> None:
    """Trains recipes on the same reviews and reports how they differ."""
    if options.redraw:
        record = runs.read_record(options.redraw, Record)
        with locks.alone(options.redraw):
            _show(record, options.redraw)
        return
    options.start()
    chosen = options.chosen()
    runs.check(options.run, chosen, options.seeds, options.encoding.num_words)
    reviews = options.load()
    made = provenance.of(reviews)
    with runs.open_folder(options.out, options.run, "compare", reviews, made) as folder:
        console.say(f"Data: {reviews.provenance['source']} — {reviews.provenance['title']}")
        if processes.is_first():
            console.say(f"If interrupted, go on with the same options and --run {folder}")
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
            conclude(nothing.write(every, reviews.provenance, folder), folder, lost)
            return
        compared = subjects.finished(chosen, trained, reviews, options.implementation)
        parts = runs.origins([one.folder for one in every])
        record = measure.measure(compared, reviews, Provenance.of(made, parts), bag_of_words=bag)
        runs.write_record(folder, record)
        _show(record, folder)


def _show(record: Record, folder: pathlib.Path) -> None:
    lost = ", ".join(entrants.diverged(record.entrants))
    conclude(report.write(record, folder), folder, lost)


if __name__ == "__main__":
    cli(main, Options)
