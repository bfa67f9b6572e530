"""The notebook's claims, each put to the test over seeds and all test reviews.

python -m experiments.claims                      five trainings per seed, five seeds, and the sound
python -m experiments.claims --recipes my.toml    with recipes of your own beside them
python -m experiments.claims --run FOLDER         go on where a run was interrupted
python -m experiments.claims --redraw FOLDER      the pages of a finished run once more

In the folder of a comparison with the same options, its trainings are taken over, not repeated.
"""

import dataclasses
import pathlib

from rnnsent import locks, processes, provenance, runs
from rnnsent.claims import conditions, experiment
from rnnsent.claims.record import Record
from rnnsent.config import Recipes, Seeds, TrainOptions, cli
from rnnsent.report import claims as report
from rnnsent.report import nothing
from rnnsent.runs.records import Provenance
from rnnsent.session import conclude, progress, say_begun


@dataclasses.dataclass(frozen=True)
class Options(TrainOptions):
    """Options of the claims."""

    recipes: Recipes = ("sound-simple-rnn", "sound-lstm")
    """Shown beside the conditions that the criteria are about: shipped recipes by name, or TOML \
files of your own."""
    seeds: Seeds = (0, 1, 2, 3, 4)
    """One training of each condition per seed; everything random follows from it."""

    def __post_init__(self) -> None:
        conditions.check(self.changes)
        super().__post_init__()


def main(options: Options) -> None:
    """Tests the notebook's claims about why its SimpleRNN and its LSTM differ."""
    if options.redraw:
        record = runs.read_record(options.redraw, Record)
        with locks.alone(options.redraw):
            _show(record, options.redraw)
        return
    options.start()
    plan = conditions.planned(options.chosen(conditions.BASES), options.chosen())
    chosen = [one.recipe for one in plan.values()]
    runs.check(options.run, chosen, options.seeds, options.encoding.num_words)
    reviews = options.load()
    made = provenance.of(reviews)
    with runs.open_folder(options.out, options.run, "claims", reviews, made) as folder:
        say_begun(folder, reviews)
        with progress(folder, chosen, options.seeds) as told:
            settings = options.training | {"progress": told}
            trained = {
                name: runs.train(folder, one.recipe, options.seeds, reviews, **settings)
                for name, one in plan.items()
            }
        if not processes.is_first():
            return
        origin = Provenance.of(made)
        record = experiment.look(
            plan, trained, options.seeds, reviews, origin, options.implementation
        )
        if record is None:
            every = [one for many in trained.values() for one in many]
            lost = f"{runs.diverged_text(every)}; nothing is left to report"
            place = (folder / Record.FILE).parent
            drawn, advice = nothing.write(every, reviews.provenance, place), runs.advice(every)
            conclude(drawn, place, lost, advice=advice)
            return
        runs.write_record(folder, record)
        _show(record, folder)


def _show(record: Record, folder: pathlib.Path) -> None:
    place = (folder / record.FILE).parent
    conclude(report.write(record, place), place, record.lost, advice=record.advice)


if __name__ == "__main__":
    cli(main, Options)
