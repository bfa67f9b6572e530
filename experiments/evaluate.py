"""A run's checkpoints measured again on the test reviews.

python -m experiments.evaluate runs/compare-…
"""

import dataclasses
import pathlib

import tyro

from rnnsent import data, devices, evaluation, notebook, runs, training
from rnnsent.config import DataOptions, cli, first_rows, require
from rnnsent.report import markdown


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of the evaluation."""

    run: tyro.conf.Positional[pathlib.Path | None] = None
    """Run folder of experiments.compare (default: the newest under runs/)."""
    archive: pathlib.Path | None = None
    """Local copy of the IMDB archive (default: $RNNSENT_IMDB_ARCHIVE)."""
    word_index: pathlib.Path | None = None
    """Local copy of Keras's published word index (default: $RNNSENT_IMDB_WORD_INDEX)."""
    data_dir: pathlib.Path | None = None
    """Where prepared data is kept (default: $TFDS_DATA_DIR or ~/tensorflow_datasets)."""


def main(options: Options) -> None:
    """Reloads a run's trained models and measures them on the run's own test reviews."""
    devices.configure()
    folder = options.run or runs.latest(pathlib.Path("runs"))
    reviews = _reviews(folder, options)
    rows = [
        _row(folder, model, seed, reviews)
        for model in notebook.TITLES
        for seed in runs.seeds(folder, model)
    ]
    require(bool(rows), f"{folder} holds no finished model. Give the folder of a finished run.")
    print(f"Data: {reviews.provenance['source']} — {reviews.provenance['title']}\n")
    header = ("model", "seed", reviews.provenance["test_title"], "log loss (nats)", "when trained")
    print(markdown.table(header, rows))


def _reviews(folder: pathlib.Path, options: Options) -> data.Reviews:
    """The reviews the run was tested on, refused if they are others than its provenance names."""
    held = runs.read_json(folder / "provenance.json")["data"]
    config = runs.read_json(folder / "config.json")
    names = ("num_words", "maxlen", "padding", "truncating")
    given = {n: getattr(options, n) for n in ("archive", "word_index", "data_dir")}
    reviews = DataOptions(held["source"], **given, **{n: config[n] for n in names}).load()
    if config["quick"]:
        reviews = first_rows(reviews, held["train"], held["test"])
    differs = {k for k in held if k != "reason" and held[k] != reviews.provenance.get(k)}
    require(not differs, f"These are not the reviews of {folder}: {', '.join(differs)} differ.")
    return reviews


def _row(folder: pathlib.Path, model: str, seed: int, reviews: data.Reviews) -> tuple[str, ...]:
    place = runs.seed_folder(folder, model, seed)
    config, _, params = runs.load_params(folder, model, seed)
    logits_N = training.predict(config, params, reviews.test.ids_NT)
    now = evaluation.accuracy(logits_N, reviews.test.label_N)
    loss = evaluation.log_loss(logits_N, reviews.test.label_N)
    then = runs.read_json(place / "result.json")["test_accuracy"]
    title = notebook.TITLES[model]
    return title, str(seed), markdown.percent(now), f"{loss:.4f}", markdown.percent(then)


if __name__ == "__main__":
    cli(main, Options)
