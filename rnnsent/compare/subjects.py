"""What a comparison measures: recipes, their models, and their finished trainings."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnsent import runs
from rnnsent.compare import entrants
from rnnsent.data import Reviews
from rnnsent.divergence import Divergence
from rnnsent.model import SentimentClassifier, still
from rnnsent.recipes import SHIPPED, Recipe

SOUND = ("sound-simple-rnn", "sound-lstm")
"""Recipes that are paired with each other and shown, as shipped or with the same changes."""


@dataclasses.dataclass(frozen=True)
class Finished:
    """A finished training as it is measured.

    Attributes:
      seed: everything random follows from it.
      epochs: training loss, accuracy and seconds of each, of all fits.
      seconds: of the training in all.
      diverged: the epoch in which it ceased to be finite; then only ``divergence`` is looked at.
      train_logits_N: of the final state on the training reviews, dropout off.
      test_logits_N: on the test reviews.
      first_fit_accuracy: on the test reviews after the first fit, where there were several.
      params: of the final state.
      divergence: the step in which it ceased to be finite, where that was found.
    """

    seed: int
    epochs: Sequence[entrants.Epoch]
    seconds: float
    diverged: int | None = None
    train_logits_N: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
    test_logits_N: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
    first_fit_accuracy: float | None = None
    params: Any = None
    divergence: Divergence | None = None


@dataclasses.dataclass(frozen=True)
class Subject:
    """A recipe, its model and its trainings, one per seed."""

    recipe: Recipe
    model: SentimentClassifier
    trained: Sequence[Finished]

    @property
    def still(self) -> SentimentClassifier:
        """The model as it is measured."""
        return still(self.model)

    @property
    def name(self) -> str:
        return self.recipe.name

    def finite(self) -> dict[int, Finished]:
        """By seed, the trainings that did not diverge."""
        return {one.seed: one for one in self.trained if one.diverged is None}


def sound(subjects: Sequence[Subject]) -> tuple[Subject, Subject] | None:
    """The two of ``SOUND``, or what the same changes made of them; the first such two."""
    simple, lstm = ([s for s in subjects if s.recipe.base == name] for name in SOUND)
    alike = ((a, b) for a in simple for b in lstm if _changed_alike(a.recipe, b.recipe))
    return next(alike, None)


def _changed_alike(*both: Recipe) -> bool:
    """Whether the same changes make these two of their bases."""
    new = zip(*(one.fields().values() for one in both), strict=True)
    old = zip(*(SHIPPED[one.base].fields().values() for one in both), strict=True)
    return all(a == b or (a, b) == was for (a, b), was in zip(new, old, strict=True))


def finished(
    chosen: Sequence[Recipe],
    trained: Sequence[Sequence[runs.Trained]],
    reviews: Reviews,
    implementation: str = "auto",
) -> list[Subject]:
    """Recipes that this command named, and their finished trainings with the parameters."""
    return [
        Subject(
            recipe,
            recipe.classifier(reviews.encoding.num_words, implementation),
            [_finished(recipe, one) for one in many],
        )
        for recipe, many in zip(chosen, trained, strict=True)
    ]


def _finished(recipe: Recipe, trained: runs.Trained) -> Finished:
    epochs = [
        entrants.Epoch(
            loss=one.loss,
            accuracy=one.accuracy,
            seconds=one.seconds,
            validation_accuracy=one.validation_accuracy,
            validation_loss=one.validation_loss,
        )
        for one in trained.history
    ]
    result, held = trained.result, Finished(trained.seed, epochs, trained.result.training_seconds)
    if trained.diverged:
        return dataclasses.replace(held, diverged=trained.diverged, divergence=trained.divergence)
    _, _, params = runs.restore(trained, [recipe.cell])
    return dataclasses.replace(
        held,
        train_logits_N=trained.train_logits_N,
        test_logits_N=trained.test_logits_N,
        first_fit_accuracy=result.fits[0].test_accuracy if len(result.fits) > 1 else None,
        params=params,
    )
