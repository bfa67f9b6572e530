"""IMDB as a TFDS dataset: every review with label, name, text and full-vocabulary ids.

Two configurations, ``published`` and ``counted``, because ids depend on the vocabulary they were
made with. Works without TensorFlow. Each split is stored in the order of Keras's copy.
"""

import contextlib
import functools
import io
import os
import pathlib
import shutil
import textwrap
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.proto import tf_example_pb2

from rnnsent import locks
from rnnsent.console import bar
from rnnsent.data import archive as archives
from rnnsent.data import network
from rnnsent.data import vocabulary as vocabularies
from rnnsent.data.seal import Seal, file_digest
from rnnsent.data.vocabulary import Vocabulary, tokenise
from rnnsent.errors import UserError

VOCABULARY_FILE = "vocabulary.json"
ARCHIVES_FILE = "archives.sha256"
CONFIGS = ("published", "counted")


class _Info(tfds.core.DatasetInfo):
    """Dataset info that never asks Google's bucket about a dataset that is not there."""

    def initialize_from_bucket(self) -> None:
        pass


class _Words(msgspec.Struct, frozen=True):
    """``vocabulary.json``: what the ids mean, and which reviews they are (``archive.digest``)."""

    origin: str
    digest: str
    words: tuple[str, ...]


class RnnsentImdb(tfds.core.GeneratorBasedBuilder):
    """25,000 / 25,000 labelled and 50,000 unlabelled reviews.

    ``archive``: a local copy of the archive (any tar compression); None downloads the published
    one. ``vocabulary``: None counts one from the training reviews. ``content``: what the archive
    must hold.
    """

    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES = {"1.1.0": "Every split has a digest."}
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name) for name in CONFIGS]

    def __init__(
        self,
        *,
        archive: pathlib.Path | None = None,
        vocabulary: Vocabulary | None = None,
        content: archives.Content = archives.PUBLISHED,
        **kwargs: Any,
    ):
        self._archive, self._vocabulary, self._content = archive, vocabulary, content
        super().__init__(file_format="array_record", **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        return _Info(
            builder=self,
            description=__doc__,
            homepage="https://ai.stanford.edu/~amaas/data/sentiment/",
            disable_shuffling=True,
            features=tfds.features.FeaturesDict(
                {
                    "label": tfds.features.ClassLabel(names=["neg", "pos"]),
                    "name": tfds.features.Text(),
                    "text": tfds.features.Text(),
                    "ids": tfds.features.Tensor(shape=(None,), dtype=np.int32),
                }
            ),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        path = self._archive or _downloaded(pathlib.Path(self._data_dir_root) / "downloads")
        with bar("Reading the IMDB archive", _size(path)) as advance:
            files = archives.read(path, advance)
        archives.verify(files, path, self._content)
        names = archives.order(files)
        vocabulary = self._vocabulary or _count(files, names["train"])
        folder = pathlib.Path(self.data_dir)
        words = _Words(vocabulary.origin, self._content.digest, vocabulary.words)
        (folder / VOCABULARY_FILE).write_bytes(msgspec.json.encode(words))
        (folder / ARCHIVES_FILE).write_text(file_digest(path) + "\n")
        return {
            split: self._generate_examples(split, names[split], files, vocabulary)
            for split in names
        }

    def _generate_examples(
        self, split: str, names: list[str], files: dict[str, bytes], vocabulary: Vocabulary
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        folder = pathlib.Path(self.data_dir)
        seal = _seal(folder, split)
        with bar(f"Writing {split} reviews", len(names)) as advance:
            for row, name in enumerate(names):
                text = files[name].decode("utf-8", errors="replace")  # the digest skips unlabelled
                ids = np.array(vocabulary.encode(text), np.int32)
                label = archives.label(name)
                seal.add(ids, label, name)
                yield row, {"label": label, "name": name, "text": text, "ids": ids}
                advance(1)
        (folder / f"{split}.sha256").write_text(seal.text + "\n")


def _seal(folder: pathlib.Path, split: str) -> Seal:
    """The seal of a split whose vocabulary lies in the folder."""
    return Seal((folder / VOCABULARY_FILE).read_bytes(), split)


def _downloaded(folder: pathlib.Path) -> pathlib.Path:
    """The published archive, verified; one that was downloaded before is used."""
    path = folder / pathlib.PurePosixPath(archives.URL).name
    if path.is_file() and file_digest(path) == archives.URL_SHA256:
        return path
    for left in folder.glob(f"{path.name}.*{network.PARTIAL}"):  # no other process downloads it
        left.unlink()
    with bar("Downloading the IMDB archive", archives.URL_BYTES) as advance:
        expected = archives.URL_BYTES, archives.URL_SHA256
        network.download(archives.URL, path, *expected, advance=advance)
    return path


@contextlib.contextmanager
def _tfds_bars(shown: bool) -> Iterator[None]:
    """TFDS's own progress bars, which know nothing of terminals, on or off for a while."""
    before = tfds.core.utils.tqdm_utils._active
    tfds.display_progress_bar(shown)
    try:
        yield
    finally:
        tfds.display_progress_bar(before)


def _size(path: pathlib.Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _count(files: dict[str, bytes], names: list[str]) -> Vocabulary:
    words = (tokenise(files[name].decode("utf-8")) for name in names)
    return vocabularies.count(words, f"counted from {len(names):,} training reviews")


def read_vocabulary(builder: RnnsentImdb) -> tuple[Vocabulary, str]:
    """The vocabulary and the content digest of a prepared dataset; ``read`` verifies both."""
    try:
        content = (pathlib.Path(builder.data_dir) / VOCABULARY_FILE).read_bytes()
        held = msgspec.json.decode(content, type=_Words)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _damaged(builder.data_dir, error) from error
    return Vocabulary(held.words, held.origin), held.digest


def check_archive(
    builder: RnnsentImdb, path: pathlib.Path, content: archives.Content = archives.PUBLISHED
) -> None:
    """Raises ``UserError`` unless an archive holds the reviews that are prepared.

    What was prepared from it or checked before is known by a digest of the archive itself, which
    takes a hundredth of the time.
    """
    own, place = file_digest(path), pathlib.Path(builder.data_dir) / ARCHIVES_FILE
    if place.is_file() and own in place.read_text(errors="replace").split():
        return
    with bar("Checking the IMDB archive", _size(path)) as advance:
        files = archives.read(path, advance)
    archives.verify(files, path, content)
    with contextlib.suppress(OSError), place.open("a") as known:
        known.write(own + "\n")


def _damaged(folder: str | os.PathLike, error: Exception) -> UserError:
    reason = textwrap.shorten(str(error), 200, placeholder="…")  # the libraries' have many lines
    return UserError(
        f"The prepared reviews in {os.fspath(folder)} are damaged ({reason}). "
        "Delete that folder; the next start prepares it again."
    )


def prepared(data_dir: str | os.PathLike, config: str) -> RnnsentImdb | None:
    """The dataset with that configuration if it lies prepared under ``data_dir``.

    Raises ``UserError`` if what lies there is damaged.
    """
    try:
        builder = RnnsentImdb(data_dir=data_dir, config=config)
        if not _is_complete(builder):
            return None
        _check_features(builder)
    except Exception as error:  # TFDS parses what it finds and raises whatever its parsers do
        place = pathlib.Path(data_dir, RnnsentImdb.name, config, str(RnnsentImdb.VERSION))
        raise _damaged(place, error) from error
    return builder


def _check_features(builder: RnnsentImdb) -> None:
    """Raises ``ValueError`` where TFDS, which others may read the folder with, finds other columns.

    ``read`` itself parses the records and has no need of ``features.json``.
    """
    held = tfds.features.FeatureConnector.from_config(builder.data_dir)
    if repr(held) != repr(builder.info.features):
        raise ValueError("features.json describes other columns")


def _is_complete(builder: RnnsentImdb) -> bool:
    """As ``builder.is_prepared()``, without its warning where nothing is prepared."""
    return (pathlib.Path(builder.data_dir) / "dataset_info.json").is_file()


def prepare(
    data_dir: str | os.PathLike,
    archive: pathlib.Path | None,
    vocabulary: Vocabulary | None,
    content: archives.Content = archives.PUBLISHED,
) -> RnnsentImdb:
    """Prepares the dataset; what is left by an interruption is never taken for complete.

    TFDS writes into a folder of another name and renames it at the end. One process at a time
    prepares; another one waits for it, and a dead one's folder is removed.
    """
    make = functools.partial(
        RnnsentImdb, data_dir=data_dir, config="counted" if vocabulary is None else "published"
    )
    builder = make(archive=archive, vocabulary=vocabulary, content=content)
    folder = pathlib.Path(builder.data_dir)
    config = tfds.download.DownloadConfig(try_download_gcs=False, force_checksums_validation=True)
    try:
        place = folder.parents[1]
        place.mkdir(parents=True, exist_ok=True)
        with locks.alone(place, wait="Another process prepares the reviews; waiting."):
            if not _is_complete(make()):  # unless the process waited for has done it
                for dead in folder.parent.glob(f"incomplete.*_{folder.name}"):
                    shutil.rmtree(dead)
                with _tfds_bars(False), contextlib.redirect_stdout(io.StringIO()):
                    builder.download_and_prepare(download_config=config)
    except OSError as error:
        raise UserError(
            f"Cannot prepare the reviews in {folder}: {error}. "
            "Choose a folder with space and write permission with --data-dir or TFDS_DATA_DIR."
        ) from error
    return make()


def read(builder: RnnsentImdb, split: str) -> dict[str, list]:
    """Columns "ids" (int32 arrays), "label" and "name" of one split, in its order.

    The records are ``tf.train.Example`` messages. Parsing only these columns of them takes a third
    of the time that TFDS takes to decode whole rows; to verify them, a twentieth.

    Raises ``UserError`` if the prepared files are damaged, or not those of this split.
    """
    folder = pathlib.Path(builder.data_dir)
    try:
        records = builder.as_data_source(split).data_source
        parsed = [_columns(record) for record in records.__getitems__(range(len(records)))]
        seal = _seal(folder, split)
        for row in parsed:
            seal.add(*row)
        if seal.text != (folder / f"{split}.sha256").read_text().strip():
            raise ValueError(f"the {split} reviews are not as they were prepared")
    except Exception as error:  # array_record raises whatever it meets
        raise _damaged(folder, error) from error
    return dict(zip(("ids", "label", "name"), map(list, zip(*parsed, strict=True)), strict=True))


def _columns(record: bytes) -> tuple[np.ndarray, int, str]:
    features = tf_example_pb2.Example.FromString(record).features.feature
    (label,), (name,) = features["label"].int64_list.value, features["name"].bytes_list.value
    return np.array(features["ids"].int64_list.value, np.int32), label, name.decode()
