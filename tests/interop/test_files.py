"""A model's file is written whole or not at all, and never over another unasked."""

import os

import pytest
from interop import made

from rnnsent import interop
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
