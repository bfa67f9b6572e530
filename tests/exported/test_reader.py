"""A text becomes the same ids without rnnsent, and ids of any shape are read or refused."""

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rnnsent import data
from rnnsent.exported.reader import Classifier
from rnnsent.exported.schema import Rules
from rnnsent.model import SentimentClassifier

WORDS = ("a", "fine", "film", "it's", "\x96", "é", "\u2028", "ſ", "!", "", "x" * 50, "9", "İ", "ß")
MODEL = SentimentClassifier(vocab_size=40)


def reader(encoding: data.Encoding) -> Classifier:
    """Of words alone, without a program."""
    rules = msgspec.structs.asdict(Rules.of(MODEL, encoding))
    return Classifier({}, rules, WORDS, None)


texts = st.text() | st.lists(
    st.sampled_from(WORDS) | st.sampled_from(("FILM", "Fine,a", "É", "\n", "\x00", "\ud800", "zz"))
).map(" ".join)
encodings = st.builds(
    data.Encoding,
    st.integers(3, 40),
    st.integers(1, 7),
    st.sampled_from(("pre", "post")),
    st.sampled_from(("pre", "post")),
)


@settings(max_examples=60)
@given(texts, encodings)
@example("", data.Encoding(3, 1))
def test_ids_are_those_that_rnnsent_makes_of_any_text(text, encoding):
    held, vocabulary = reader(encoding), data.Vocabulary(WORDS, "test")
    ids_1T = held.encode([text])
    np.testing.assert_array_equal(ids_1T, data.encode_text(text, vocabulary, encoding))
    assert ids_1T.dtype == np.int32 and held.tokenise(text) == data.tokenise(text)


def test_one_text_is_not_taken_for_several():
    with pytest.raises(TypeError, match="a list of texts"):
        reader(data.Encoding(9, 5)).probability("a fine film")


def test_no_text_is_no_row():
    assert reader(data.Encoding(9, 5)).encode([]).shape == (0, 5)


@pytest.mark.parametrize(
    "ids",
    [[[0, 40]], [[-1]], [1, 2], [[1.0]], [["a"]], [[[1]]]],
    ids=("above", "below", "flat", "floats", "words", "deep"),
)
def test_what_are_no_ids_is_refused(ids):
    with pytest.raises(ValueError, match="ids are .* expected"):
        reader(data.Encoding(9, 5)).logits(np.array(ids))
