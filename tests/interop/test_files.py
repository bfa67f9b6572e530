"""A model's file is written whole or not at all, and never over another unasked."""

import os
import pathlib
import signal

import pytest
from interop import made

from rnnsent import interop, interrupts
from rnnsent.errors import UserError


@pytest.mark.parametrize("suffix", interop.SUFFIXES)
def test_a_file_is_written_over_only_when_forced(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_text("mine")
    with pytest.raises(UserError, match="exists already.*--force"):
        interop.save(path, made.portable())
    assert path.read_text() == "mine"
    interop.save(path, made.portable(), force=True)
    made.same(interop.load(path).params, made.portable().params)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_a_file_that_appears_meanwhile_is_kept(tmp_path, monkeypatch):
    path, link = tmp_path / "a.safetensors", os.link

    def late(source, target):
        path.write_text("mine")
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(UserError, match="exists already"):
        interop.save(path, made.portable())
    assert path.read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


def test_nothing_is_left_where_writing_fails(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(os, "replace", full)
    for force in (False, True):
        with pytest.raises(UserError, match="No space left on device"):
            interop.save(tmp_path / "a.keras", made.portable(), force=force)
    assert not list(tmp_path.iterdir())


class Killed(BaseException):
    pass


@pytest.mark.parametrize("name", ["a.keras", "[b]*.keras"])
@pytest.mark.parametrize("force", [False, True])
def test_what_a_killed_process_left_goes_with_the_next_one(tmp_path, monkeypatch, name, force):
    """Not what is another file's, or the user's."""

    def dies(*_):
        raise Killed

    path = tmp_path / name
    others = {".c.keras.0123abcd.partial", f".{name}.mine.partial", f"{name}.0123abcd.partial"}
    for other in others:
        (tmp_path / other).write_text("mine")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(os, "link", dies)
        patch.setattr(os, "replace", dies)
        patch.setattr(pathlib.Path, "unlink", lambda *_, **__: None)  # none is
        interop.save(path, made.portable(), force=force)
    assert len(list(tmp_path.iterdir())) == len(others) + 1
    interop.save(path, made.portable(), force=force)
    assert {one.name for one in tmp_path.iterdir()} == others | {name}
    made.same(interop.load(path).params, made.portable().params)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("at", ["write", "link"])
def test_a_signal_leaves_nothing(tmp_path, monkeypatch, number, at):
    write, link = pathlib.Path.write_bytes, os.link

    def written(path, content):
        write(path, content[:9])
        os.kill(os.getpid(), number)
        return write(path, content)

    def linked(old, new):
        os.kill(os.getpid(), number)
        link(old, new)

    if at == "write":
        monkeypatch.setattr(pathlib.Path, "write_bytes", written)
    else:
        monkeypatch.setattr(os, "link", linked)
    with pytest.raises(KeyboardInterrupt), interrupts.raised():
        interop.save(tmp_path / "a.keras", made.portable())
    assert not list(tmp_path.iterdir())


def test_a_disk_that_gets_full_leaves_nothing(tmp_path, no_room):
    no_room(100)
    with pytest.raises(UserError, match="Cannot write .*a.safetensors: File too large"):
        interop.save(tmp_path / "a.safetensors", made.portable())
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "folder.keras").mkdir()
    for name, message in (
        ("a.h5", "expected .keras, .weights.h5, .safetensors"),
        ("nowhere/a.keras", "no file in a folder that exists"),
        ("folder.keras", "no file in a folder that exists"),
    ):
        with pytest.raises(UserError, match=message):
            interop.save(tmp_path / name, made.portable(), force=True)
    with pytest.raises(UserError, match="no model's file by its name"):
        interop.load(tmp_path / "a.pkl")
