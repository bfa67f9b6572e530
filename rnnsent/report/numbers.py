"""Figures as they stand in sentences and tables."""

from collections.abc import Sequence

import numpy as np

from rnnsent.evaluation import Spread


def percent(value: float) -> str:
    """A share in percent."""
    return f"{100 * value:.2f}%"


def points(difference: float) -> str:
    """A difference of two shares in percentage points, without its sign."""
    return f"{100 * abs(difference):.2f} points"


def short(spread: Spread) -> str:
    """``84.45% ± 0.12``; without the ± for a single seed."""
    return percent(spread.mean) + ("" if spread.std is None else f" ± {100 * spread.std:.2f}")


def plus_minus(values: Sequence[float], digits: int = 4) -> str:
    """Mean and sample standard deviation of a figure over seeds."""
    mean = f"{np.mean(values):.{digits}f}"
    return mean if len(values) < 2 else f"{mean} ± {np.std(values, ddof=1):.{digits}f}"


def duration(seconds: float) -> str:
    """``2 min 5 s``, ``4.2 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def p_value(p: float) -> str:
    """``p = 0.03``, ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def listed(texts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *before, last = texts
    return f"{', '.join(before)} and {last}" if before else last


def numbered(noun: str, numbers: Sequence[int]) -> str:
    """``seed 0``, ``seeds 0, 2``: of a number alone one would not know that it is a name."""
    plural = "" if len(numbers) == 1 else "s"
    return f"{noun}{plural} {', '.join(map(str, numbers))}"


def counted(number: int, noun: str) -> str:
    """``one seed``, ``3 seeds``."""
    return f"one {noun}" if number == 1 else f"{number:,} {noun}s"
