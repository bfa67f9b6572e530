import sys
import tarfile

import numpy as np
import pytest

from rnnsent.data import archive
from rnnsent.errors import UserError


@pytest.mark.parametrize("suffix", ["tar", "gz", "bz2", "xz"])
def test_any_compression_gives_the_same_reviews(write_tar, tmp_path, files, content, suffix):
    path = write_tar(tmp_path / f"tiny.{suffix}")
    read = []
    found = archive.read(path, read.append)
    assert found == files
    assert 0 < sum(read) <= path.stat().st_size
    archive.verify(found, path, content)


def test_the_digest_sees_every_labelled_byte_and_name(files):
    name = "test/pos/3_9.txt"
    changed = files | {name: files[name] + b" "}
    renamed = {("test/pos/33_9.txt" if key == name else key): b for key, b in files.items()}
    assert len({archive.digest(f) for f in (files, changed, renamed)}) == 3


def test_other_content_is_refused(files, content, tmp_path):
    missing = {name: text for name, text in files.items() if name != "test/pos/3_9.txt"}
    with pytest.raises(UserError, match="incomplete or holds other reviews: 39 labelled"):
        archive.verify(missing, tmp_path, content)
    unlabelled = {name: text for name, text in files.items() if name != "train/unsup/0_0.txt"}
    with pytest.raises(UserError, match="2 unlabelled .expected 3"):
        archive.verify(unlabelled, tmp_path, content)


@pytest.mark.parametrize("name", ["aclImdb/../../x", "/etc/x", "../x", "aclImdb/train/pos/../x"])
def test_paths_out_of_the_archive_are_refused(write_tar, make_member, tmp_path, name):
    path = write_tar(tmp_path / "hostile.gz", make_member(name))
    with pytest.raises(UserError, match=f"refused: it holds '{name}', a path that leads out"):
        archive.read(path)
    assert [p.name for p in tmp_path.iterdir()] == ["hostile.gz"]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_are_refused(write_tar, make_member, tmp_path, kind):
    bad = make_member("aclImdb/train/pos/99_9.txt", b"", type=kind, linkname="/etc/passwd")
    with pytest.raises(UserError, match="99_9.txt', a link or a device"):
        archive.read(write_tar(tmp_path / "hostile.xz", bad))


def test_a_review_of_absurd_size_is_refused(write_tar, make_member, tmp_path):
    bad = make_member("aclImdb/train/pos/99_9.txt", b"\0" * (archive.MAX_REVIEW_BYTES + 1))
    with pytest.raises(UserError, match="a review of 1,048,577 bytes"):
        archive.read(write_tar(tmp_path / "bomb.xz", bad))


