"""Trainings in a run folder: a recipe trained once per seed, measured and kept."""

import dataclasses
import functools
import math
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import msgspec
import numpy as np
import optax

from rnnsent import (
    checkpoints,
    evaluation,
    inference,
    optimizers,
    provenance,
    recipes,
    records,
    recurrence,
    runs,
    training,
)
from rnnsent.data import Reviews
from rnnsent.errors import UserError
from rnnsent.model import SentimentClassifier
from rnnsent.recipes import Recipe
from rnnsent.records import Config, Data, Epoch, Measured, Result
from rnnsent.runs import Trained

Progress = Callable[[Recipe, Sequence[int], training.Progress], None]
"""Told what the seeds of a recipe that are trained at once have come to, mean over them."""


def train(
    run: pathlib.Path,
    recipe: Recipe,
    seeds: Sequence[int],
    reviews: Reviews,
    *,
    implementation: str = "auto",
    progress: Progress | None = None,
) -> list[Trained]:
    """Trains every seed of a recipe into a run folder; those it holds already are loaded.

    Everything follows from recipe, seed and data. A training that diverges is finished with the
    epoch in which it did, and the others go on.

    Args:
      run: the folder, opened.
      recipe: what is trained, and how.
      seeds: one training for each.
      reviews: trained and measured on. The test split is read when a fit has ended, never before.
      implementation: of the recurrence.
      progress: called every few steps.

    Raises:
      UserError: if the folder holds one of these seeds by a recipe that is not the same.
    """
    check_same(run, recipe, seeds)
    missing = pending(run, recipe, seeds)
    group = seeds_together(len(missing))
    for start in range(0, len(missing), group):
        together = missing[start : start + group]
        told = functools.partial(progress, recipe, together) if progress else None
        _train_together(run, recipe, together, reviews, implementation, told)
    return [runs.load(runs.seed_folder(run, recipe.folder, seed)) for seed in seeds]


def seeds_together(seeds: int) -> int:
    """How many seeds one program trains: all on an accelerator; one on a CPU, whose cores are
    filled by the rows of one seed and work from their caches."""
    return 1 if jax.default_backend() == "cpu" else max(seeds, 1)


def pending(run: pathlib.Path, recipe: Recipe, seeds: Sequence[int]) -> list[int]:
    """The seeds that a run folder does not hold yet."""
    places = {seed: runs.seed_folder(run, recipe.folder, seed) for seed in seeds}
    return [seed for seed, place in places.items() if not (place / "result.json").exists()]


def check_same(run: pathlib.Path, recipe: Recipe, seeds: Sequence[int]) -> None:
    """Raises ``UserError`` if a finished seed was trained by another recipe of that name."""
    missing = pending(run, recipe, seeds)
    digest = recipes.digest(recipe)
    for seed in set(seeds) - set(missing):
        folder = runs.seed_folder(run, recipe.folder, seed)
        held = records.read(folder / "config.json", Config)
        if held.digest != digest:
            raise UserError(
                f"{folder} holds a training with {_difference(held.recipe, recipe)}. Rename the "
                "recipe, or choose another run folder."
            )


def _difference(held: Recipe, recipe: Recipe) -> str:
    old, new = held.fields(), recipe.fields()
    texts = [f"{name} {old[name]}, not {new[name]}" for name in old if old[name] != new[name]]
    return "; ".join(texts) or f"another source of the cell {recipe.cell}"


@dataclasses.dataclass
class _Course:
    """One seed on its way."""

    seed: int
    state: training.TrainState
    epochs: list[training.Progress] = dataclasses.field(default_factory=list)
    fits: list[Measured] = dataclasses.field(default_factory=list)
    logits: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    diverged: int | None = None

    def fitted(self, state: training.TrainState, epochs: list[training.Progress]) -> None:
        """Takes what a fit came to; of one that diverged, up to where it did."""
        if self.diverged:
            return
        lost = [now.epoch for now in epochs if not math.isfinite(now.loss)]
        self.diverged = lost[0] if lost else None
        self.state = state
        self.epochs += [now for now in epochs if not lost or now.epoch <= lost[0]]

    def measure(self, model: SentimentClassifier, reviews: Reviews) -> None:
        """Measures the state on both splits.

        A logit that is no number would count as "negative" and make a plausible accuracy.
        """
        params = optimizers.averaged(self.state)
        parts = {"train": reviews.train, "test": reviews.test}
        self.logits = {n: inference.predict(model, params, p.ids_NT) for n, p in parts.items()}
        if not all(np.isfinite(logits_N).all() for logits_N in self.logits.values()):
            self.diverged, self.fits = self.epochs[-1].epoch, []
            return
        pairs = {n: (self.logits[n], part.label_N) for n, part in parts.items()}
        accuracies = {f"{n}_accuracy": evaluation.accuracy(*pair) for n, pair in pairs.items()}
        losses = {f"{n}_loss": evaluation.log_loss(*pair) for n, pair in pairs.items()}
        self.fits.append(Measured(**accuracies, **losses))


