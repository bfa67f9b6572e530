"""Trained classifiers as one file that runs without rnnsent, on any Python that has JAX."""

from rnnsent.exported.files import load, save
from rnnsent.exported.program import PLATFORMS
from rnnsent.exported.reader import Classifier

__all__ = ["PLATFORMS", "Classifier", "load", "save"]
