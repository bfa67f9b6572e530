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
    with pytest.raises(UserError, match=f"refused: '{name}' is a path that leads out"):
        archive.read(path)
    assert [p.name for p in tmp_path.iterdir()] == ["hostile.gz"]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_are_refused(write_tar, make_member, tmp_path, kind):
    bad = make_member("aclImdb/train/pos/99_9.txt", b"", type=kind, linkname="/etc/passwd")
    with pytest.raises(UserError, match="is a link or a device"):
        archive.read(write_tar(tmp_path / "hostile.xz", bad))


def test_a_review_of_absurd_size_is_refused(write_tar, make_member, tmp_path):
    bad = make_member("aclImdb/train/pos/99_9.txt", b"\0" * (archive.MAX_REVIEW_BYTES + 1))
    with pytest.raises(UserError, match="a review of 1,048,577 bytes"):
        archive.read(write_tar(tmp_path / "bomb.xz", bad))


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
