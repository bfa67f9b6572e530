"""A run's checkpoints measured again on the reviews it was measured on.

python -m experiments.evaluate runs/compare-…
python -m experiments.evaluate runs/compare-… --best     after the best epoch, not the last
"""

from rnnsent import console, devices, evaluation, inference, runs
from rnnsent.config import RunOptions, cli
from rnnsent.data import Reviews
from rnnsent.report import terminal
from rnnsent.report.blocks import Paragraph, Table
from rnnsent.report.numbers import percent

DIFFERENT = 0.01
"""Accuracies further apart than this are not the same model's on the same reviews."""


def main(options: RunOptions) -> None:
    """Reloads a run's trained models and measures them on the run's own test reviews."""
    devices.configure()
    folder = options.folder()
    trainings = runs.trusted(runs.readable(folder), options.cell)
    reviews = options.reviews(folder)
    rows = [_row(training, reviews, options) for training in trainings]
    source = reviews.provenance
    header = ("model", "seed", source["test_title"], "log loss (nats)", "when trained")
    about = Paragraph(f"Data: {source['source']} — {source['title']}")
    terminal.show([about, Table(header, rows)])


def _row(training: runs.Training, reviews: Reviews, options: RunOptions) -> tuple[str, ...]:
    how = options.cell, options.implementation, options.best
    model, seed, params = runs.restore(training, *how)
    logits_N = inference.predict(model, params, reviews.test.ids_NT)
    now = evaluation.accuracy(logits_N, reviews.test.label_N)
    loss = evaluation.log_loss(logits_N, reviews.test.label_N)
    best = training.best if options.best else None
    then = best.validation_accuracy if best else training.result.final.test_accuracy
    if abs(now - then) > DIFFERENT:
        console.say(
            f"{training.title} seed {seed}: {percent(then)} when trained and {percent(now)} now is "
            "more than another machine explains; one of the two was changed."
        )
    return training.title, str(seed), percent(now), f"{loss:.4f}", percent(then)


if __name__ == "__main__":
    cli(main, RunOptions)
