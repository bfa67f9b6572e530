"""The claims as data: what was trained, measured and decided; pages are drawn from it alone."""

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from rnnsent.claims.conditions import CONDITIONS
from rnnsent.claims.criterion import Criterion
from rnnsent.claims.measure import Found
from rnnsent.evaluation import Calibration, McNemar
from rnnsent.predictions import Agreed, Group
from rnnsent.readings import Review
from rnnsent.runs import records


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One condition, or a further recipe, over its seeds.

    Attributes:
      title: in texts and tables.
      recipe: name of the recipe.
      recurrent_dropout: of the recipe.
      parameters: their number.
      printed: accuracy that the notebook printed of what may have been trained like this; None
        where there is none, or where it cannot be set beside.
      interval: 95% interval of the first seed's test accuracy, over reviews.
      calibration: on the test reviews, per seed.
      found: per seed.
    """

    title: str
    recipe: str
    recurrent_dropout: float
    parameters: int
    printed: float | None
    interval: tuple[float, float]
    calibration: tuple[Calibration, ...]
    found: Annotated[tuple[Found, ...], Meta(min_length=1)]


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the notebook's claims, what would have to be true, and what follows."""

    statement: str
    verdict: str
    criteria: tuple[Criterion, ...]


class Record(records.Record, frozen=True, kw_only=True):
    """One run of the claims.

    Attributes:
      test_title: what an accuracy on the test reviews is called.
      comparable: whether these are the notebook's test reviews, read as it reads them, and no
        condition is changed.
      seeds: with which all conditions were trained and none diverged.
      lost: trainings that diverged, in words; empty where none did.
      advice: what to try against that; empty where none did.
      rows: by name; see :data:`rnnsent.claims.conditions.CONDITIONS`.
      tests: by condition of ``leads.BEATEN``, per seed: it and the LSTM on the same reviews.
      groups: of the test reviews, by what they are grouped by; accuracies by a row's name.
      agreements: of the rows with one another, of seeds with one another.
      claims: in the notebook's order.
      chosen: whose readings the reviews show, in words.
      reviews: the notebook's twenty, read by the chosen.
    """

    FILE: ClassVar[str] = "claims/record.json"

    test_title: str
    comparable: bool
    seeds: tuple[int, ...]
    lost: str
    rows: dict[str, Row]
    tests: dict[str, tuple[McNemar, ...]]
    groups: dict[str, tuple[Group, ...]]
    agreements: tuple[Agreed, ...]
    claims: tuple[Claim, ...]
    chosen: tuple[str, ...]
    reviews: Annotated[tuple[Review, ...], Meta(min_length=1)]
    advice: str = ""

    def __post_init__(self) -> None:
        named = [name for one in self.agreements for name in (one.first, one.second)]
        named += [n for groups in self.groups.values() for group in groups for n in group.accuracy]
        if missing := sorted(set(CONDITIONS) - set(self.rows)):
            raise ValueError(f"the row {missing[0]} is missing")
        if unknown := sorted({*named, *self.tests} - set(self.rows)):
            raise ValueError(f"there is no row {unknown[0]}")
