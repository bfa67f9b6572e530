"""What predictions are worth: metrics over reviews, spread over seeds, tests between models.

Pure functions of logits and labels, in NumPy and SciPy. Two kinds of uncertainty are kept apart by
name: an *interval* is over reviews (another test set), a *spread* over seeds (another training).
"""

import dataclasses

import numpy as np
from scipy import special, stats


def probability(logits_N: np.ndarray) -> np.ndarray:
    """Probability of a positive review, float64."""
    return special.expit(np.asarray(logits_N, np.float64))


def correct(logits_N: np.ndarray, label_N: np.ndarray) -> np.ndarray:
    """bool (N,): whether each review is classified right; a logit above 0 says positive."""
    return (np.asarray(logits_N) > 0) == (np.asarray(label_N) == 1)


def accuracy(logits_N: np.ndarray, label_N: np.ndarray) -> float:
    """Share of reviews classified right."""
    return float(correct(logits_N, label_N).mean())


def log_loss(logits_N: np.ndarray, label_N: np.ndarray) -> float:
    """Mean binary cross-entropy in nats, from logits, so that no probability is rounded to 0."""
    signed_N = np.where(np.asarray(label_N) == 1, 1.0, -1.0) * np.asarray(logits_N, np.float64)
    return float(np.logaddexp(0, -signed_N).mean())


@dataclasses.dataclass(frozen=True)
class Spread:
    """One figure over seeds.

    ``std`` is the sample standard deviation (n - 1), None for a single seed.
    """

    n: int
    mean: float
    std: float | None
    low: float
    high: float


def spread(values: list[float]) -> Spread:
    """The spread of one figure over seeds."""
    a = np.asarray(values, np.float64)
    std = float(a.std(ddof=1)) if len(a) > 1 else None
    return Spread(len(a), float(a.mean()), std, float(a.min()), float(a.max()))


@dataclasses.dataclass(frozen=True)
class McNemar:
    """Two models on the same reviews: how often only one of them is right, and what that is worth.

    ``p_value`` is two-sided and exact: under the null hypothesis the reviews on which exactly one
    model is right are tosses of a fair coin (McNemar, 1947).
    """

    only_first: int
    only_second: int
    p_value: float


def mcnemar(first_N: np.ndarray, second_N: np.ndarray) -> McNemar:
    """The exact McNemar test on two bool arrays of correctness over the same reviews."""
    only_first = int((first_N & ~second_N).sum())
    only_second = int((second_N & ~first_N).sum())
    differ = only_first + only_second
    p_value = stats.binomtest(only_first, differ, 0.5).pvalue if differ else 1.0
    return McNemar(only_first, only_second, float(p_value))


def accuracy_interval(correct_N: np.ndarray, *, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of the accuracy over reviews (Wilson, 1927)."""
    result = stats.binomtest(int(correct_N.sum()), len(correct_N))
    low, high = result.proportion_ci(confidence, method="wilson")
    return float(low), float(high)
