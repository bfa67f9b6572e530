"""How far back a trained model looks: gradients by words before the end, as curves over reviews."""

from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from rnnsent import analysis
from rnnsent.model import SentimentClassifier

REVIEWS = 512
"""Test reviews whose gradients make a curve."""

QUARTILES = (25, 50, 75)


Norms = Annotated[tuple[float | None, ...], Meta(min_length=1)]


class Curve(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Norms of a gradient by words before the end (the first is of the last word), over reviews.

    Quartiles and mean are over the reviews that are as long; None stands for no finite number.
    """

    low: Norms
    median: Norms
    high: Norms
    mean: Norms

    def __post_init__(self) -> None:
        if len({len(one) for one in (self.low, self.median, self.high, self.mean)}) > 1:
            raise ValueError("the quartiles and the mean of a curve are as long as one another")

    @property
    def median_D(self) -> np.ndarray:
        """float64, NaN where it is no finite number."""
        return np.array(self.median, float)

    @property
    def mean_D(self) -> np.ndarray:
        """Likewise."""
        return np.array(self.mean, float)

    @property
    def quartiles_QD(self) -> np.ndarray:
        """float64 (3, D): the lower quartile, the median, the upper quartile."""
        return np.array([self.low, self.median, self.high], float)


class MemoryCurves(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Norms of the logit's gradient with respect to what was read and held.

    Attributes:
      word: with respect to the embedding of the word read.
      carry: with respect to ``h 1``, ``h 2``, … (each layer's output) and ``c 1``, … (the rest of
        its carry, where it has one).
    """

    word: Curve
    carry: dict[str, Curve]


def memory_curves(
    model: SentimentClassifier, params: Any, ids_NT: np.ndarray, *, reviews: int = REVIEWS
) -> MemoryCurves:
    """The curves of a model over the first ``reviews`` rows; see :func:`analysis.memory`."""
    norms = analysis.memory(model, params, ids_NT[:reviews])
    curves = {name: _curve(np.asarray(norm_BD)) for name, norm_BD in norms.items()}
    return MemoryCurves(curves.pop("x"), curves)


def _curve(norm_BD: np.ndarray) -> Curve:
    longest = int((~np.isnan(norm_BD)).any(0).sum())
    norm_BD = norm_BD[:, :longest].astype(np.float64)
    with np.errstate(invalid="ignore"):  # between infinities there is no number
        rows = [*np.nanpercentile(norm_BD, QUARTILES, axis=0), np.nanmean(norm_BD, axis=0)]
    return Curve(*(tuple(map(_rounded, row.tolist())) for row in rows))


def _rounded(value: float) -> float | None:
    """To what a figure can show: curves are most of what is written of a training."""
    return float(f"{value:.5g}") if np.isfinite(value) else None
