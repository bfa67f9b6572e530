"""Claims put to the test: criteria that hold or not by a stated rule, and the verdict they give.

A criterion that the trainings at hand could not decide, whatever they had shown, is neither: it is
marked as untested and counts for nothing.
"""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Criterion:
    """Something that would have to be true.

    Attributes:
      statement: in words.
      measured: what was found, in words and figures.
      holds: whether that makes the statement true; None where it could not be tested.
    """

    statement: str
    measured: str
    holds: bool | None


def verdict(criteria: Sequence[Criterion]) -> str:
    """``supported`` where all tested criteria hold, ``not supported`` where none does.

    Else ``mixed``; ``not tested`` where less than half of the criteria could be.
    """
    if not criteria:
        raise ValueError("a verdict needs at least one criterion")
    tested = [criterion.holds for criterion in criteria if criterion.holds is not None]
    if 2 * len(tested) < len(criteria):
        return "not tested"
    if all(tested):
        return "supported"
    return "mixed" if any(tested) else "not supported"
