"""Predictions of several models on reviews where what they share is known."""

import numpy as np
import pytest

from rnnsent import predictions
from rnnsent.data import Split
from rnnsent.predictions import Agreed

RIGHT, WRONG = np.array([-1.0, 1.0]), np.array([1.0, 1.0])


def test_agreement_is_by_seed_and_between_the_seeds_of_each():
    found = list(
        predictions.agreements({"a": {0: RIGHT, 1: WRONG}, "b": {1: WRONG}, "c": {5: RIGHT}})
    )
    half = pytest.approx(0.0)
    assert found == [
        Agreed(first="a", second="b", pairs=1, share=1.0, kappa=None),
        Agreed(first="a", second="a", pairs=1, share=0.5, kappa=half),
    ]


def test_groups_are_means_over_seeds():
    ids_NT = np.array([[0, 1, 5], [1, 5, 2]], np.int32)
    test = Split(ids_NT, np.array([0, 1], np.int32), ("a", "b"), np.array([2, 60], np.int32))
    found = predictions.groups({"a": {0: RIGHT, 1: WRONG}, "b": {0: WRONG}}, test)
    assert {kind: [(g.name, g.reviews, g.accuracy) for g in of] for kind, of in found.items()} == {
        "true length": [
            ("0 to 50 ids", 1, {"a": 0.5, "b": 0.0}),
            ("50 to 100 ids", 1, {"a": 1.0, "b": 1.0}),
        ],
        "padding": [
            ("no padding", 1, {"a": 1.0, "b": 1.0}),
            ("on the left", 1, {"a": 0.5, "b": 0.0}),
        ],
        "unknown words": [
            ("0 to 2%", 1, {"a": 0.5, "b": 0.0}),
            ("20 and more%", 1, {"a": 1.0, "b": 1.0}),
        ],
    }
