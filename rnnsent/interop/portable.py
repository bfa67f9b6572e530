"""A trained classifier on its way between libraries."""

import dataclasses
from typing import Any

import numpy as np

from rnnsent.model import SentimentClassifier

MASKED = (
    "Predictions assume that id 0 is padding and masked wherever it stands, as Keras's "
    "mask_zero=True does it."
)
UNMASKED = (
    "The embedding has mask_zero=False: predictions assume that every id is read, 0 too, so pad as "
    "in training and give a mask of ones. rnnsent.predict, which masks id 0, predicts otherwise."
)


@dataclasses.dataclass(frozen=True)
class Portable:
    """What a file of weights holds, or is to hold.

    Attributes:
      model: the classifier.
      params: its parameters, NumPy's or JAX's arrays.
      mask_zero: whether id 0 is padding. Where not, ``predict`` is not what was trained: apply the
        model with :meth:`mask`.
      notes: what was assumed or left out when it was read, a sentence each.
    """

    model: SentimentClassifier
    params: Any
    mask_zero: bool = True
    notes: tuple[str, ...] = ()

    def mask(self, ids_BT: np.ndarray) -> np.ndarray:
        """The mask (B, T), True = read, under which the model predicts what it was trained to."""
        return ids_BT != 0 if self.mask_zero else np.ones_like(ids_BT, bool)

    @property
    def assumes(self) -> str:
        """A sentence on what its predictions assume of the ids."""
        return MASKED if self.mask_zero else UNMASKED
