"""IMDB as a TFDS dataset: every review with label, name, text and full-vocabulary ids.

Two configurations, ``published`` and ``counted``, because ids depend on the vocabulary they were
made with. Works without TensorFlow. Each split is stored in the order of Keras's copy.
"""

import contextlib
import fcntl
import functools
import io
import json
import os
import pathlib
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.proto import tf_example_pb2

from rnnsent.console import bar
from rnnsent.data import archive as archives
from rnnsent.data import vocabulary as vocabularies
from rnnsent.data.network import DownloadError
from rnnsent.data.vocabulary import Vocabulary, tokenise
from rnnsent.errors import UserError

VOCABULARY_FILE = "vocabulary.json"
CONFIGS = ("published", "counted")


class _Info(tfds.core.DatasetInfo):
    """Dataset info that never asks Google's bucket about a dataset that is not there."""

    def initialize_from_bucket(self) -> None:
        pass


class RnnsentImdb(tfds.core.GeneratorBasedBuilder):
    """25,000 / 25,000 labelled and 50,000 unlabelled reviews.

    ``archive``: a local copy of the archive (any tar compression); None downloads the published
    one. ``vocabulary``: None counts one from the training reviews. ``content``: what the archive
    must hold.
    """

    VERSION = tfds.core.Version("1.0.0")
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
        path = self._archive or _download(dl_manager)
        with bar("Reading the IMDB archive", _size(path)) as advance:
            files = archives.read(path, advance)
        archives.verify(files, path, self._content)
        names = archives.order(files)
        vocabulary = self._vocabulary or _count(files, names["train"])
        write_vocabulary(pathlib.Path(self.data_dir), vocabulary, self._content.digest)
        return {
            split: self._generate_examples(split, names[split], files, vocabulary)
            for split in names
        }

    def _generate_examples(
        self, split: str, names: list[str], files: dict[str, bytes], vocabulary: Vocabulary
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        with bar(f"Writing {split} reviews", len(names)) as advance:
            for row, name in enumerate(names):
                text = files[name].decode("utf-8", errors="replace")  # the digest skips unlabelled
                ids = np.array(vocabulary.encode(text), np.int32)
                label = archives.label(name)
                yield row, {"label": label, "name": name, "text": text, "ids": ids}
                advance(1)


def _download(dl_manager: tfds.download.DownloadManager) -> pathlib.Path:
    """The published archive, its checksum verified by TFDS; drawn only on a terminal."""
    try:
        with _tfds_bars(sys.stderr.isatty()):
            return pathlib.Path(dl_manager.download(archives.URL))
    except Exception as error:  # requests', urllib3's and TFDS's have nothing else in common
        raise DownloadError(
            f"Downloading {archives.URL} failed: {error}. Try again, or give a copy of the archive "
            "with --archive or RNNSENT_IMDB_ARCHIVE."
        ) from error


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


def write_vocabulary(folder: pathlib.Path, vocabulary: Vocabulary, digest: str) -> None:
    """Keeps beside the records what their ids mean and which reviews they are."""
    content = {"origin": vocabulary.origin, "digest": digest, "words": vocabulary.words}
    (folder / VOCABULARY_FILE).write_text(json.dumps(content), encoding="utf-8")


def read_vocabulary(builder: RnnsentImdb) -> tuple[Vocabulary, str]:
    """The vocabulary and the content digest of a prepared dataset."""
    try:
        text = (pathlib.Path(builder.data_dir) / VOCABULARY_FILE).read_text(encoding="utf-8")
        content = json.loads(text)
        return Vocabulary(tuple(content["words"]), content["origin"]), content["digest"]
    except (OSError, ValueError, KeyError) as error:
        raise _damaged(builder.data_dir, error) from error


def _damaged(folder: str | os.PathLike, error: Exception) -> UserError:
    return UserError(
        f"The prepared reviews in {os.fspath(folder)} are damaged ({error}). "
        "Delete that folder; the next start prepares it again."
    )


def prepared(data_dir: str | os.PathLike, config: str) -> RnnsentImdb | None:
    """The dataset with that configuration if it lies prepared under ``data_dir``.

    Raises ``UserError`` if what lies there is damaged.
    """
    try:
        builder = RnnsentImdb(data_dir=data_dir, config=config)
    except Exception as error:  # TFDS parses what it finds and raises whatever its parsers do
        place = pathlib.Path(data_dir, RnnsentImdb.name, config, str(RnnsentImdb.VERSION))
        raise _damaged(place, error) from error
    return builder if _is_complete(builder) else None


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
        with _alone(folder.parent):
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


@contextlib.contextmanager
def _alone(folder: pathlib.Path) -> Iterator[None]:
    """Holds a lock on ``folder``, made if need be; the system frees it when a process dies."""
    folder.mkdir(parents=True, exist_ok=True)
    place = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another process prepares the reviews; waiting for it.", file=sys.stderr)
            fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)


def read(builder: RnnsentImdb, split: str) -> dict[str, list]:
    """Columns "ids" (int32 arrays), "label" and "name" of one split, in its order.

    The records are ``tf.train.Example`` messages. Parsing only these columns of them takes a third
    of the time that TFDS takes to decode whole rows.

    Raises ``UserError`` if the prepared files are damaged.
    """
    try:
        records = builder.as_data_source(split).data_source
        parsed = [_columns(record) for record in records.__getitems__(range(len(records)))]
    except Exception as error:  # array_record raises whatever it meets
        raise _damaged(builder.data_dir, error) from error
    if len(parsed) != builder.info.splits[split].num_examples:
        raise _damaged(builder.data_dir, ValueError(f"{len(parsed):,} {split} reviews"))
    return dict(zip(("ids", "label", "name"), map(list, zip(*parsed, strict=True)), strict=True))


def _columns(record: bytes) -> tuple[np.ndarray, int, str]:
    features = tf_example_pb2.Example.FromString(record).features.feature
    (label,), (name,) = features["label"].int64_list.value, features["name"].bytes_list.value
    return np.array(features["ids"].int64_list.value, np.int32), label, name.decode()
