"""A criterion: something that would have to be true, and what came of it.

One that the trainings at hand could not decide, whatever they had shown, is neither true nor false:
it is marked as untested and counts for nothing.
"""

from collections.abc import Mapping, Sequence

import msgspec

from rnnsent.claims.measure import Found

Results = Mapping[str, Sequence[Found]]
"""By condition, one per seed, the same seeds in the same order; others may stand beside them."""


class Criterion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
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
