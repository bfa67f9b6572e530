"""What a comparison measured, as data: all that its pages need, so that they can be drawn anew."""

from typing import Annotated, ClassVar

import msgspec

from rnnsent.compare.entrants import Entrant
from rnnsent.predictions import Agreed, Group, SeedTest
from rnnsent.readings import Review
from rnnsent.runs import records
from rnnsent.runs.records import Part, Source


class Pair(Part, frozen=True, kw_only=True):
    """Two recipes on the same reviews.

    Attributes:
      first: name of a recipe.
      second: of the other.
      difference: mean accuracy of the second less the first's, over the seeds that both finished.
      tests: one per such seed.
    """

    first: str
    second: str
    difference: float
    tests: tuple[SeedTest, ...]

    def significant(self, level: float = 0.05) -> int:
        """Tests whose corrected p-value is below a level."""
        return sum(test.corrected < level for test in self.tests)


class Sample(Part, frozen=True, kw_only=True):
    """The reviews looked at one by one.

    Attributes:
      shown: name and seed of the recipes whose readings they are, at most two.
      reviews: in the notebook's order.
    """

    shown: Annotated[tuple[tuple[str, int], ...], msgspec.Meta(min_length=1, max_length=2)]
    reviews: tuple[Review, ...]

    def __post_init__(self) -> None:
        for review in self.reviews:
            if len(review.readings) != len(self.shown):
                raise ValueError(f"review {review.number} needs a reading of each model shown")


class Record(records.Record, frozen=True, kw_only=True):
    """A comparison.

    Attributes:
      comparable: whether the test reviews are the notebook's, all of them.
      entrants: the recipes, in the order asked for.
      pairs: each with the first; the two sound ones with each other where both are there.
      groups: of the test reviews, by what they are grouped by.
      agreements: of recipes with one another, of seeds with one another.
      sample: single reviews.
      bag_of_words: test accuracy of a logistic regression on the same words without their order.
    """

    FILE: ClassVar[str] = "record.json"

    comparable: bool
    entrants: tuple[Entrant, ...]
    pairs: tuple[Pair, ...]
    groups: dict[str, tuple[Group, ...]]
    agreements: tuple[Agreed, ...]
    sample: Sample
    bag_of_words: float | None = None

    def __post_init__(self) -> None:
        names = [entrant.name for entrant in self.entrants]
        titles = {entrant.title for entrant in self.entrants}
        if len(set(names)) != len(names) or len(titles) != len(names) or not self.finished:
            raise ValueError("recipes need names and titles of their own and a finished training")
        known = set(names)
        used = [name for pair in self.pairs for name in (pair.first, pair.second)]
        used += [name for a in self.agreements for name in (a.first, a.second)]
        used += [name for name, _ in self.sample.shown]
        used += [n for groups in self.groups.values() for group in groups for n in group.accuracy]
        if unknown := sorted({name for name in used if name not in known}):
            raise ValueError(f"nothing is known of {', '.join(unknown)}")

    @property
    def data(self) -> Source:
        """The reviews."""
        return self.origin.source

    @property
    def finished(self) -> list[Entrant]:
        """The recipes of which at least one training did not diverge."""
        return [entrant for entrant in self.entrants if entrant.summary is not None]

    def entrant(self, name: str) -> Entrant:
        """The recipe of a name."""
        return next(entrant for entrant in self.entrants if entrant.name == name)

    def shipped(self, name: str) -> Entrant | None:
        """A recipe that is the shipped one of that name and has finished; None without it."""
        found = [e for e in self.finished if e.name == name and e.shipped]
        return found[0] if found else None

    def pair(self, first: str, second: str) -> Pair | None:
        """Two recipes in this order, if they were paired in it."""
        found = [pair for pair in self.pairs if (pair.first, pair.second) == (first, second)]
        return found[0] if found else None
