"""One door to every source of reviews: ``load``."""

import os
import pathlib

from rnnsent.data import toy, wheel
from rnnsent.data.encoding import check
from rnnsent.data.reviews import Reviews, split
from rnnsent.data.vocabulary import Vocabulary, count, read_word_index, tokenise
from rnnsent.errors import UserError

SOURCES = ("auto", "imdb", "imdb-train", "toy")
WORD_INDEX_ENV = "RNNSENT_IMDB_WORD_INDEX"
ARCHIVE_ENV = "RNNSENT_IMDB_ARCHIVE"


def load(
    source: str = "auto",
    *,
    num_words: int = 5000,
    maxlen: int = 132,
    padding: str = "pre",
    truncating: str = "pre",
    archive: str | os.PathLike | None = None,
    word_index: str | os.PathLike | None = None,
    data_dir: str | os.PathLike | None = None,
) -> Reviews:
    check(num_words, maxlen, padding, truncating)
    encoding = dict(num_words=num_words, maxlen=maxlen, padding=padding, truncating=truncating)
    if source == "toy":
        reviews = toy.load(num_words, maxlen)
    else:
        reviews = _load_wheel(encoding, None)
    return _described(reviews, encoding)


def _load_wheel(encoding: dict, vocabulary: Vocabulary | None) -> Reviews:
    """The wheel's reviews, encoded with ``vocabulary`` or with one counted from its train part."""
    texts, label_N = wheel.read()
    train_N, test_N = wheel.rows(label_N)
    words = [tokenise(text) for text in texts]
    if vocabulary is None:
        vocabulary = count(
            (words[row] for row in train_N), f"counted from {len(train_N):,} training reviews"
        )
    train, test = (
        split(
            [vocabulary.ids(words[row]) for row in rows_N],
            label_N[rows_N],
            [f"wheel/{row:05d}" for row in rows_N],
            **encoding,
        )
        for rows_N in (train_N, test_N)
    )
    provenance = {
        "source": "imdb-train",
        "title": "the 25,000 IMDB training reviews, 20,000 for training and 5,000 held out",
        "test_title": "held-out accuracy, 5,000 of the 25,000 IMDB training reviews",
        "digest": wheel.CSV_SHA256,
    }
    return Reviews(train, test, vocabulary, provenance)


def _described(reviews: Reviews, encoding: dict) -> Reviews:
    """``reviews`` with everything in their provenance that holds for every source."""
    reviews.provenance.update(
        vocabulary=reviews.vocabulary.origin,
        train=len(reviews.train.names),
        test=len(reviews.test.names),
        **encoding,
    )
    if reviews.provenance["source"] == "toy":
        reviews.provenance.update(padding="mixed", truncating="none")
    return reviews
