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

from rnnsent import baseline, console, devices, locks, provenance, runs
from rnnsent.compare import entrants, measure, subjects
from rnnsent.compare.record import Record
from rnnsent.config import TrainOptions, cli, progress
from rnnsent.report import compare as report
from rnnsent.report import terminal
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
    devices.configure()
    chosen = options.chosen()
    runs.check(options.run, chosen, options.seeds, options.encoding.num_words)
    reviews = options.load()
    made = provenance.of(reviews)
    with runs.open_folder(options.out, options.run, "compare", reviews, made) as folder:
        console.say(f"Data: {reviews.provenance['source']} — {reviews.provenance['title']}")
        console.say(f"If interrupted, go on with the same options and --run {folder}")
        bag = baseline.bag_of_words(reviews)
        console.say(f"To compare with, the same words without their order: {bag:.2%} accuracy.")
        with progress(folder, chosen, options.seeds) as told:
            settings = {"implementation": options.implementation, "progress": told}
            trained = [runs.train(folder, r, options.seeds, reviews, **settings) for r in chosen]
        compared = subjects.finished(chosen, trained, reviews, options.implementation)
        parts = runs.origins([one.folder for many in trained for one in many])
        record = measure.measure(compared, reviews, Provenance.of(made, parts), bag_of_words=bag)
        runs.write_record(folder, record)
        _show(record, folder)


def _show(record: Record, folder: pathlib.Path) -> None:
    """The pages, and the same on the terminal; ends with code 1 if a training diverged."""
    terminal.show(report.write(record, folder))
    console.say(f"Everything is in {folder}; the report is {folder / 'report.html'}")
    if lost := entrants.diverged(record.entrants):
        raise SystemExit(f"error: {', '.join(lost)}. {runs.ADVICE}")


if __name__ == "__main__":
    cli(main, Options)