def _train_together(
    run: pathlib.Path,
    recipe: Recipe,
    seeds: Sequence[int],
    reviews: Reviews,
    implementation: str,
    progress: Callable[[training.Progress], None] | None,
) -> None:
    """All fits of some seeds, each measured, into their folders."""
    rows = len(reviews.train)
    model = recipe.classifier(reviews.encoding.num_words, implementation)
    optimizer = recipe.optimizer(rows)
    seconds, started = 0.0, time.perf_counter()
    courses = [_Course(seed, training.create_state(model, optimizer, seed)) for seed in seeds]
    for seed in seeds:
        _begin(runs.seed_folder(run, recipe.folder, seed), recipe, seed, model, reviews)
    for _ in range(recipe.fits):
        _fit(courses, recipe, model, optimizer, reviews, progress)
        seconds += time.perf_counter() - started
        for course in courses:
            if not course.diverged:
                course.measure(model, reviews)
        if all(course.diverged for course in courses):
            break
        started = time.perf_counter()
    for course in courses:
        _keep(runs.seed_folder(run, recipe.folder, course.seed), recipe, course, reviews, seconds,
              len(seeds))


def _begin(
    folder: pathlib.Path, recipe: Recipe, seed: int, model: SentimentClassifier, reviews: Reviews
) -> None:
    """Writes what a training follows from."""
    config = Config(
        recipe,
        recipes.digest(recipe),
        seed,
        len(reviews.train),
        model.vocab_size,
        recurrence.resolve(model.implementation),
    )
    folder.mkdir(parents=True, exist_ok=True)
    records.write(folder / "config.json", config)
    records.write(folder / "provenance.json", provenance.of(reviews))


def _fit(
    courses: Sequence[_Course],
    recipe: Recipe,
    model: SentimentClassifier,
    optimizer: optax.GradientTransformation,
    reviews: Reviews,
    progress: Callable[[training.Progress], None] | None,
) -> None:
    """One more fit of every course."""
    states, histories = training.fit(
        model,
        optimizer,
        [course.state for course in courses],
        reviews.train.ids_NT,
        reviews.train.label_N,
        epochs=recipe.epochs,
        batch_size=recipe.batch(len(reviews.train)),
        progress=progress,
    )
    for course, state, history in zip(courses, states, histories, strict=True):
        course.fitted(state, history)


def _keep(
    folder: pathlib.Path,
    recipe: Recipe,
    course: _Course,
    reviews: Reviews,
    seconds: float,
    together: int,
) -> None:
    """Writes what a training came to; ``result.json`` last."""
    records.write_lines(folder / "metrics.jsonl", [_line(now) for now in course.epochs])
    if not course.diverged:
        checkpoints.save(folder / "checkpoint", course.state)
        np.savez(folder / "predictions.npz", **{f"{n}_logits_N": a for n, a in
                                                course.logits.items()})
    result = Result(
        title=recipe.title,
        seed=course.seed,
        data=msgspec.convert(reviews.provenance, Data),
        fits=() if course.diverged else tuple(course.fits),
        diverged=course.diverged,
        epoch_seconds=tuple(now.seconds for now in course.epochs),
        training_seconds=seconds,
        together=together,
    )
    records.write(folder / "result.json", result)


def _line(now: training.Progress) -> Epoch:
    rate = now.rows / now.seconds
    return Epoch(now.epoch, now.loss, now.accuracy, now.seconds, rate)


def costs(
    recipes_: Sequence[Recipe], vocab_size: int
) -> dict[str, Any]:  # pragma: no cover
    ...
