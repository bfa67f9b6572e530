"""The Large Movie Review Dataset (Maas et al., 2011) out of its archive, checked and in order.

Nothing is ever unpacked to disk: reviews are read into memory, and an archive with a member that
could not be meant (a link, a device, a path that leads elsewhere) is refused as a whole.
"""

import dataclasses
import hashlib
import lzma
import pathlib
import re
import sys
import tarfile
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np

from rnnsent.errors import UserError

URL = "http://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
MAX_MEMBER_BYTES = 256 * 2**20  # the largest real one, a bag of words, has 42 MB
MAX_REVIEW_BYTES = 2**20  # the largest real one has 14 kB
HELP = f"Give the published aclImdb_v1.tar.gz ({URL}) or a repacked copy of it."

_REVIEW = re.compile(
    r"aclImdb/(?P<name>(?:(?:train|test)/(?:pos|neg)|train/unsup)/[0-9]+_[0-9]+\.txt)"
)


@dataclasses.dataclass(frozen=True)
class Content:
    """What an archive must hold: a digest of its labelled reviews, a number of unlabelled ones."""

    digest: str
    unsupervised: int


PUBLISHED = Content("c16ffb0a1fd882dbd402f5b4f8f46b30935df8d86704fc3c60113757b4464483", 50_000)


class _Watched:
    """A file that says how many bytes were read from it."""

    def __init__(self, file: BinaryIO, advance: Callable[[int], None]):
        self._file, self._advance = file, advance

    def read(self, size: int) -> bytes:
        block = self._file.read(size)
        self._advance(len(block))
        return block


def read(path: pathlib.Path, advance: Callable[[int], None] = lambda _: None) -> dict[str, bytes]:
    """The reviews in a tar archive of any compression, by name ("test/pos/123_8.txt").

    ``advance`` is told the number of archive bytes read. Raises ``UserError`` if the archive is
    missing, damaged or hostile.
    """
    try:
        with path.open("rb") as file:
            _refuse_zstd(file, path)
            watched = _Watched(file, advance)
            with tarfile.open(fileobj=watched, mode="r|*") as tar:  # type: ignore[call-overload]
                return dict(_reviews(tar, path))
    except (tarfile.TarError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise UserError(
            f"The archive {path} is truncated, damaged, or no tar archive ({error}). {HELP}"
        ) from error
    except OSError as error:
        raise UserError(
            f"Cannot read the archive {path}: {error.strerror or error}. {HELP}"
        ) from error


def _refuse_zstd(file: BinaryIO, path: pathlib.Path) -> None:
    """Python's tarfile reads every common compression but this one, before Python 3.14."""
    if file.read(4) == b"\x28\xb5\x2f\xfd" and sys.version_info < (3, 14):
        raise UserError(
            f"The archive {path} is compressed with zstd, which Python reads from version 3.14 on. "
            "Repack it: zstd -dc ARCHIVE | xz > aclImdb_v1.tar.xz"
        )
    file.seek(0)


def _reviews(tar: tarfile.TarFile, path: pathlib.Path) -> Iterator[tuple[str, bytes]]:
    for member in tar:
        _refuse_hostile(member, path)
        match = _REVIEW.fullmatch(str(pathlib.PurePosixPath(member.name)))
        if match and member.isfile():
            if member.size > MAX_REVIEW_BYTES:
                _refuse(path, member, f"a review of {member.size:,} bytes")
            file = tar.extractfile(member)
            assert file is not None  # it is a regular file
            yield match["name"], file.read()


def _refuse_hostile(member: tarfile.TarInfo, path: pathlib.Path) -> None:
    name = pathlib.PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts:
        _refuse(path, member, "a path that leads out of the archive")
    if not (member.isfile() or member.isdir()):
        _refuse(path, member, "a link or a device")
    if member.size > MAX_MEMBER_BYTES:
        _refuse(path, member, f"a member of {member.size:,} bytes")


def _refuse(path: pathlib.Path, member: tarfile.TarInfo, what: str) -> None:
    raise UserError(
        f"The archive {path} is refused: {member.name!r} is {what}, which the published archive "
        f"does not contain. {HELP}"
    )


def digest(files: dict[str, bytes]) -> str:
    """SHA-256, in hex, over names and contents of the labelled reviews."""
    total = hashlib.sha256()
    for part in ("test/neg", "test/pos", "train/neg", "train/pos"):
        for name in _sorted(files, part):
            total.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return total.hexdigest()


def verify(files: dict[str, bytes], path: pathlib.Path, expected: Content = PUBLISHED) -> None:
    """Raises ``UserError`` unless ``files`` are the ``expected`` reviews."""
    found = Content(digest(files), len(_sorted(files, "train/unsup")))
    if found == expected:
        return
    labelled = len(files) - found.unsupervised
    raise UserError(
        f"The archive {path} is incomplete or holds other reviews: {labelled:,} labelled "
        f"(digest {found.digest[:12]}…, expected {expected.digest[:12]}…) and "
        f"{found.unsupervised:,} unlabelled (expected {expected.unsupervised:,}). {HELP}"
    )


def order(files: dict[str, bytes]) -> dict[str, list[str]]:
    """Names by split, in the order of Keras's copy of the dataset.

    Positive then negative reviews, by name, shuffled by NumPy's legacy generator with seed 113,
    the training split first. Unlabelled reviews stay sorted by name.
    """
    rng = np.random.RandomState(113)
    names = {}
    for split in ("train", "test"):
        ordered = _sorted(files, f"{split}/pos") + _sorted(files, f"{split}/neg")
        rows_N = np.arange(len(ordered))
        rng.shuffle(rows_N)
        names[split] = [ordered[row] for row in rows_N]
    return names | {"unsupervised": _sorted(files, "train/unsup")}


def _sorted(files: dict[str, bytes], part: str) -> list[str]:
    return sorted(name for name in files if name.startswith(f"{part}/"))


def label(name: str) -> int:
    """1 positive, 0 negative, -1 unlabelled."""
    return {"pos": 1, "neg": 0, "unsup": -1}[name.split("/")[1]]
