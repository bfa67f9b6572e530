"""One review as two models read it: words tinted by attribution, trajectories, a plain remark.

python -m experiments.inspect runs/compare-… --review 18037
python -m experiments.inspect runs/compare-… --text "a wonderful film"
"""

import sys

if __name__ == "inspect":  # a script beside this one was given by its path
    print("error: give python -m experiments.NAME, not the path of the file.", file=sys.stderr)
    sys.exit(2)

import dataclasses
import pathlib
from typing import Annotated

import numpy as np

from rnnsent import console, data, devices, readings, runs
from rnnsent.commandline import value
from rnnsent.config import File, RunOptions, cli, require
from rnnsent.report import cards, page
from rnnsent.report.blocks import Cards, Heading, Paragraph, shown

SOUND = ("sound-simple-rnn", "sound-lstm")
"""What is shown where a run has both."""


@dataclasses.dataclass(frozen=True)
class Options(RunOptions):
    """Options of the inspection; one of --review and --text is needed."""

    review: Annotated[int | None, value("INT")] = None
    """Row of the run's test (or validation) reviews, from 0."""
    text: Annotated[str | None, value("TEXT")] = None
    """A review of your own, in quotes."""
    seed: Annotated[int | None, value("INT")] = None
    """Which seed's models read it; without it the first that all of them have."""
    recipes: Annotated[tuple[str, ...], value("RECIPE …")] = ()
    """One or two of the run's recipes; without it the two sound ones, else its first two."""
    out: File = None
    """Where the page goes; without it into the run folder."""

    def __post_init__(self):
        one = (self.review is None) != (self.text is None)
        require(one, "Give either --review with a row of the test reviews or --text with words.")
        require(len(self.recipes) <= 2, "--recipes takes one or two names.")


def main(options: Options) -> None:
    """Shows how two models of a run read one review, --review or --text, on a page and in words."""
    devices.configure()
    folder = options.folder()
    trainings = _chosen(_read(folder, options), options)
    name, truth, ids_T, vocabulary = _review(folder, options)
    words = readings.words(vocabulary, ids_T)
    require(bool(words), "No known word is left of the review. Give a text with words in English.")
    read = []
    for training in trainings:
        how = options.cell, options.implementation, options.best
        model, _, params = runs.restore(training, *how)
        read.append(readings.read(training.title, model, params, ids_T))
    card = cards.card(1, name, truth, words, read)
    place = options.out
    require(not (place and place.is_dir()), f"{place} is a folder. Give a file's name with --out.")
    path = place or folder / f"{name.replace(' ', '-')}.html"
    _write(path, card, folder, trainings[0].seed)
    said = [f"{name} ({card.facts})", *(f"{model.title}: {model.said}" for model in card.models)]
    print(*(shown(line) for line in (*said, card.remark)), sep="\n")
    console.say(f"The page is {path}")


def _write(path: pathlib.Path, card: cards.Card, folder: pathlib.Path, seed: int) -> None:
    """The page."""
    source = runs.data_of(folder)
    about = Paragraph(f"Models of {folder.name}, seed {seed}; {source['title']}.")
    html = page.render([Heading(1, card.name), about, Cards([card])], card.name, folder)
    try:
        page.replace(path, html.encode("utf-8"))
    except OSError as error:
        require(False, f"Cannot write {path}: {error.strerror}. Choose another place with --out.")


def _read(folder: pathlib.Path, options: Options) -> list[runs.Training]:
    """The run's trainings; what was not asked for by name is left out if it cannot be trusted."""
    found = runs.readable(folder)
    if not options.recipes:
        return runs.trusted(found, options.cell)
    runs.check_named(found, options.cell)
    return found


def _chosen(trainings: list[runs.Training], options: Options) -> list[runs.Training]:
    """One training of each recipe asked for, all of the same seed."""
    by_name: dict[str, dict[int, runs.Training]] = {}
    for training in trainings:
        by_name.setdefault(training.recipe.name, {})[training.seed] = training
    default = SOUND if set(SOUND) <= by_name.keys() else tuple(by_name)[:2]
    names = options.recipes or default
    unknown = [name for name in names if name not in by_name]
    there = f"the run has {', '.join(by_name)}"
    require(not unknown, f"There is no finished recipe {', '.join(unknown)}; {there}.")
    common = sorted(set.intersection(*(set(by_name[name]) for name in names)))
    require(bool(common), f"No seed is finished of all of {', '.join(names)}.")
    seed = common[0] if options.seed is None else options.seed
    require(seed in common, f"There is no seed {seed} of {', '.join(names)}; there is {common}.")
    return [by_name[name][seed] for name in names]


def _review(
    folder: pathlib.Path, options: Options
) -> tuple[str, int | None, np.ndarray, data.Vocabulary]:
    """Name, label where known, ids (T,) and vocabulary of what is to be read."""
    if options.text is not None:
        vocabulary, encoding = runs.load_vocabulary(folder)
        ids_1T = data.encode_text(options.text, vocabulary, encoding)
        return "your review", None, ids_1T[0], vocabulary
    reviews = options.reviews(folder)
    test, row = reviews.test, options.review
    rows, kind = len(test), reviews.measured
    require(0 <= row < rows, f"--review is {row}; the run has {kind} reviews 0 to {rows - 1:,}.")
    return f"{kind} review {row}", int(test.label_N[row]), test.ids_NT[row], reviews.vocabulary


if __name__ == "__main__":
    cli(main, Options)
