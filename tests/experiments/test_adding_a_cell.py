"""docs/adding_a_cell.md from its first line to its last, in an empty folder."""

import os
import re
import shlex
import subprocess
import sys

import pytest
from scripts import ROOT

PAGE = (ROOT / "docs/adding_a_cell.md").read_text()
LAYERS = "--features 4 --embedding-size 4 --head 4 --maxlen 16 --epochs 1"
SMALLER = {  # what makes a command on real reviews a matter of seconds
    "compare": f"--data toy {LAYERS}",
    "sweep": "--data toy --maxlen 16",
    "benchmark": "--data toy --maxlen 8 --batch 8 --rounds 1 --seconds 0.01 --subjects rnnsent",
    "claims": f"--data toy --quick {LAYERS}",
}
LEFT_OUT = "--data imdb-train", "--data toy", "--quick", "--seeds 0 1 2"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)


COMMANDS = [line for block in blocks("bash") for line in block.splitlines()]


def files() -> dict[str, str]:
    """The files that the page has one write, by their names."""
    found = [*blocks("python"), *blocks("toml")]
    return {text.partition("\n")[0].removeprefix("# "): text for text in found}


def smaller(command: str) -> str:
    """A command as it is tried here: where it reads reviews, fewer, with smaller models."""
    if "--data" not in command:
        return command
    for words in LEFT_OUT:
        command = command.replace(words, "")
    return f"{command} {SMALLER[command.split()[2].removeprefix('experiments.')]}"


def run(command: str, cwd) -> str:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    first, *rest = shlex.split(command)
    assert first == "python"
    done = subprocess.run(
        [sys.executable, *rest], cwd=cwd, env=env, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_cell_is_short():
    (cell,) = (text for name, text in files().items() if name == "my_cells.py")
    lines = [line for line in cell.partition("class ")[2].splitlines() if line]
    assert len(lines) <= 25


@pytest.mark.ci
def test_every_command_does_what_the_page_says(tmp_path):
    for name, text in files().items():
        if name == "leaks.toml":
            text = text.replace("[0, 1, 2]", "[0]\nset = {epochs = 1, features = [4], head = 4}")
        (tmp_path / name).write_text(text)
    said = {}
    for command in COMMANDS:
        latest = sorted(tmp_path.glob("runs/compare-*"), key=os.path.getmtime)[-1:]
        command = smaller(command).replace("RUN", str(*latest) if latest else "RUN")
        said[command.split()[2]] = run(command, tmp_path)
    checked = [line.split()[:2] for line in said["pytest"].splitlines()]
    (shown,) = blocks("text")
    for line in shown.splitlines()[2:]:
        assert line.split()[:2] in checked
    assert "kept 0.5" in " ".join(said["experiments.sweep"].split())
    assert "LeakyCell" in said["experiments.benchmark"]
    assert "leaky" in said["experiments.inspect"] and "leaky" in said["experiments.predict"]
