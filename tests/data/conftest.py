"""A tiny archive in the shape of the published one, and the reviews in it."""

import io
import pathlib
import tarfile

import pytest

from rnnsent.data import archive


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch, tmp_path):
    """No test sees the user's settings or writes to their data folder."""
    for name in ("RNNSENT_IMDB_ARCHIVE", "RNNSENT_IMDB_WORD_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "default-data-dir"))


@pytest.fixture(scope="session")
def files() -> dict[str, bytes]:
    """Forty labelled and three unlabelled reviews by name."""
    reviews = {
        f"{split}/{part}/{n}_{stars}.txt": f"It's {part}, review {n} of {split}!<br />É".encode()
        for split in ("train", "test")
        for part, stars in (("pos", 9), ("neg", 2))
        for n in range(10)
    }
    return reviews | {f"train/unsup/{n}_0.txt": b"No stars." for n in range(3)}


@pytest.fixture(scope="session")
def content(files) -> archive.Content:
    return archive.Content(archive.digest(files), 3)


def member(name: str, data: bytes = b"x", **changes) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in changes.items():
        setattr(info, key, value)
    return info, data


@pytest.fixture
def write_tar(files):
    """``write_tar(path, *extra)``: the tiny archive with extra members; suffix: compression."""

    def write(path: pathlib.Path, *extra, reviews=files) -> pathlib.Path:
        suffix = path.suffix.lstrip(".")
        with tarfile.open(path, "w" if suffix == "tar" else f"w:{suffix}") as tar:
            members = [member(f"aclImdb/{name}", data) for name, data in reviews.items()]
            for info, data in [*members, member("aclImdb/README"), *extra]:
                tar.addfile(info, io.BytesIO(data))
        return path

    return write


@pytest.fixture
def make_member():
    return member


@pytest.fixture
def tiny_archive(write_tar, tmp_path) -> pathlib.Path:
    return write_tar(tmp_path / "tiny.tar.gz")
