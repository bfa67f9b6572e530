"""Trainings in a run folder: a recipe trained once per seed, measured and kept."""

import dataclasses
import functools
import math
import pathlib
import time
from collections.abc import Callable, Sequence

import jax
import msgspec
import numpy as np
import optax

from rnnsent import (
    arrays,
    checkpoints,
    console,
    contract,
    epochs,
    evaluation,
    inference,
    optimizers,
    provenance,
    recipes,
    recurrence,
    training,
)
from rnnsent.data import Reviews
from rnnsent.errors import UserError
from rnnsent.model import SentimentClassifier
from rnnsent.recipes import Recipe
from rnnsent.runs import files, reading
from rnnsent.runs.reading import Trained, seed_folder
from rnnsent.runs.records import Config, Data, Epoch, Measured, Result

Told = Callable[[Recipe, Sequence[int], training.Progress], None]
"""Told what the seeds of a recipe that are trained at once have come to, mean over them."""


def train(
    run: pathlib.Path,
    recipe: Recipe,
    seeds: Sequence[int],
    reviews: Reviews,
    *,
    implementation: str = "auto",
    progress: Told | None = None,
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

    Returns:
      The trainings in the order of the seeds.

    Raises:
      UserError: for what :func:`check` refuses too, but for a cell that breaks its contract.
    """
    check_same(run, recipe)
    missing = pending(run, recipe, seeds)
    rows = len(reviews.train)
    if missing and rows < recipe.batch_size:
        console.say(f"{recipe.title}: all {rows:,} training reviews are one batch.")
    count = seeds_together(len(missing))
    for start in range(0, len(missing), count):
        group = _Group.of(recipe, missing[start : start + count], reviews, implementation)
        group.train(run, functools.partial(progress, recipe, group.seeds) if progress else None)
    return [reading.load(seed_folder(run, recipe.folder, seed)) for seed in seeds]


def seeds_together(seeds: int) -> int:
    """How many seeds one program trains: all on an accelerator; one on a CPU, whose cores are
    filled by the rows of one seed and work from their caches."""
    return 1 if jax.default_backend() == "cpu" else max(seeds, 1)


def pending(run: pathlib.Path, recipe: Recipe, seeds: Sequence[int]) -> list[int]:
    """The seeds that a run folder does not hold yet."""
    places = {seed: seed_folder(run, recipe.folder, seed) for seed in seeds}
    return [seed for seed, place in places.items() if not (place / "result.json").exists()]


def check(
    run: pathlib.Path | None, chosen: Sequence[Recipe], seeds: Sequence[int], num_words: int
) -> None:
    """Raises ``UserError`` if some of these recipes cannot be trained, before any of them is.

    What the folder holds of a recipe must be of the same recipe; a cell that is still to be
    trained must keep its contract, and what is trained already must be whole. No data is needed,
    and nothing is written.

    Args:
      run: the folder, if there is one yet.
      chosen: what is to be trained.
      seeds: one training of each recipe for each.
      num_words: size of the vocabulary.
    """
    for recipe in chosen:
        if run:
            check_same(run, recipe)
        missing = pending(run, recipe, seeds) if run else seeds
        for seed in seeds:
            if run and seed not in missing:
                reading.check(seed_folder(run, recipe.folder, seed))
        if missing:
            contract.check(recipe.classifier(num_words))
            recipe.work()


def check_same(run: pathlib.Path, recipe: Recipe) -> None:
    """Raises ``UserError`` if a finished seed was trained by another recipe of that name.

    Seeds that are not asked for count too: a name stands for one recipe in a folder. And the
    recipe is compared beside its digest, since a folder may come from anyone.
    """
    digest = recipes.digest(recipe)
    for seed in reading.seeds(run, recipe.folder):
        folder = seed_folder(run, recipe.folder, seed)
        held = files.read_json(folder / "config.json", Config, files.damaged)
        if held.digest != digest or held.recipe.fields() != recipe.fields():
            raise UserError(
                f"{folder} holds a training with {_difference(held.recipe, recipe)}. Rename the "
                "recipe, or choose another run folder."
            )


def _difference(held: Recipe, recipe: Recipe) -> str:
    old, new = held.fields(), recipe.fields()
    texts = [f"{name} {old[name]!r}, not {new[name]!r}" for name in old if old[name] != new[name]]
    return "; ".join(texts) or f"another source of the cell {recipe.cell} or what it imports"


@dataclasses.dataclass
class _Course:
    """One seed on its way, and the folder it is kept in."""

    seed: int
    folder: pathlib.Path
    state: training.TrainState
    epochs: list[training.Progress] = dataclasses.field(default_factory=list)
    fits: list[Measured] = dataclasses.field(default_factory=list)
    logits: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    diverged: int | None = None

    def ended(self, now: training.Progress) -> None:
        """Takes an epoch and writes its line; none after the one in which it diverged."""
        if self.diverged:
            return
        self.epochs.append(now)
        line = Epoch(now.epoch, now.loss, now.accuracy, now.seconds, now.rows / now.seconds)
        files.append_line(self.folder / reading.METRICS, line)
        if not math.isfinite(now.loss):
            self.diverged = now.epoch

    def measure(self, model: SentimentClassifier, reviews: Reviews) -> None:
        """Measures the state on both splits, unless it diverged.

        A logit that is no number would count as "negative" and make a plausible accuracy.
        """
        if self.diverged:
            return
        params = optimizers.averaged(self.state)
        parts = {"train": reviews.train, "test": reviews.test}
        self.logits = {n: inference.predict(model, params, p.ids_NT) for n, p in parts.items()}
        if not all(np.isfinite(logits_N).all() for logits_N in self.logits.values()):
            self.diverged = self.epochs[-1].epoch
            return
        pairs = {n: (self.logits[n], part.label_N) for n, part in parts.items()}
        accuracies = {f"{n}_accuracy": evaluation.accuracy(*pair) for n, pair in pairs.items()}
        losses = {f"{n}_loss": evaluation.log_loss(*pair) for n, pair in pairs.items()}
        self.fits.append(Measured(**accuracies, **losses))


@dataclasses.dataclass(frozen=True)
class _Group:
    """Seeds of a recipe that are trained as one program."""

    recipe: Recipe
    seeds: Sequence[int]
    reviews: Reviews
    model: SentimentClassifier
    optimizer: optax.GradientTransformation

    @classmethod
    def of(
        cls, recipe: Recipe, seeds: Sequence[int], reviews: Reviews, implementation: str
    ) -> "_Group":
        model = recipe.classifier(reviews.encoding.num_words, implementation)
        return cls(recipe, seeds, reviews, model, recipe.optimizer(len(reviews.train)))

    def train(
        self, run: pathlib.Path, progress: Callable[[training.Progress], None] | None
    ) -> None:
        """All fits, each measured, into the folders of the seeds."""
        started = time.perf_counter()
        courses = self._start(run)
        for course in courses:
            self._begin(course.folder, course.seed)
        seconds = 0.0
        for _ in range(self.recipe.fits):
            self._fit(courses, progress)
            seconds += time.perf_counter() - started
            for course in courses:
                course.measure(self.model, self.reviews)
            started = time.perf_counter()
            if all(course.diverged for course in courses):
                break
        for course in courses:
            self._keep(course, seconds)

    def _start(self, run: pathlib.Path) -> list[_Course]:
        try:
            states = [training.create_state(self.model, self.optimizer, s) for s in self.seeds]
        except ValueError as error:  # for example an identity that is not square
            raise UserError(f"{self.recipe.name}: {error}.") from error
        places = [seed_folder(run, self.recipe.folder, seed) for seed in self.seeds]
        return [_Course(*one) for one in zip(self.seeds, places, states, strict=True)]

    def _begin(self, folder: pathlib.Path, seed: int) -> None:
        """Writes what a training follows from; what one that was killed said of epochs goes."""
        recipe, rows = self.recipe, len(self.reviews.train)
        implementation = recurrence.resolve(self.model.implementation)
        vocab_size = self.model.vocab_size
        digest = recipes.digest(recipe)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / reading.METRICS).unlink(missing_ok=True)
        config = Config(recipe, digest, seed, rows, vocab_size, implementation)
        files.write_json(folder / "config.json", config)
        files.write_json(folder / "provenance.json", provenance.of(self.reviews))

    def _fit(
        self, courses: Sequence[_Course], progress: Callable[[training.Progress], None] | None
    ) -> None:
        """One more fit of every course."""

        def tell(seeds: Sequence[training.Progress]) -> None:
            if progress:
                progress(epochs.mean(seeds))
            for course, now in zip(courses, seeds, strict=True):
                if now.ended:
                    course.ended(now)

        rows = self.reviews.train
        states, _ = training.fit(
            self.model,
            self.optimizer,
            [course.state for course in courses],
            rows,
            epochs=self.recipe.epochs,
            batch_size=self.recipe.batch(len(rows)),
            progress=tell,
        )
        for course, state in zip(courses, states, strict=True):
            course.state = state

    def _keep(self, course: _Course, seconds: float) -> None:
        """Writes what a training came to; ``result.json`` last."""
        folder = course.folder
        if not course.diverged:
            checkpoints.save(folder / "checkpoint", course.state)
            logits = {f"{name}_logits_N": logits_N for name, logits_N in course.logits.items()}
            arrays.save(folder / "predictions.npz", logits)
        result = Result(
            title=self.recipe.title,
            seed=course.seed,
            data=msgspec.convert(self.reviews.provenance, Data),
            fits=() if course.diverged else tuple(course.fits),
            diverged=course.diverged,
            epoch_seconds=tuple(now.seconds for now in course.epochs),
            training_seconds=seconds,
            together=len(self.seeds),
        )
        files.write_json(folder / "result.json", result)
