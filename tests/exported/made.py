"""Classifiers for the exported files' tests and for streaming."""

import pathlib

import jax
import numpy as np
from guests import MinimalCell

from rnnsent import data, exported, parameters
from rnnsent.model import SentimentClassifier

VOCABULARY = data.Vocabulary(("a", "fine", "film", "é\u2028", *map(str, range(30))), "test")
ENCODING = data.Encoding(20, 6)


def model_of(cell: str) -> SentimentClassifier:
    return SentimentClassifier(cell=cell, features=(6, 4), head=3, vocab_size=20, embedding_size=5)


def params_of(model: SentimentClassifier):
    """Of a size at which all of them matter; the integers of a table as they are."""
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda a: rng.normal(0, 0.4, a.shape).astype(a.dtype), parameters.shapes(model)
    )


def saved(path: pathlib.Path, cell: str = "gru", **options):
    model = model_of(cell)
    params = params_of(model)
    exported.save(path, model, params, VOCABULARY, ENCODING, **options)
    return model, params


class LengthCell(MinimalCell):
    """Asks how many rows there are."""

    def step(self, params, carry, x_BE):
        return super().step(params, carry, x_BE * len(x_BE))
