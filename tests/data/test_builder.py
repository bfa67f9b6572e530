import errno
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rnnsent import locks
from rnnsent.data import archive, seal
from rnnsent.data import builder as imdb
from rnnsent.data.vocabulary import Vocabulary
from rnnsent.errors import UserError


def folders(data_dir: pathlib.Path) -> list[str]:
    """Version folders, whole or partial, of every configuration."""
    return sorted(path.name for path in data_dir.glob("rnnsent_imdb/[!.]*/*"))


def test_every_review_is_stored_in_order_with_all_its_columns(
    tiny_archive, tmp_path, files, content
):
    builder = imdb.prepare(tmp_path / "d", tiny_archive, None, content)
    assert {name: info.num_examples for name, info in builder.info.splits.items()} == {
        "train": 20, "test": 20, "unsupervised": 3
    }  # fmt: skip
    vocabulary, digest = imdb.read_vocabulary(builder)
    assert digest == content.digest
    assert vocabulary.origin == "counted from 20 training reviews"
    assert "train" in vocabulary.words and "test" not in vocabulary.words
    for split, names in archive.order(files).items():
        rows = list(builder.as_data_source(split))
        assert [row["name"].decode() for row in rows] == names
        assert [row["text"] for row in rows] == [files[name] for name in names]
        assert [row["label"] for row in rows] == [archive.label(name) for name in names]
        for row in rows:
            assert row["ids"].tolist() == vocabulary.encode(row["text"].decode())
        columns = imdb.read(builder, split)  # parses the records itself
        for name, values in columns.items():
            stored = [row[name].decode() if name == "name" else row[name] for row in rows]
            assert [np.asarray(v).tolist() for v in values] == [
                np.asarray(v).tolist() for v in stored
            ]


def test_each_vocabulary_has_its_own_folder(tiny_archive, tmp_path, content):
    published = Vocabulary(("review", "of"), "published word index")
    imdb.prepare(tmp_path, tiny_archive, published, content)
    assert imdb.prepared(tmp_path, "counted") is None
    found = imdb.prepared(tmp_path, "published")
    assert imdb.read_vocabulary(found)[0] == published
    assert all(ids.tolist() == [1, 4, 5] for ids in imdb.read(found, "train")["ids"])


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_an_interruption_leaves_nothing(monkeypatch, tiny_archive, tmp_path, content, error):
    def interrupted(name):
        raise error

    with monkeypatch.context() as patch, pytest.raises(error):
        patch.setattr(archive, "label", interrupted)
        imdb.prepare(tmp_path, tiny_archive, None, content)
    assert folders(tmp_path) == []
    assert imdb.prepare(tmp_path, tiny_archive, None, content).is_prepared()


def test_a_killed_preparation_is_not_taken_for_complete(tiny_archive, tmp_path, content):
    script = f"""
import os, pathlib
from rnnsent.data import archive, builder
archive.label = lambda name: os._exit(9)
content = archive.Content({content.digest!r}, {content.unsupervised})
builder.prepare({str(tmp_path)!r}, pathlib.Path({str(tiny_archive)!r}), None, content)
"""
    assert subprocess.run([sys.executable, "-c", script], env=environment()).returncode == 9
    assert ["incomplete." in name for name in folders(tmp_path)] == [True]
    assert imdb.prepared(tmp_path, "counted") is None
    builder = imdb.prepare(tmp_path, tiny_archive, None, content)
    assert len(imdb.read(builder, "train")["ids"]) == 20
    assert folders(tmp_path) == ["1.1.0"]


def test_two_processes_prepare_one_after_the_other(tiny_archive, tmp_path, content, capfd):
    place = tmp_path / "rnnsent_imdb"
    place.mkdir()
    with ThreadPoolExecutor(1) as pool:
        with locks.alone(place):
            second = pool.submit(imdb.prepare, tmp_path, tiny_archive, None, content)
            deadline = time.monotonic() + 30
            while "waiting" not in capfd.readouterr().err and time.monotonic() < deadline:
                time.sleep(0.05)
            assert not second.done() and folders(tmp_path) == []
        assert second.result().is_prepared()


def environment() -> dict[str, str]:
    root = pathlib.Path(imdb.__file__).parents[2]
    return os.environ | {"PYTHONPATH": os.fspath(root)}


def test_a_refused_archive_leaves_nothing(tiny_archive, tmp_path):
    with pytest.raises(UserError, match="holds other reviews"):
        imdb.prepare(tmp_path, tiny_archive, None)
    assert folders(tmp_path) == []


def test_damaged_files_are_named(tiny_archive, tmp_path, content):
    builder = imdb.prepare(tmp_path, tiny_archive, None, content)
    next(pathlib.Path(builder.data_dir).glob("*test*")).unlink()
    with pytest.raises(UserError, match="are damaged .*Delete that folder"):
        imdb.read(builder, "test")
    (pathlib.Path(builder.data_dir) / imdb.VOCABULARY_FILE).write_text("{")
    with pytest.raises(UserError, match="are damaged"):
        imdb.read_vocabulary(builder)
    (pathlib.Path(builder.data_dir) / "dataset_info.json").write_text("{")
    with pytest.raises(UserError, match=f"{builder.data_dir} are damaged"):
        imdb.prepared(tmp_path, "counted")


