"""Trains and measures all that the claims need, into a run folder, and makes the record of it."""

import dataclasses
import itertools
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from rnnsent import console, evaluation, notebook, readings, runs
from rnnsent.claims import criteria, measure
from rnnsent.claims.conditions import CONDITIONS, Planned
from rnnsent.claims.measure import Epoch, Found
from rnnsent.claims.record import Agreement, Claim, Record, Row
from rnnsent.data import OOV, START, Reviews, Split
from rnnsent.evaluation import Group

LENGTHS = (0, 50, 100, 132, 200, 300, 500)
"""Edges of the bins of a review's true length, in ids."""
UNKNOWN = (0, 2, 5, 10, 15, 20)
"""Edges of the bins of unknown words, in percent of those read."""


@dataclasses.dataclass(frozen=True)
class Seed:
    """One finished training: as read back, with its model."""

    found: Found
    logits_N: np.ndarray
    model: Any
    params: Any
