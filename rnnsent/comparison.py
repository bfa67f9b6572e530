"""Figures of several trainings set against each other: tests, intervals and shares over seeds.

A test answers None where so few figures could not have shown a difference, whatever they were.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

SIGNIFICANCE = 0.05
"""The level of every test."""


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for being several, in the order given (Holm, 1979).

    The smallest is multiplied by how many there are, the next by one less, and so on; none falls
    below one that was smaller, none exceeds 1. With all below a level, the chance of even one false
    alarm among them is below it.
    """
    corrected, highest = [1.0] * len(p_values), 0.0
    for place, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[i]))
        corrected[i] = highest
    return corrected


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One figure of two groups of trainings (Mann & Whitney, 1947).

    Attributes:
      first: the figures of the first group.
      second: of the second.
      p_value: one-sided, for the first group being higher.
      p_opposite: one-sided, for the second group being higher.
    """

    first: tuple[float, ...]
    second: tuple[float, ...]
    p_value: float
    p_opposite: float

    @property
    def higher(self) -> bool | None:
        """Whether the first group is higher, at the level ``SIGNIFICANCE``.

        None where so few figures could not have shown it, had all of the first been higher: from
        4 against 3 on they can.
        """
        n, m = len(self.first), len(self.second)
        if not n or not m or 1 / math.comb(n + m, n) >= SIGNIFICANCE:
            return None
        return self.p_value < SIGNIFICANCE

    def text(self, first: str, second: str, unit: str = "") -> str:
        """Medians and ranges of both groups, and the p-value."""
        parts = [
            _range_text(name, values, unit)
            for name, values in ((first, self.first), (second, self.second))
        ]
        if self.higher is None:
            return f"{'; '.join(parts)}; too few to tell"
        opposite = self.p_opposite < SIGNIFICANCE
        p = f"p = {self.p_value:.2g}" + (f", the opposite {self.p_opposite:.2g}" * opposite)
        return f"{'; '.join(parts)}; {p}"


def _range_text(name: str, values: Sequence[float], unit: str) -> str:
    if not values:
        return f"{name} none"
    ends = f"{min(values):.3g} to {max(values):.3g}, n = {len(values)}"
    return f"{name} {np.median(values):.3g}{unit} ({ends})"


def compare(first: Sequence[float], second: Sequence[float]) -> Comparison:
    """Whether the first group's figures are higher than the second's; NaN are left out."""
    a, b = (_known(values) for values in (first, second))
    p = [
        float(stats.mannwhitneyu(a, b, alternative=side).pvalue) if a and b else 1.0
        for side in ("greater", "less")
    ]
    return Comparison(a, b, *p)


def _known(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(v) for v in values if not np.isnan(v))


@dataclasses.dataclass(frozen=True)
class Sign:
    """Differences, one per seed, and whether they lie above zero (Wilcoxon, 1945).

    ``p_value`` is one-sided; NaN are left out.
    """

    values: tuple[float, ...]
    p_value: float

    @property
    def positive(self) -> bool | None:
        """Whether they do, at the level ``SIGNIFICANCE``; None below 5, which could not show it."""
        if 0.5 ** len(self.values) >= SIGNIFICANCE:
            return None
        return self.p_value < SIGNIFICANCE

    def text(self, name: str, unit: str = "") -> str:
        """Median and range, and the p-value."""
        p = "too few to tell" if self.positive is None else f"p = {self.p_value:.2g}"
        return f"{_range_text(name, self.values, unit)}; {p}"


def sign(differences: Sequence[float]) -> Sign:
    """Whether paired differences lie above zero."""
    values = _known(differences)
    p = stats.wilcoxon(values, alternative="greater").pvalue if any(values) else 1.0
    return Sign(values, float(p))


def prediction_interval(
    values: Sequence[float], *, confidence: float = 0.95
) -> tuple[float, float] | None:
    """Where one more seed's figure would lie, by Student's t; None for fewer than two seeds."""
    n = len(values)
    if n < 2:
        return None
    reach = stats.t.ppf((1 + confidence) / 2, n - 1) * np.std(values, ddof=1) * np.sqrt(1 + 1 / n)
    return float(np.mean(values) - reach), float(np.mean(values) + reach)


@dataclasses.dataclass(frozen=True)
class Shares:
    """How a difference splits into its two factors; ``cell`` and ``recipe`` sum to ``gap``."""

    gap: float
    cell: float
    recipe: float


def shares(start: float, other_cell: float, other_recipe: float, both: float) -> Shares:
    """Splits ``both - start`` over a 2 x 2.

    Each share is the mean over the two orders in which the factors can be changed one after the
    other (Shapley, 1953).

    Args:
      start: the figure at the corner that is left.
      other_cell: with only the cell changed.
      other_recipe: with only the recipe changed.
      both: at the corner that is reached.
    """
    cell = ((other_cell - start) + (both - other_recipe)) / 2
    recipe = ((other_recipe - start) + (both - other_cell)) / 2
    return Shares(both - start, cell, recipe)
