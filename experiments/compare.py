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

from rnnsent import baseline, console, devices, provenance, runs
from rnnsent.compare import measure
from rnnsent.compare import record as records
from rnnsent.config import TrainOptions, cli, progress
from rnnsent.report import compare as report
from rnnsent.report import terminal


@dataclasses.dataclass(frozen=True)
class Options(TrainOptions):
    """Options of the comparison."""


def main(options: Options) -> None:
    """Trains recipes on the same reviews and reports how they differ."""
    folder = options.redraw or _run(options)
    record = records.read(folder)
    terminal.show(report.write(record, folder))
    console.say(f"Everything is in {folder}; the report is {folder / 'report.html'}")
    if lost := records.diverged(record.entrants):
        raise SystemExit(f"error: {', '.join(lost)}. {runs.ADVICE}")


def _run(options: Options) -> pathlib.Path:
    """Trains, measures and writes the record; returns the run's folder."""
    devices.configure()
    chosen, reviews = options.chosen(), options.load()
    made = provenance.of(reviews)
    with runs.open_folder(options.out, options.run, "compare", reviews, made) as folder:
        console.say(f"Data: {reviews.provenance['source']} — {reviews.provenance['title']}")
        console.say(f"If interrupted, go on with the same options and --run {folder}")
        runs.check(folder, chosen, options.seeds, reviews)
        bag = baseline.bag_of_words(reviews)
        console.say(f"To compare with, the same words without their order: {bag:.2%} accuracy.")
        with progress(folder, chosen, options.seeds) as told:
            settings = {"implementation": options.implementation, "progress": told}
            trained = [runs.train(folder, r, options.seeds, reviews, **settings) for r in chosen]
        _write(folder, chosen, trained, reviews, made, bag)
    return folder


def _write(folder, chosen, trained, reviews, made, bag) -> None:
    """Measures what was trained; ends with code 1 where all of it diverged."""
    if all(one.diverged for many in trained for one in many):
        lost = runs.diverged_text(one for many in trained for one in many)
        raise SystemExit(f"error: {lost}; nothing is left to report. {runs.ADVICE}")
    subjects = [measure.Subject.of(*of, reviews) for of in zip(chosen, trained, strict=True)]
    parts = runs.origins([one.folder for many in trained for one in many])
    origin = measure.origin(made, parts)
    records.write(measure.measure(subjects, reviews, origin, bag_of_words=bag), folder)


if __name__ == "__main__":
    cli(main, Options)
