import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnsent import data
from rnnsent.data.encoding import limit
from rnnsent.errors import UserError

SIDES = st.sampled_from(["pre", "post"])
ROWS = st.lists(st.lists(st.integers(1, 99), max_size=12), max_size=5)


def test_padding_and_truncating_by_example():
    rows = [[1, 2, 3, 4, 5], [6], []]
    left, right = data.Encoding(maxlen=3), data.Encoding(6, 3, "post", "post")
    assert data.pad(rows, left).tolist() == [[3, 4, 5], [0, 0, 6], [0, 0, 0]]
    assert data.pad(rows, right).tolist() == [[1, 2, 3], [data.OOV, 0, 0], [0, 0, 0]]
    assert data.pad([], left).shape == (0, 3)


@given(ROWS, st.integers(1, 15), SIDES, SIDES)
def test_a_row_keeps_its_end_or_beginning_and_zeros_fill_one_side(rows, maxlen, padding, cut):
    ids_NT = data.pad(rows, data.Encoding(100, maxlen, padding, cut))
    assert ids_NT.shape == (len(rows), maxlen) and ids_NT.dtype == np.int32
    for ids_T, row in zip(ids_NT, rows, strict=True):
        kept = row[max(0, len(row) - maxlen) :] if cut == "pre" else row[:maxlen]
        fill = [0] * (maxlen - len(kept))
        assert ids_T.tolist() == (fill + kept if padding == "pre" else kept + fill)


def test_ids_at_num_words_become_unknown():
    assert limit(np.array([[0, 1, 4999, 5000]]), 5000).tolist() == [[0, 1, 4999, 2]]


def test_new_text_is_one_padded_row():
    words = data.Vocabulary(("good", "film"), "test")
    five, two = data.Encoding(maxlen=5), data.Encoding(5, 2, truncating="post")
    assert data.encode_text("Good film, odd!", words, five).tolist() == [[0, 0, 1, 4, 5]]
    assert data.encode_text("Good film", words, two).tolist() == [[1, 4]]
    assert data.encode_text("film", words, two).tolist() == [[1, data.OOV]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_words": 2}, "num_words=2 leaves no words"),
        ({"num_words": 10**12}, "num_words=1000000000000 is beyond any vocabulary"),
        ({"maxlen": 0}, "maxlen=0 is no length"),
        ({"maxlen": 10**9}, "maxlen=1000000000 is beyond any review"),
        ({"padding": "left"}, "padding='left' is unknown"),
        ({"truncating": "mid"}, "truncating='mid' is unknown"),
    ],
)
def test_impossible_values_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        data.Encoding(**changes)
