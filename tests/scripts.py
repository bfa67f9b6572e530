"""Running a script as a user does, in a process of its own; refusals in the tests' process."""

import importlib
import os
import pathlib
import re
import shlex
import subprocess
import sys
import typing
from typing import Any

import pytest

from rnnsent import config, devices

ROOT = pathlib.Path(__file__).parents[1]

# What ``experiments.compare`` is run with, once for all that go on from it.
COMPARED = ("--data", "toy", "--epochs", "2", "--seeds", "0", "1", "--maxlen", "24")


def run(*arguments: str, cwd: pathlib.Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """What ``python -m *arguments`` did in ``cwd``; it must end with ``code``, no traceback.

    Where a script hangs, the test fails instead of the whole suite.
    """
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    env.pop("RNNSENT_IMDB_ARCHIVE", None)
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=900)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def block(language: str, start: str) -> str:
    """The README's block of code in a language that begins so."""
    found = re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    (one,) = [text for text in found if text.startswith(start)]
    return one


def write_files(folder: pathlib.Path) -> None:
    """The two files that the README has one write: a cell, and a recipe with it."""
    (folder / "my_cells.py").write_text(block("python", "# my_cells.py"))
    (folder / "my.toml").write_text(block("toml", "# my.toml"))


def parsed(command: str) -> Any:
    """The options that a command line ``experiments.name …`` gives to its script."""
    name, *arguments = shlex.split(command)
    taken = []
    config.cli(taken.append, _options(importlib.import_module(name)), arguments)
    return taken[0]


def refused(command: str, cwd: pathlib.Path, monkeypatch, capsys) -> str:
    """What a script said on stderr that must end with code 2 and no traceback."""
    name, *arguments = shlex.split(command)
    script = importlib.import_module(name)
    monkeypatch.chdir(cwd)
    monkeypatch.delenv("RNNSENT_IMDB_ARCHIVE", raising=False)
    monkeypatch.setattr(devices, "configure", lambda: None)  # it is for a process of its own
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        config.cli(script.main, _options(script), arguments)
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


def _options(script) -> type:
    return typing.get_type_hints(script.main)["options"]
