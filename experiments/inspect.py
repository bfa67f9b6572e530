"""One review as both models read it: words tinted by attribution, trajectories, a plain remark.

python -m experiments.inspect runs/compare-… --review 18037
python -m experiments.inspect runs/compare-… --text "a wonderful film"
"""

import dataclasses
import pathlib

import numpy as np

from rnnsent import console, data, devices, runs
from rnnsent.config import RunOptions, cli, require
from rnnsent.report import cards, page
from rnnsent.report.markdown import escape


@dataclasses.dataclass(frozen=True)
class Options(RunOptions):
    """Options of the inspection; one of --review and --text is needed."""

    review: int | None = None
    """Row of the run's test reviews, from 0."""
    text: str | None = None
    """A review of your own, in quotes."""
    seed: int | None = None
    """Which seed's models read it (default: the first that all of them have)."""
    models: tuple[str, ...] = ("simple_rnn", "lstm")
    """One or two of the run's models, by the names of their folders; in a run of the claims those
    are its conditions, simple_rnn-plain for example."""
    out: pathlib.Path | None = None
    """Where the page goes (default: into the run folder)."""

    def __post_init__(self):
        one = (self.review is None) != (self.text is None)
        require(one, "Give either --review with a row of the test reviews or --text with words.")
        require(1 <= len(self.models) <= 2, "--models takes one or two names.")


def main(options: Options) -> None:
    """Shows how a run's models read one review; writes a page and prints the remark."""
    devices.configure()
    folder = options.folder()
    seed = _seed(folder, options)
    name, truth, ids_T, vocabulary = _review(folder, options)
    words = cards.words(vocabulary, ids_T)
    require(bool(words), "No known word is left of the review. Give a text with words in English.")
    readings = []
    for model in options.models:
        config, _, params = runs.load_params(folder, model, seed)
        title = runs.read_json(runs.seed_folder(folder, model, seed) / "result.json")["title"]
        readings.append(cards.read(title, config, params, ids_T))
    card = cards.card(1, name, truth, words, readings)
    source = runs.read_json(folder / "provenance.json")["data"]
    of = f"Models of {escape(folder.name)}, seed {seed}; {escape(source['title'])}."
    text = f"# {name}\n\n{of}\n\n{page.CARDS}\n"
    path = options.out or folder / f"{name.replace(' ', '-')}.html"
    try:
        path.write_text(page.render(name, text, folder, [card]), encoding="utf-8")
    except OSError as error:
        require(False, f"Cannot write {path}: {error.strerror}. Choose another place with --out.")
    print(f"{name} ({card.facts})")
    for model in card.models:
        print(f"{model.title}: {model.said}")
    print(card.remark)
    console.say(f"The page is {path}")


def _seed(folder: pathlib.Path, options: Options) -> int:
    """The seed asked for, or the first that all models have, and with numbers if there is one."""
    held = [set(runs.seeds(folder, model)) for model in options.models]
    common = set.intersection(*held)
    names = " and ".join(options.models)
    there = sorted({path.parents[1].name for path in folder.glob("*/seed-*/result.json")})
    require(
        bool(common),
        f"{folder} holds no finished seed of {names}; it has {', '.join(there) or 'no model'}.",
    )
    lost = {s for s in common if any(runs.diverged(folder, m, s) for m in options.models)}
    seed = min(common - lost or common) if options.seed is None else options.seed
    require(seed in common, f"{folder} holds no seed {seed} of {names}; it has {sorted(common)}.")
    return seed


def _review(
    folder: pathlib.Path, options: Options
) -> tuple[str, int | None, np.ndarray, data.Vocabulary]:
    """Name, label where known, ids (T,) and vocabulary of what is to be read."""
    if options.text is not None:
        vocabulary, encoding = runs.load_vocabulary(folder)
        return (
            "your review",
            None,
            data.encode_text(options.text, vocabulary, encoding)[0],
            vocabulary,
        )
    reviews = options.reviews(folder)
    test, row = reviews.test, options.review
    rows = len(test.names)
    require(0 <= row < rows, f"--review is {row}; the run has test reviews 0 to {rows - 1:,}.")
    return f"test review {row}", int(test.label_N[row]), test.ids_NT[row], reviews.vocabulary


if __name__ == "__main__":
    cli(main, Options)
