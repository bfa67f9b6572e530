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


SEPARATORS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n '
WORDS = (
    "the",
    "it's",
    "naïve",
    "É",
    "bad",
    "\u212a",
    "ß",
    "good",
    "\u0130",
    "film",
    "a\u00a0b",
    "x",
)
"""With letters that Unicode would lower-case: the Kelvin sign U+212A becomes a k there."""
PIECES = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(WORDS).map(str.upper),
    st.sampled_from(SEPARATORS),
    st.text(max_size=3),
)
TEXTS = st.lists(PIECES, max_size=20).flatmap(
    lambda pieces: st.sampled_from(["", " "]).map(lambda between: between.join(pieces))
)


def slowly(text: str, encoding: data.Encoding) -> list[int]:
    """A row of ids by Keras's rule, character by character."""
    words, word = [], ""
    for character in text + " ":
        if character in SEPARATORS:
            words, word = ([*words, word] if word else words), ""
        elif "A" <= character <= "Z":
            word += chr(ord(character) + 32)
        else:
            word += character
    ids = [1]
    for word in words:
        for rank, known in enumerate(WORDS, start=1):
            if word == known:
                ids.append(rank + 3 if rank + 3 < encoding.num_words else 2)
    while len(ids) > encoding.maxlen:
        del ids[0 if encoding.truncating == "pre" else -1]
    while len(ids) < encoding.maxlen:
        ids.insert(0 if encoding.padding == "pre" else len(ids), 0)
    return ids


@given(TEXTS, st.integers(3, 17), st.integers(1, 9), SIDES, SIDES)
def test_any_text_becomes_the_ids_of_keras_rule(text, num_words, maxlen, padding, cut):
    encoding = data.Encoding(num_words, maxlen, padding, cut)
    ids_1T = data.encode_text(text, data.Vocabulary(WORDS, "test"), encoding)
    assert ids_1T.dtype == np.int32 and ids_1T.tolist() == [slowly(text, encoding)]


@given(TEXTS, st.integers(3, 17), st.integers(1, 9), SIDES, SIDES)
def test_what_is_decoded_is_encoded_alike(text, num_words, maxlen, padding, cut):
    """But for unknown words, of which nothing is left."""
    words, encoding = data.Vocabulary(WORDS, "test"), data.Encoding(num_words, maxlen, padding, cut)
    row_T = data.encode_text(text, words, encoding)[0]
    known = [int(i) for i in row_T if i > data.OOV]
    again = data.encode_text(words.decode(row_T), words, encoding)
    assert again.tolist() == data.pad([[1, *known]], encoding).tolist()
    assert words.encode(words.decode(known)) == [1, *known]


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
