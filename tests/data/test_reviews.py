import json

import numpy as np
import pytest

from rnnsent import data
from rnnsent.data.archive import PUBLISHED

WHOLE = {"source": "imdb", "digest": PUBLISHED.digest, "train": 25_000, "test": 25_000}


@pytest.fixture(scope="module")
def reviews():
    return data.load("toy", data.Encoding(maxlen=12))


def test_the_first_rows_are_the_first(reviews):
    few = reviews.first(100, 10)
    for part, whole, rows in ((few.train, reviews.train, 100), (few.test, reviews.test, 10)):
        assert len(part) == rows and part.names == whole.names[:rows]
        np.testing.assert_array_equal(part.ids_NT, whole.ids_NT[:rows])
        np.testing.assert_array_equal(part.label_N, whole.label_N[:rows])
        np.testing.assert_array_equal(part.length_N, whole.length_N[:rows])
    held = few.provenance
    assert (held["train"], held["test"]) == (100, 10)
    assert held["title"].endswith("(first 100 training and 10 test rows only)")
    assert held["test_title"] == "accuracy on the first 10 test rows (toy)"


def test_fewer_rows_than_asked_for_are_all(reviews):
    assert reviews.first(5000, 5000) is reviews
    assert len(reviews.first(5000, 10).train) == 1024


def test_a_validation_part_of_the_toys(reviews):
    held_out = data.load("toy", data.Encoding(maxlen=12), validation=0.2)
    assert held_out.train.names == reviews.train.names[:819]
    assert held_out.test.names == reviews.train.names[819:]
    assert held_out.provenance["test_title"].startswith("validation accuracy, 205 of the 1,024")
    few = held_out.first(100, 10).provenance
    assert few["test_title"] == "accuracy on the first 10 validation rows (toy)"
    assert json.loads(json.dumps(few)) == few and few["validation"] == 0.2


def test_the_first_part_is_as_long_as_keras_makes_it():
    for rows, share, first in ((25_000, 0.2, 20_000), (1024, 0.2, 819), (3, 0.5, 1)):
        assert data.reviews.held_out_from(rows, share) == first


def test_only_the_whole_of_imdb_on_its_test_split_is_comparable(reviews):
    assert data.comparable(WHOLE) and data.comparable(WHOLE | {"test_title": "another word"})
    changes = (
        {"source": "imdb-train"},
        {"digest": "0"},
        {"train": 2_560},
        {"test": 5_000},
        {"validation": 0.5},
    )
    assert not [change for change in changes if data.comparable(WHOLE | change)]
    named = dict(reviews.provenance, test_title="IMDB test accuracy")
    assert not reviews.comparable and not data.comparable(named)