def extension(kind: bytes, size: int) -> bytes:
    """The header of a long name or a PAX header that says how long it is."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.USTAR_FORMAT)


class Endless:
    """A file of zeros after what it begins with; fails where more is read than was to be."""

    def __init__(self, start: bytes, most: int):
        self.start, self.left = start, most

    def read(self, size: int) -> bytes:
        self.left -= size
        assert self.left > 0, "more was read than the limit"
        block, self.start = self.start[:size], self.start[size:]
        return block + bytes(size - len(block))

    def seek(self, place: int) -> None:
        assert place == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g", b"X"])
def test_a_header_that_would_fill_the_memory_is_not_read(monkeypatch, tmp_path, kind):
    file = Endless(extension(kind, 3 * 2**30), 2**20)
    monkeypatch.setattr(archive.pathlib.Path, "open", lambda *_: file)
    monkeypatch.setattr(archive, "_refuse_zstd", lambda *_: None)
    with pytest.raises(UserError, match="it holds a header of 3,221,225,472 bytes"):
        archive.read(tmp_path)


def sparse(version: str) -> dict[str, str]:
    """What a PAX header says of a sparse file, in each of the three ways it can."""
    ways = {
        "0.0": {"GNU.sparse.size": "9", "GNU.sparse.offset": "0", "GNU.sparse.numbytes": "1"},
        "0.1": {"GNU.sparse.map": "0,1"},
        "1.0": {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"},
    }
    return ways[version]


@pytest.mark.parametrize("version", ["0.0", "0.1", "1.0", "old"])
def test_sparse_files_whose_maps_could_fill_the_memory_are_refused(
    write_tar, make_member, tmp_path, version
):
    kind = {"type": b"S"} if version == "old" else {"pax_headers": sparse(version)}
    bad = make_member("aclImdb/x", b"0\n".ljust(512, b"\0"), **kind)
    with pytest.raises(UserError, match="it holds a sparse file"):
        archive.read(write_tar(tmp_path / "sparse.tar", bad))


@pytest.mark.parametrize(
    "limit, value, what",
    [
        ("MAX_MEMBERS", 43, "more than 43 members"),
        ("MAX_BYTES", 9_999, "more than 9,999 bytes"),
        ("MAX_KEPT_BYTES", 999, "more than 999 bytes of reviews"),
    ],
)
def test_many_small_members_are_too_much_together(
    tiny_archive, tmp_path, monkeypatch, limit, value, what
):
    archive.read(tiny_archive)
    monkeypatch.setattr(archive, limit, value)
    with pytest.raises(UserError, match=f"it holds {what}, which the published one does not"):
        archive.read(tiny_archive)


def test_headers_upon_headers_are_one_line(tmp_path):
    block = extension(b"L", 2) + b"x".ljust(512, b"\0")
    (tmp_path / "deep.tar").write_bytes(block * 3000)
    with pytest.raises(UserError, match="takes more memory than there is"):
        archive.read(tmp_path / "deep.tar")


def test_members_that_were_seen_are_not_kept(tiny_archive, monkeypatch):
    seen = []
    refuse = archive._refuse_hostile
    monkeypatch.setattr(archive, "_refuse_hostile", lambda member: seen.append(refuse(member)))
    with tarfile.open(tiny_archive, "r|*") as tar:
        for _ in archive._reviews(tar):
            assert not tar.members
    assert len(seen) == 44


@pytest.mark.parametrize("suffix", ["tar", "gz", "bz2", "xz"])
@pytest.mark.parametrize("keep", [0.0, 0.1, 0.4, 0.7])
def test_a_truncated_archive_never_passes(write_tar, tmp_path, content, suffix, keep):
    path = write_tar(tmp_path / f"tiny.{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(UserError, match="truncated|incomplete"):
        archive.verify(archive.read(path), path, content)


def test_damage_and_other_files_are_named(tiny_archive, tmp_path):
    for data in (b"no archive" * 500, tiny_archive.read_bytes().replace(b"\x1f\x8b", b"PK", 1)):
        tiny_archive.write_bytes(data)
        with pytest.raises(UserError, match="truncated, damaged, or no tar archive"):
            archive.read(tiny_archive)
    with pytest.raises(UserError, match="Cannot read the archive .*No such file"):
        archive.read(tmp_path / "missing.tar.gz")


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="this Python reads zstd")
def test_an_archive_in_zstd_says_how_to_repack_it(tmp_path):
    path = tmp_path / "aclImdb_v1.tar.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(500))
    with pytest.raises(UserError, match="compressed with zstd.*Repack it"):
        archive.read(path)


def test_order_is_a_shuffle_of_each_split_with_one_generator(files):
    names = archive.order(files)
    rng = np.random.RandomState(113)
    for split in ("train", "test"):
        expected = sorted(n for n in files if n.startswith(f"{split}/pos"))
        expected += sorted(n for n in files if n.startswith(f"{split}/neg"))
        rows = list(range(20))
        rng.shuffle(rows)
        assert names[split] == [expected[row] for row in rows]
    assert names["unsupervised"] == [f"train/unsup/{n}_0.txt" for n in range(3)]


def test_labels_come_from_the_folder():
    assert [archive.label(f"train/{part}/1_1.txt") for part in ("neg", "pos", "unsup")] == [
        0,
        1,
        -1,
    ]
