"""What a run's models say of a new review.

python -m experiments.predict "a wonderful film"
"""

import dataclasses
import pathlib

import numpy as np
import tyro

from rnnsent import data, devices, evaluation, notebook, runs, training
from rnnsent.config import cli, require
from rnnsent.report import markdown


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of the prediction."""

    text: tyro.conf.Positional[str]
    """The review, in quotes."""
    run: pathlib.Path | None = None
    """Run folder of experiments.compare; without it the newest under runs/."""


def main(options: Options) -> None:
    """Prints each model's probability that a review is positive, with a run's trained models."""
    devices.configure()
    folder = options.run or runs.latest(pathlib.Path("runs"))
    vocabulary, encoding = runs.load_vocabulary(folder)
    ids_1T = data.encode_text(options.text, vocabulary, encoding)
    read = vocabulary.decode(ids_1T[0])
    require(bool(read), "No known word is left of the review. Give a text with words in English.")
    source = runs.data_of(folder)
    rows = _rows(folder, ids_1T)
    print(f"Trained on: {source['source']} — {source['title']} ({folder})\nRead as: {read}\n")
    print(markdown.table(("model", "probability of positive, by seed"), rows))


def _rows(folder: pathlib.Path, ids_1T: np.ndarray) -> list[tuple[str, str]]:
    said = {}
    for model, seed in runs.readable(folder, notebook.TITLES):
        value = _probability(folder, model, seed, ids_1T)
        said.setdefault(notebook.TITLES[model], []).append(f"{value:.3f}")
    return [(title, ", ".join(values)) for title, values in said.items()]


def _probability(folder: pathlib.Path, model: str, seed: int, ids_1T: np.ndarray) -> float:
    config, _, params = runs.load_params(folder, model, seed)
    return float(evaluation.probability(training.predict(config, params, ids_1T))[0])


if __name__ == "__main__":
    cli(main, Options)
