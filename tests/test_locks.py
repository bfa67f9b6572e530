import errno
import fcntl
import pathlib
import signal
import subprocess
import sys

import pytest
from scripts import run

from rnnsent import locks
from rnnsent.errors import UserError

HOLD = """
import pathlib, sys, time
from rnnsent import locks
with locks.alone(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_folder_is_free_again_when_its_holder_is_killed(tmp_path):
    root = str(pathlib.Path(locks.__file__).parents[1])
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"Another process works on {tmp_path}"):
            with locks.alone(tmp_path):
                pass
        holder.send_signal(signal.SIGKILL)
    with locks.alone(tmp_path):
        pass
    with locks.alone(tmp_path):
        pass


def test_where_there_are_no_locks_a_line_says_so(tmp_path, monkeypatch, capsys):
    def refuse(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locks.alone(tmp_path):
        said = capsys.readouterr().err
    assert said.count("\n") == 1 and "No locks available" in said and str(tmp_path) in said


@pytest.mark.slow
@pytest.mark.parametrize("script", ["compare", "claims"])
def test_a_second_process_ends_at_once_and_writes_nothing(tmp_path, script):
    folder = tmp_path / "run"
    folder.mkdir()
    with locks.alone(folder):
        command = (f"experiments.{script}", "--data", "toy", "--quick", "--run", str(folder))
        done = run(*command, cwd=tmp_path, code=2)
    assert done.stderr.startswith(f"error: Another process works on {folder}.")
    assert done.stderr.count("\n") == 1
    assert [path.name for path in folder.iterdir()] == [locks.NAME]
