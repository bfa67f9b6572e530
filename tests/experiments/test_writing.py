"""What cannot be written: the disk is full, the folder goes away, or nobody reads the output."""

import dataclasses
import errno
import io
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable

import jax
import numpy as np
import pytest
from corpus import folders
from scripts import ROOT

from rnnsent import checkpoints, config, data, locks, runs
from rnnsent.errors import UserError
from rnnsent.training import create_state


@dataclasses.dataclass(frozen=True)
class Options:
    """None."""


def printing(lines: int) -> Callable[[Options], None]:
    """What prints so much."""

    def main(options: Options) -> None:
        """Prints."""
        print("\u00b1 \u2026 " * 10 * lines)

    return main


def unread():
    """A pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "w")


@pytest.mark.parametrize("lines", [1, 100_000])
@pytest.mark.parametrize(
    "place, code, says",
    [
        (lambda: open("/dev/full", "w"), 2, "error: The output cannot be written: No space left"),
        (unread, 1, ""),
    ],
)
def test_output_that_cannot_be_written_is_one_line_at_most(
    monkeypatch, capsys, place, lines, code, says
):
    monkeypatch.setattr(sys, "stdout", place())
    with pytest.raises(SystemExit) as end:
        config.cli(printing(lines), Options, [])
    assert end.value.code == code
    sys.stdout.close()  # fails no more
    said = capsys.readouterr().err
    assert said.startswith(says) and said.count("\n") == bool(says)


def test_output_that_was_closed_is_none(monkeypatch, capsys):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    config.cli(printing(1), Options, [])
    assert sys.stdout.name == sys.stderr.name == os.devnull
    sys.stdout.close()
    sys.stderr.close()


def test_output_in_another_encoding_shows_escapes(monkeypatch):
    held = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(held, encoding="ascii"))
    config.cli(printing(1), Options, [])
    assert held.getvalue().startswith(rb"\xb1 \u2026")


@pytest.fixture(scope="module")
def toy():
    return data.load("toy", data.Encoding(num_words=60, maxlen=12))


def test_a_disk_that_is_full_is_one_line_and_the_next_start_works(tmp_path, opened, no_room, capfd):
    """At every file that a training leaves, in its order."""
    state = create_state(folders.TINY.classifier(60), folders.TINY.optimizer(1), 0)
    place = tmp_path / "run" / "tiny" / "seed-0"
    writes = [
        (400, lambda: runs.write_json(place / "config.json", {"x": "y" * 500})),
        (1000, lambda: checkpoints.save(place / "checkpoint", state)),
        (10, lambda: runs.write_json(place / "result.json", {"x": "y" * 500})),
    ]
    for size, write in writes:
        with opened():
            place.mkdir(parents=True, exist_ok=True)
        with pytest.raises(UserError, match="Cannot write to .*run: File too large. Make room"):
            with opened():
                no_room(size)
                write()
        no_room(-1)
        assert not list(tmp_path.rglob("*.partial"))
        assert not (place / "result.json").exists() and not (place / "checkpoint.json").exists()
    with opened():
        write()
        checkpoints.save(place / "checkpoint", state)
    checkpoints.check(place / "checkpoint")
    out, err = capfd.readouterr()
    assert not out.strip() and not err


def test_a_checkpoint_that_fails_half_way_is_trained_again(tmp_path, monkeypatch):
    """Whatever Orbax leaves, without the list beside it there is no checkpoint."""
    state = create_state(folders.TINY.classifier(60), folders.TINY.optimizer(1), 0)

    def fails(*_, **__):
        raise ValueError("RESOURCE_EXHAUSTED: Error writing")

    checkpoints.save(tmp_path / "checkpoint", state)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="RESOURCE_EXHAUSTED"):
        patch.setattr(checkpoints.ocp.StandardCheckpointer, "save", fails)
        checkpoints.save(tmp_path / "checkpoint", state)
    with pytest.raises(UserError, match="No readable checkpoint"):
        checkpoints.check(tmp_path / "checkpoint")
    checkpoints.save(tmp_path / "checkpoint", state)
    back = checkpoints.restore(
        tmp_path / "checkpoint", folders.TINY.classifier(60), folders.TINY.optimizer(1)
    )
    for a, b in zip(jax.tree.leaves(state.params), jax.tree.leaves(back.params), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_folder_that_is_deleted_half_way_is_one_line(tmp_path, opened):
    with pytest.raises(UserError, match="Cannot write to .*run: No such file or directory"):
        with opened() as folder:
            shutil.rmtree(folder)
            runs.write_json(folder / "record.json", {})


def test_an_output_without_room_is_not_the_folders_fault(tmp_path, opened, monkeypatch):
    class Full:
        def write(self, text):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"), opened():
        monkeypatch.setattr(sys, "stdout", Full())
        print("text")


def test_a_read_only_file_system_is_one_line(tmp_path, opened, monkeypatch):
    """Found at once where the system says so, else at the first write."""

    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    with opened() as folder:
        pass
    with monkeypatch.context() as patch, pytest.raises(UserError, match="may not be written to"):
        patch.setattr(runs.folders.os, "access", lambda *_: False)
        runs.check_place(tmp_path, folder)
    with monkeypatch.context() as patch:
        patch.setattr(runs.files.pathlib.Path, "write_bytes", refuse)
        with pytest.raises(UserError, match="Cannot write to .*run: Read-only file system"):
            with opened():
                pass
    with opened():
        pass


def test_what_was_left_at_any_moment_of_the_start_is_gone_on_with(tmp_path, opened, monkeypatch):
    """As if killed before, within and after each write of the first files."""
    write, replace = runs.files.pathlib.Path.write_bytes, os.replace
    moments = 0

    class Killed(BaseException):
        pass

    for moment in range(20):
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        left = [moment]

        def dies(left=left):
            left[0] -= 1
            if left[0] < 0:
                raise Killed

        def write_bytes(path, content, dies=dies):
            dies()
            write(path, content[:20])
            dies()
            return write(path, content)

        def replaced(old, new, dies=dies):
            dies()
            replace(old, new)
            dies()

        with monkeypatch.context() as patch:
            patch.setattr(runs.files.pathlib.Path, "write_bytes", write_bytes)
            patch.setattr(runs.files.os, "replace", replaced)
            patch.setattr(runs.files.pathlib.Path, "unlink", lambda *_, **__: None)  # none is
            try:
                with opened():
                    done = True
            except Killed:
                done = False
        runs.check_place(tmp_path, tmp_path / "run")
        with opened() as folder:
            runs.load_vocabulary(folder)
        moments += 1
        if done:
            break
    assert moments == 13  # three files, four moments each, and none
    assert {path.name for path in folder.iterdir()} == {*runs.folders._FIRST, locks.NAME}


def test_a_clock_that_jumps_back_makes_no_folder_twice(tmp_path, monkeypatch):
    import datetime as real

    class Clock(real.datetime):
        times = iter([(2026, 1, 2), (2026, 1, 1), (2026, 1, 2)])

        @classmethod
        def now(cls, tz=None):
            return real.datetime(*next(cls.times), tzinfo=tz)

    monkeypatch.setattr(runs.folders.datetime, "datetime", Clock)
    names = [runs.new_folder(tmp_path, "x").name for _ in range(3)]
    assert len(set(names)) == 3 and names[2] == f"{names[0]}-2"


def test_durations_are_of_a_clock_that_never_jumps():
    """Those of ``time.time`` could be negative, and rates infinite."""
    found = [
        path.name
        for path in (ROOT / "rnnsent").rglob("*.py")
        if re.search(r"\btime\.time\(", path.read_text())
    ]
    assert not found, textwrap.shorten(str(found), 200)