@pytest.mark.parametrize("content_of", ["{}", "[]", "", "[" * 100_000, "others", None])
def test_a_description_of_other_columns_is_damage(tiny_archive, tmp_path, content, content_of):
    builder = imdb.prepare(tmp_path, tiny_archive, None, content)
    path = pathlib.Path(builder.data_dir) / "features.json"
    if content_of == "others":
        path.write_text(path.read_text().replace("int32", "int64"))
    elif content_of is None:
        path.unlink()
    else:
        path.write_text(content_of)
    with pytest.raises(UserError, match="are damaged .*Delete that folder") as error:
        imdb.prepared(tmp_path, "counted")
    assert "\n" not in str(error.value)


def test_a_folder_that_cannot_be_written_is_named(tiny_archive, tmp_path, content):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="Cannot prepare the reviews in .*--data-dir"):
        imdb.prepare(tmp_path / "file", tiny_archive, None, content)


def test_preparing_writes_nothing_where_no_one_looks(tiny_archive, tmp_path, content, capfd):
    imdb.prepare(tmp_path, tiny_archive, None, content)
    assert capfd.readouterr() == ("", "")


def columns(path: pathlib.Path) -> list[tuple]:
    """What a seal takes in of a split, with TFDS's own reader."""
    rows = imdb.RnnsentImdb(data_dir=path, config="counted").as_data_source("train")
    return [(row["ids"], int(row["label"]), row["name"].decode()) for row in rows]


def test_a_split_has_a_digest_of_its_rows_and_their_vocabulary(tiny_archive, tmp_path, content):
    folder = pathlib.Path(imdb.prepare(tmp_path, tiny_archive, None, content).data_dir)
    rows, vocabulary = columns(tmp_path), (folder / imdb.VOCABULARY_FILE).read_bytes()
    ids, label, name = rows[3]
    assert label == 0 and ids[1] != 9
    changed = [
        ("train", vocabulary, rows),
        ("test", vocabulary, rows),
        ("train", vocabulary + b" ", rows),
        ("train", vocabulary, rows[::-1]),
        ("train", vocabulary, rows[:-1]),
        *(
            ("train", vocabulary, [*rows[:3], row, *rows[4:]])
            for row in (
                (np.where(np.arange(len(ids)) == 1, 9, ids), label, name),
                (ids, 1, name),
                (ids, label, f"{name}x"),
            )
        ),
    ]
    texts = []
    for split, words, those in changed:
        sealed = seal.Seal(words, split)
        for row in those:
            sealed.add(*row)
        texts.append(sealed.text)
    assert len(set(texts)) == len(texts)
    assert texts[0] == (folder / "train.sha256").read_text().strip()


def exchanged(folder: pathlib.Path) -> None:
    """Its test reviews in place of the training reviews, digests and all."""
    (train,), (test,) = (folder.glob(f"*-{name}.array_record*") for name in ("train", "test"))
    shutil.copy(test, train)
    shutil.copy(folder / "test.sha256", folder / "train.sha256")


def reversed_words(folder: pathlib.Path) -> None:
    path = folder / imdb.VOCABULARY_FILE
    held = json.loads(path.read_text())
    path.write_text(json.dumps(held | {"words": held["words"][::-1]}))


def without_digest(folder: pathlib.Path) -> None:
    (folder / "train.sha256").unlink()


@pytest.mark.parametrize("damage", [exchanged, reversed_words, without_digest])
def test_exchanged_parts_are_refused_in_one_line(tiny_archive, tmp_path, content, damage):
    builder = imdb.prepare(tmp_path, tiny_archive, None, content)
    imdb.read(builder, "train")
    damage(pathlib.Path(builder.data_dir))
    with pytest.raises(UserError, match="are damaged .*Delete that folder") as error:
        imdb.read(imdb.prepared(tmp_path, "counted"), "train")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("words", ["[]", '{"words": null}', "[" * 100_000, '{"words": "abc"}'])
def test_a_vocabulary_of_another_kind_is_refused(tiny_archive, tmp_path, content, words):
    builder = imdb.prepare(tmp_path, tiny_archive, None, content)
    (pathlib.Path(builder.data_dir) / imdb.VOCABULARY_FILE).write_text(words)
    with pytest.raises(UserError, match="are damaged"):
        imdb.read_vocabulary(builder)


def test_an_archive_is_checked_though_its_reviews_are_prepared(
    tiny_archive, write_tar, make_member, tmp_path, content, monkeypatch
):
    builder = imdb.prepare(tmp_path / "d", tiny_archive, None, content)
    other = write_tar(tmp_path / "other.xz", make_member("aclImdb/more"))
    bad = write_tar(tmp_path / "bad.xz", reviews={})
    read, seen = archive.read, []
    monkeypatch.setattr(archive, "read", lambda *args: seen.append(args[0]) or read(*args))
    for path in (tiny_archive, other, other):
        imdb.check_archive(builder, path, content)
    assert seen == [other]  # once: it is known then
    with pytest.raises(UserError, match=f"{bad} is incomplete or holds other reviews"):
        imdb.check_archive(builder, bad, content)


def test_where_nothing_can_be_locked_a_line_says_so_and_it_goes_on(
    tiny_archive, tmp_path, content, monkeypatch, capfd
):
    def refuse(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert imdb.prepare(tmp_path, tiny_archive, None, content).is_prepared()
    said = capfd.readouterr().err
    assert said.count("\n") == 1 and "No locks available" in said
