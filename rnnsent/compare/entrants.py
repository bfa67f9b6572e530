"""What a comparison measured of each recipe, as data.

Accuracies and probabilities are shares in [0, 1], losses are in nats, times in seconds. A figure
that is no finite number is None.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from rnnsent.divergence import Divergence
from rnnsent.evaluation import Calibration, Spread
from rnnsent.memory import MemoryCurves
from rnnsent.runs import divergences, records
from rnnsent.runs.records import Part


class Layer(Part, frozen=True, kw_only=True):
    """A row of a model's summary."""

    name: str
    output: str
    parameters: int


class Epoch(Part, frozen=True, kw_only=True):
    """A pass over the training reviews, dropout on; after it, the reviews held out, dropout off."""

    loss: float | None
    accuracy: float | None
    seconds: float
    validation_accuracy: float | None = None
    validation_loss: float | None = None


class Measured(Part, frozen=True, kw_only=True):
    """What a finished training has come to, dropout off.

    Attributes:
      train_accuracy: on the training reviews.
      test_accuracy: on the test reviews.
      train_loss: mean cross-entropy of the training reviews.
      test_loss: of the test reviews.
      first_fit_accuracy: on the test reviews after the first fit, where there were several.
      calibration: on the test reviews.
      fresh: gradients before training.
      trained: gradients after it.
    """

    train_accuracy: float
    test_accuracy: float
    train_loss: float
    test_loss: float
    first_fit_accuracy: float | None
    calibration: Calibration
    fresh: MemoryCurves
    trained: MemoryCurves


class Training(Part, frozen=True, kw_only=True):
    """One seed of a recipe.

    Attributes:
      seed: everything random follows from it.
      epochs: of all fits; where it diverged, up to there.
      seconds: of the training in all, compilation included.
      diverged: the epoch in which loss or logits ceased to be finite, if they did.
      divergence: the step in which they did, where that was found.
      measured: None where it diverged.
    """

    seed: int
    epochs: Annotated[tuple[Epoch, ...], msgspec.Meta(min_length=1)]
    seconds: float
    diverged: int | None = None
    divergence: Divergence | None = None
    measured: Measured | None = None

    def __post_init__(self) -> None:
        if (self.diverged is None) == (self.measured is None):
            raise ValueError("a training has either diverged or figures")

    @property
    def best(self) -> int | None:
        """The number, from 1, of the epoch with the lowest validation loss, if it was measured."""
        found = records.best(self.epochs)
        return None if found is None else self.epochs.index(found) + 1

    @property
    def results(self) -> Measured:
        """What was measured of one that did not diverge; ``ValueError`` for another."""
        if self.measured is None:
            raise ValueError(f"seed {self.seed} diverged, so nothing was measured")
        return self.measured


class Summary(Part, frozen=True, kw_only=True):
    """A recipe's finished trainings taken together.

    Attributes:
      train_accuracy: over seeds, and likewise the next ones.
      test_accuracy: see :class:`Measured`.
      train_loss: likewise.
      test_loss: likewise.
      first_fit_accuracy: None where there was one fit only.
      interval: of the first seed's accuracy over reviews, 95%.
      epoch_seconds: mean, without each training's first epoch if there are others.
      seconds: of a training, mean.
    """

    train_accuracy: Spread
    test_accuracy: Spread
    train_loss: Spread
    test_loss: Spread
    first_fit_accuracy: Spread | None
    interval: tuple[float, float]
    epoch_seconds: float
    seconds: float


class Entrant(Part, frozen=True, kw_only=True):
    """A recipe and what came of it.

    Attributes:
      name: of the recipe.
      title: what tables call it.
      shipped: whether it is the shipped recipe of that name, nothing changed.
      cell: name of the recurrent cell.
      epochs: of one fit.
      fits: one after the other.
      fields: everything else that the recipe says, by name.
      layers: of the model.
      parameters: of the model, in all.
      trainings: one per seed, in the order asked for.
      summary: None where all of them diverged.
    """

    name: str
    title: str
    shipped: bool
    cell: str
    epochs: int
    fits: int
    fields: dict[str, Any]
    layers: tuple[Layer, ...]
    parameters: int
    trainings: tuple[Training, ...]
    summary: Summary | None

    def __post_init__(self) -> None:
        if bool(self.finished) != (self.summary is not None):
            raise ValueError(f"{self.name} has a summary just where a training has finished")

    @property
    def results(self) -> Summary:
        """The summary of one that has finished; ``ValueError`` for another."""
        if self.summary is None:
            raise ValueError(f"every training of {self.name} diverged")
        return self.summary

    @property
    def finished(self) -> list[Training]:
        """The trainings that did not diverge."""
        return [training for training in self.trainings if training.measured is not None]


def diverged(entrants: Sequence[Entrant]) -> list[str]:
    """Which trainings diverged, and where, each as a line of text."""
    return [
        divergences.said(entrant.title, training.seed, training.diverged, training.divergence)
        for entrant in entrants
        for training in entrant.trainings
        if training.diverged is not None
    ]


def advice(entrants: Sequence[Entrant]) -> str:
    """What to try, by the recipes of those that diverged and where they did."""
    lost = [
        (entrant.fields, training.divergence)
        for entrant in entrants
        for training in entrant.trainings
        if training.diverged is not None
    ]
    return divergences.advice(lost)
