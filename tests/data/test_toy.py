import numpy as np
import pytest

from rnnsent import data


@pytest.fixture(scope="module")
def reviews():
    return data.load("toy", data.Encoding(maxlen=24))


def test_it_is_the_same_every_time(reviews):
    again = data.load("toy", data.Encoding(maxlen=24))
    np.testing.assert_array_equal(again.train.ids_NT, reviews.train.ids_NT)
    assert again.provenance == reviews.provenance


def test_shapes_names_and_provenance(reviews):
    assert reviews.train.ids_NT.shape == (1024, 24) and reviews.test.ids_NT.shape == (256, 24)
    assert reviews.train.ids_NT.dtype == reviews.train.label_N.dtype == np.int32
    assert reviews.train.names[17] == "toy/17" and reviews.test.names[0] == "toy/1024"
    assert reviews.provenance["test_title"] == "toy accuracy"
    assert reviews.provenance["padding"] == "mixed" and reviews.provenance["maxlen"] == 24


@pytest.mark.parametrize("name", ["train", "test"])
def test_lengths_run_from_none_to_all_and_gaps_are_everywhere(reviews, name):
    split = getattr(reviews, name)
    mask_NT = split.mask_NT
    np.testing.assert_array_equal(mask_NT.sum(1), split.length_N)
    assert set(split.length_N) == set(range(25))
    first_N, last_N = mask_NT.argmax(1), 23 - mask_NT[:, ::-1].argmax(1)
    inside = mask_NT.any(1)
    whole = last_N - first_N + 1 == split.length_N
    assert np.sum(inside & whole & (first_N > 0) & (last_N == 23)) > 20  # left padding
    assert np.sum(inside & whole & (first_N == 0) & (last_N < 23)) > 20  # right padding
    assert np.sum(inside & whole & (first_N > 0) & (last_N < 23)) > 20  # both
    assert np.sum(inside & ~whole) > 20  # inside


def test_the_label_is_what_the_words_say(reviews):
    good, bad = {"good", "great", "fine", "lovely"}, {"bad", "awful", "dull", "poor"}
    for ids_T, label in zip(reviews.train.ids_NT, reviews.train.label_N, strict=True):
        words = reviews.vocabulary.decode(ids_T).split()
        balance = sum(w in good for w in words) - sum(w in bad for w in words)
        assert label == (balance > 0)
    assert 0.4 < reviews.train.label_N.mean() < 0.6


def test_a_row_starts_with_the_start_mark(reviews):
    for ids_T in reviews.test.ids_NT:
        real = ids_T[ids_T > 0]
        assert not len(real) or (real[0] == data.START and data.START not in real[1:])


def test_num_words_holds_here_too():
    ids_NT = data.load("toy", data.Encoding(num_words=10, maxlen=24)).train.ids_NT
    assert ids_NT.max() == 9 and data.OOV in ids_NT
