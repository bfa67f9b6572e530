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

URL = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
URL_BYTES = 84_125_825
URL_SHA256 = "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe"

# What no archive of these reviews comes near to; what does is made to exhaust a machine.
MAX_MEMBER_BYTES = 256 * 2**20  # the largest real one, a bag of words, has 42 MB
MAX_REVIEW_BYTES = 2**20  # the largest real one has 14 kB
MAX_EXTENSION_BYTES = 2**14  # a long name or PAX header; real ones have some hundred
MAX_MEMBERS = 200_000  # there are 100,000 reviews
MAX_BYTES = 2**30  # unpacked, headers included; the published one has less than half of it
MAX_KEPT_BYTES = 2**28  # held in memory; the reviews have 132 MB

HELP = f"Give the published aclImdb_v1.tar.gz ({URL}) or a repacked copy of it."

_REVIEW = re.compile(
    r"aclImdb/(?P<name>(?:(?:train|test)/(?:pos|neg)|train/unsup)/[0-9]+_[0-9]+\.txt)"
)


_DAMAGE = (
    *(tarfile.TarError, EOFError, lzma.LZMAError, zlib.error),
    *(TypeError, ValueError, IndexError),  # tarfile's own, of a header that ends early
)


class _Hostile(Exception):
    """What an archive is refused for."""


class _Header(tarfile.TarInfo):
    """A member's header whose extensions are refused before they are read.

    ``tarfile`` takes long names and PAX headers into memory whole, and the map of a sparse file,
    before it hands out the member that they belong to.
    """

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:  # to be overridden, it says
        if self.type in _EXTENSIONS and self.size > MAX_EXTENSION_BYTES:
            raise _Hostile(f"a header of {self.size:,} bytes")
        if tar.offset > MAX_BYTES:
            raise _Hostile(f"more than {MAX_BYTES:,} bytes")
        if self.type == tarfile.GNUTYPE_SPARSE:
            self._refuse_sparse()
        return super()._proc_member(tar)  # type: ignore[misc]  # not in its published types

    def _refuse_sparse(self, *_: object) -> None:
        raise _Hostile("a sparse file")

    _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse_sparse


_EXTENSIONS = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
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
    missing, damaged or hostile; it never takes more memory than reviews can need.
    """
    try:
        with path.open("rb") as file:
            _refuse_zstd(file, path)
            watched = _Watched(file, advance)
            kind = {"mode": "r|*", "tarinfo": _Header}
            with tarfile.open(fileobj=watched, **kind) as tar:  # type: ignore[call-overload]
                return dict(_reviews(tar))
    except _Hostile as error:
        raise UserError(
            f"The archive {path} is refused: it holds {error}, which the published one does not. "
            f"{HELP}"
        ) from error
    except (MemoryError, RecursionError) as error:
        raise UserError(
            f"The archive {path} takes more memory than there is, or is made to. {HELP}"
        ) from error
    except _DAMAGE as error:
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


def _reviews(tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    kept = 0
    for member in _members(tar):
        _refuse_hostile(member)
        match = _REVIEW.fullmatch(str(pathlib.PurePosixPath(member.name)))
        if match and member.isfile():
            kept += member.size
            if member.size > MAX_REVIEW_BYTES:
                _refuse(member, f"a review of {member.size:,} bytes")
            if kept > MAX_KEPT_BYTES:
                raise _Hostile(f"more than {MAX_KEPT_BYTES:,} bytes of reviews")
            file = tar.extractfile(member)
            assert file is not None  # it is a regular file
            yield match["name"], file.read()


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members in their order; those that were seen are not kept, as ``tar`` itself would."""
    count = 0
    while (member := tar.next()) is not None:
        tar.members.clear()  # type: ignore[attr-defined]
        count += 1
        if count > MAX_MEMBERS:
            raise _Hostile(f"more than {MAX_MEMBERS:,} members")
        yield member


def _refuse_hostile(member: tarfile.TarInfo) -> None:
    name = pathlib.PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts:
        _refuse(member, "a path that leads out of the archive")
    if not (member.isfile() or member.isdir()):
        _refuse(member, "a link or a device")
    if member.size > MAX_MEMBER_BYTES:
        _refuse(member, f"a member of {member.size:,} bytes")


def _refuse(member: tarfile.TarInfo, what: str) -> None:
    raise _Hostile(f"{member.name[:200]!r}, {what}")


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
