"""What predictions are worth: metrics over reviews, spread over seeds, tests between models.

Pure functions of logits and labels, in NumPy and SciPy. Two kinds of uncertainty are kept apart by
name: an *interval* is over reviews (another test set), a *spread* over seeds (another training).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import special, stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, cohen_kappa_score


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


def bootstrap_interval(
    correct_N: np.ndarray, *, seed: int = 0, confidence: float = 0.95, resamples: int = 2000
) -> tuple[float, float]:
    """Percentile bootstrap interval of the accuracy over reviews (Efron, 1979).

    Args:
      correct_N: bool, whether each review is classified right.
      seed: of the resampling.
      confidence: share of resamples inside.
      resamples: how many.
    """
    if len(correct_N) < 2:
        raise ValueError("an interval over reviews needs at least two of them")
    result = stats.bootstrap(
        (np.asarray(correct_N, np.float64),),
        np.mean,
        confidence_level=confidence,
        n_resamples=resamples,
        batch=50,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


@dataclasses.dataclass(frozen=True)
class Calibration:
    """How far probabilities can be taken at their word.

    Attributes:
      ece: expected calibration error, in probability: the mean distance between a bin's mean
        probability and its share of positives, weighted by reviews (Naeini et al., 2015).
      brier: mean squared distance between probability and label (Brier, 1950).
      mean_probability: of each bin that has reviews, the reliability curve's x.
      share_positive: of each such bin, its y.
      reviews: in each such bin.
    """

    ece: float
    brier: float
    mean_probability: tuple[float, ...]
    share_positive: tuple[float, ...]
    reviews: tuple[int, ...]


def calibration(logits_N: np.ndarray, label_N: np.ndarray, *, bins: int = 10) -> Calibration:
    """Calibration over ``bins`` equal parts of [0, 1]."""
    p_N = probability(logits_N)
    share, mean = calibration_curve(label_N, p_N, n_bins=bins)
    # The curve leaves out empty bins and does not say how many reviews the others hold.
    edges = np.linspace(0, 1, bins + 1)
    count = np.bincount(np.searchsorted(edges[1:-1], p_N), minlength=bins)
    count = count[count > 0]
    ece = float(np.average(np.abs(share - mean), weights=count))
    brier = float(brier_score_loss(label_N, p_N))
    return Calibration(
        ece, brier, tuple(mean.tolist()), tuple(share.tolist()), tuple(count.tolist())
    )


@dataclasses.dataclass(frozen=True)
class Group:
    """Some of the reviews, by name, and the share of them classified right."""

    name: str
    reviews: int
    accuracy: float


def by_bins(
    values_N: np.ndarray, correct_N: np.ndarray, edges: Sequence[float], unit: str = ""
) -> list[Group]:
    """Accuracy of the reviews with ``edge <= value < next edge``; the last bin has no upper end.

    Empty bins are left out.
    """
    bin_N = np.searchsorted(edges, values_N, side="right") - 1
    out = []
    for i, low in enumerate(edges):
        right = correct_N[bin_N == i]
        end = f" to {edges[i + 1]:g}" if i + 1 < len(edges) else " and more"
        if len(right):
            out.append(Group(f"{low:g}{end}{unit}", len(right), float(right.mean())))
    return out


def by_padding(mask_NT: np.ndarray, correct_N: np.ndarray) -> list[Group]:
    """Accuracy by where a row's padding stands."""
    first_N, last_N = mask_NT[:, 0], mask_NT[:, -1]
    gaps_N = (np.diff(mask_NT.astype(np.int8), axis=1) != 0).sum(1)
    empty_N = ~mask_NT.any(1)
    inside_N = ~empty_N & (gaps_N > (~first_N).astype(int) + ~last_N)
    places = {
        "no padding": mask_NT.all(1),
        "on the left": ~empty_N & ~inside_N & ~first_N & last_N,
        "on the right": ~empty_N & ~inside_N & first_N & ~last_N,
        "on both sides": ~empty_N & ~inside_N & ~first_N & ~last_N,
        "between words": inside_N,
        "everywhere": empty_N,
    }
    return [
        Group(name, int(rows_N.sum()), float(correct_N[rows_N].mean()))
        for name, rows_N in places.items()
        if rows_N.any()
    ]


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Two sets of predictions on the same reviews: the share that agrees, and Cohen's kappa.

    ``kappa`` is agreement beyond chance (Cohen, 1960); None where both say one thing of all.
    """

    share: float
    kappa: float | None


def agreement(first_logits_N: np.ndarray, second_logits_N: np.ndarray) -> Agreement:
    """How often two models, or two seeds of one, say the same."""
    first_N, second_N = np.asarray(first_logits_N) > 0, np.asarray(second_logits_N) > 0
    share = float((first_N == second_N).mean())
    one_answer = len(np.unique([first_N, second_N])) == 1
    return Agreement(share, None if one_answer else float(cohen_kappa_score(first_N, second_N)))
