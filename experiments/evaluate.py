"""A run's checkpoints measured again on the test reviews.

python -m experiments.evaluate runs/compare-…
"""

import pathlib

from rnnsent import devices, evaluation, notebook, runs, training
from rnnsent.config import RunOptions, cli
from rnnsent.data import Reviews
from rnnsent.report import markdown


def main(options: RunOptions) -> None:
    """Reloads a run's trained models and measures them on the run's own test reviews."""
    devices.configure()
    folder = options.folder()
    reviews = options.reviews(folder)
    places = runs.readable(folder, notebook.TITLES)
    rows = [_row(folder, model, seed, reviews) for model, seed in places]
    print(f"Data: {reviews.provenance['source']} — {reviews.provenance['title']}\n")
    header = ("model", "seed", reviews.provenance["test_title"], "log loss (nats)", "when trained")
    print(markdown.table(header, rows))


def _row(folder: pathlib.Path, model: str, seed: int, reviews: Reviews) -> tuple[str, ...]:
    place = runs.seed_folder(folder, model, seed)
    config, _, params = runs.load_params(folder, model, seed)
    logits_N = training.predict(config, params, reviews.test.ids_NT)
    now = evaluation.accuracy(logits_N, reviews.test.label_N)
    loss = evaluation.log_loss(logits_N, reviews.test.label_N)
    then = runs.read_json(place / "result.json", "test_accuracy")["test_accuracy"]
    title = notebook.TITLES[model]
    return title, str(seed), markdown.percent(now), f"{loss:.4f}", markdown.percent(then)


if __name__ == "__main__":
    cli(main, RunOptions)
