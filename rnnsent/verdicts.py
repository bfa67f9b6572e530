"""Claims put to the test: criteria that hold or not by a stated rule, and the verdict they give."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import stats

SIGNIFICANCE = 0.05


@dataclasses.dataclass(frozen=True)
class Criterion:
    """Something that would have to be true.

    Attributes:
      statement: in words.
      measured: what was found, in words and figures.
      holds: whether that makes the statement true.
    """

    statement: str
    measured: str
    holds: bool


def verdict(criteria: Sequence[Criterion]) -> str:
    """``supported`` where all criteria hold, ``not supported`` where none does, else ``mixed``."""
    if not criteria:
        raise ValueError("a verdict needs at least one criterion")
    holding = sum(criterion.holds for criterion in criteria)
    if holding == len(criteria):
        return "supported"
    return "mixed" if holding else "not supported"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One figure of two groups of trainings.

    ``p_value`` is one-sided, for the first group being higher (Mann & Whitney, 1947).
    """

    first: tuple[float, ...]
    second: tuple[float, ...]
    p_value: float

    @property
    def higher(self) -> bool:
        """Whether the first group is higher, at the level ``SIGNIFICANCE``."""
        return self.p_value < SIGNIFICANCE

    def text(self, first: str, second: str, unit: str = "") -> str:
        """Medians and ranges of both groups, and the p-value."""
        parts = [
            f"{name} {np.median(values):.3g}{unit} ({min(values):.3g} to {max(values):.3g}, "
            f"n = {len(values)})"
            for name, values in ((first, self.first), (second, self.second))
            if values
        ]
        return f"{'; '.join(parts)}; p = {self.p_value:.2g}"


def compare(first: Sequence[float], second: Sequence[float]) -> Comparison:
    """Whether the first group's figures are higher than the second's; NaN are left out.

    An empty group gives p = 1: nothing was shown.
    """
    a, b = (tuple(float(v) for v in values if not np.isnan(v)) for values in (first, second))
    p = stats.mannwhitneyu(a, b, alternative="greater").pvalue if a and b else 1.0
    return Comparison(a, b, float(p))


@dataclasses.dataclass(frozen=True)
class Shares:
    """How a difference between two corners of a 2 x 2 splits into its two factors.

    ``cell`` and ``recipe`` are the means over the two orders in which the factors can be changed
    one after the other (Shapley, 1953), and sum to ``gap``.
    """

    gap: float
    cell: float
    recipe: float


def shares(start: float, other_cell: float, other_recipe: float, both: float) -> Shares:
    """Splits ``both - start``.

    Args:
      start: the figure at the corner that is left.
      other_cell: with only the cell changed.
      other_recipe: with only the recipe changed.
      both: at the corner that is reached.
    """
    cell = ((other_cell - start) + (both - other_recipe)) / 2
    recipe = ((other_recipe - start) + (both - other_cell)) / 2
    return Shares(both - start, cell, recipe)
