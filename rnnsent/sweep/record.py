"""What a sweep measured, as data: all that its table and pages need.

Accuracies are shares in [0, 1], losses in nats, times in seconds.
"""

from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from rnnsent.divergence import Divergence
from rnnsent.evaluation import Spread
from rnnsent.predictions import SeedTest
from rnnsent.runs import divergences, records
from rnnsent.runs.records import Part


class Figures(Part, frozen=True, kw_only=True):
    """A model with dropout off."""

    train_accuracy: float
    train_loss: float
    validation_accuracy: float
    validation_loss: float


class Training(Part, frozen=True, kw_only=True):
    """One seed of a member.

    Attributes:
      seed: everything random follows from it.
      epochs: of all fits; where it diverged, up to there.
      seconds: in all, compilation included.
      figures: None where it diverged.
      diverged: the epoch in which it did.
      divergence: the step in which it did, where that was found.
    """

    seed: int
    epochs: int
    seconds: float
    figures: Figures | None = None
    diverged: int | None = None
    divergence: Divergence | None = None

    def __post_init__(self) -> None:
        if (self.figures is None) == (self.diverged is None):
            raise ValueError("a training has either diverged or figures")

    @property
    def when(self) -> str:
        """Of one that diverged: in which step or, where that was not found, in which epoch."""
        return self.divergence.place if self.divergence else f"epoch {self.diverged}"


class Test(SeedTest, frozen=True, kw_only=True):
    """Of the base, the first, and a member, the second; its file names them so."""

    __test__ = False  # pytest takes classes of this name for its own

    only_first: int = msgspec.field(name="only_base")
    only_second: int = msgspec.field(name="only_member")


class Against(Part, frozen=True, kw_only=True):
    """A member against the base, over the seeds that both finished.

    Attributes:
      differences: accuracy of the member less the base's, by seed, in the order of ``tests``.
      p_value: one-sided, that the differences lie above zero (Wilcoxon's signed ranks).
      corrected: the same, corrected for all members (Holm); None where so few seeds could not have
        shown anything.
      tests: one per seed.
    """

    differences: Annotated[tuple[float, ...], Meta(min_length=1)]
    p_value: float
    corrected: float | None
    tests: Annotated[tuple[Test, ...], Meta(min_length=1)]

    def __post_init__(self) -> None:
        if len(self.differences) != len(self.tests):
            raise ValueError("there must be a test for each difference")

    @property
    def difference(self) -> float:
        """Mean over seeds."""
        return sum(self.differences) / len(self.differences)


class Member(Part, frozen=True, kw_only=True):
    """A recipe and what came of it.

    Attributes:
      name: of the recipe.
      digest: see :func:`rnnsent.recipes.digest`.
      fields: everything else that the recipe says, by name.
      changes: those in which it differs from the base.
      trainings: one per seed, in the order asked for.
      accuracy: on the validation reviews, over the seeds that did not diverge; None without one.
      loss: likewise.
      rank: 1 has the highest mean accuracy; None where a seed diverged.
      against: the base; None of the base itself, and where no seed of both has finished.
    """

    name: str
    digest: str
    fields: dict[str, Any]
    changes: dict[str, Any]
    trainings: Annotated[tuple[Training, ...], Meta(min_length=1)]
    accuracy: Spread | None
    loss: Spread | None
    rank: int | None = None
    against: Against | None = None

    def __post_init__(self) -> None:
        if {self.accuracy is None, self.loss is None} != {not self.finished}:
            raise ValueError(f"{self.name} has a spread just where a training has finished")

    @property
    def finished(self) -> list[Training]:
        """The trainings that did not diverge."""
        return [training for training in self.trainings if training.figures is not None]

    @property
    def lost(self) -> list[Training]:
        """Those that did."""
        return [training for training in self.trainings if training.figures is None]


class Record(records.Record, frozen=True, kw_only=True):
    """A sweep.

    Attributes:
      varied: fields of recipes that the sweep varies.
      members: the base first, then in the order of the plan.
    """

    FILE: ClassVar[str] = "record.json"

    varied: Annotated[tuple[str, ...], Meta(min_length=1)]
    members: Annotated[tuple[Member, ...], Meta(min_length=1)]

    def __post_init__(self) -> None:
        names = [member.name for member in self.members]
        ranks = sorted(member.rank for member in self.members if member.rank is not None)
        if len(set(names)) < len(names) or ranks != list(range(1, len(ranks) + 1)):
            raise ValueError("members need names and ranks of their own")
        if unknown := [n for n in self.varied for m in self.members if n not in m.fields]:
            raise ValueError(f"a member has no {unknown[0]}")

    @property
    def ranked(self) -> list[Member]:
        """The members with a rank, the best first."""
        ranked = [(member.rank, member) for member in self.members if member.rank is not None]
        return [member for _, member in sorted(ranked, key=lambda pair: pair[0])]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of every member."""
        return tuple(training.seed for training in self.members[0].trainings)

    def diverged(self) -> list[str]:
        """Which trainings diverged, each as a line of text."""
        return [
            divergences.said(member.name, training.seed, training.diverged, training.divergence)
            for member in self.members
            for training in member.lost
        ]

    def advice(self) -> str:
        """What to try in the sweep's file, by the members that diverged and where they did."""
        lost = [(one.fields, training.divergence) for one in self.members for training in one.lost]
        return divergences.advice(lost, spelled=str)
