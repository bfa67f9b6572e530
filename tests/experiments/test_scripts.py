"""The scripts as a user runs them, on the toy task; the README's commands with them."""

import json
import os
import re
import shlex
import subprocess
import sys

import pytest
from scripts import COMPARED, ROOT, parsed, refused, run, write_files

pytestmark = pytest.mark.slow


@pytest.fixture
def finished(compared):
    """Where the comparison ran, its folder, and what it printed."""
    cwd, done = compared
    (folder,) = (cwd / "runs").iterdir()
    return cwd, folder, done


def test_compare_writes_the_report_it_prints(finished):
    _, folder, done = finished
    report = (folder / "report.md").read_text()
    assert "toy accuracy" in "\n".join(report.splitlines()[:15])
    assert "toy" in done.stderr.splitlines()[0]
    assert "IMDB test accuracy" not in report
    for part in ("McNemar", "n = 2"):
        assert part in report
    assert report.count("\n20. ") == 1
    for name in re.findall(r"\]\((figures/[^)]*)\)", report):
        assert (folder / name).stat().st_size > 1000
    assert "McNemar" in done.stdout
    page = (folder / "report.html").read_text()
    assert page.count("<article") == 20 and page.count("<img") == report.count("](figures/")
    for recipe, epochs in {"notebook-simple-rnn": 4, "sound-lstm": 2}.items():
        for seed in (0, 1):
            place = folder / f"{recipe}+epochs=2" / f"seed-{seed}"
            lines = (place / "metrics.jsonl").read_text().splitlines()
            assert [json.loads(line)["epoch"] for line in lines] == [*range(1, epochs + 1)]
            assert (place / "result.json").exists() and (place / "predictions.npz").exists()
    assert json.loads((folder / "provenance.json").read_text())["data"]["source"] == "toy"


def test_a_run_goes_on_with_its_own_data_only(finished, monkeypatch, capsys):
    cwd, folder, _ = finished
    command = f"experiments.compare {shlex.join(COMPARED)} --run {folder} --maxlen 16"
    assert "other data" in refused(command, cwd, monkeypatch, capsys)


@pytest.mark.parametrize(
    "command, message",
    [
        ("experiments.compare --epochs 0", "epochs is 0; expected int >= 1"),
        ("experiments.compare --seeds 1 1", "twice"),
        ("experiments.compare --data toy --learning-rate nan", "expected float > 0"),
        ("experiments.compare --data toy --num-words 2", "leaves no words"),
        ("experiments.compare --data toy --maxlen 1000000000", "beyond any review"),
        ("experiments.compare --data toy --out /dev/null", "no folder"),
        ("experiments.compare --data toy --run /dev/null", "no folder"),
        ("experiments.compare --data nowhere", "nowhere"),
        ("experiments.compare --epoch-count 3", "epoch-count"),
        ("experiments.compare --archive nothing.tar --data imdb", "nothing.tar"),
        ("experiments.predict hello", "no finished run"),
        ("experiments.evaluate nothing", "no finished model"),
        ("experiments.claims --seeds", "seeds"),
        ("experiments.claims --epochs 0", "epochs is 0; expected int >= 1"),
        ("experiments.claims --data toy --learning-rate inf", "must be finite"),
        ("experiments.claims --data toy --seeds 0 4294967296", "below 2,147,483,648"),
        ("experiments.claims --data toy --seeds 0 0", "twice"),
        ("experiments.claims --data toy --seeds=-1", "0 or above"),
        (f"experiments.claims --data toy --seeds {10**30}", "below 2,147,483,648"),
        (f"experiments.compare --data toy --seeds {10**30}", "below 2,147,483,648"),
        ("experiments.inspect nothing --review 1", "nothing"),
        ("experiments.inspect --review 1 --text words", "either"),
        ("experiments.inspect --text words", "no finished run"),
    ],
)
def test_a_users_mistake_is_one_message_and_code_2(tmp_path, monkeypatch, capsys, command, message):
    assert message in refused(command, tmp_path, monkeypatch, capsys)
    assert not list(tmp_path.iterdir())


def test_a_users_mistake_ends_the_process_itself_with_code_2(tmp_path):
    done = run("experiments.compare", "--data", "toy", "--seeds", "1", "1", cwd=tmp_path, code=2)
    assert done.stderr.startswith("error: ") and "twice" in done.stderr


@pytest.mark.parametrize("name", ["compare", "inspect"])
def test_a_script_that_is_given_by_its_path_says_how_it_is_run(tmp_path, name):
    """Beside it stands a module named as one of Python's own."""
    command = [sys.executable, ROOT / f"experiments/{name}.py", "--help"]
    # Where coverage starts with the process, it has Python's own module already.
    env = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: give python -m experiments.NAME, not the path of the file.\n"


def test_the_readmes_commands_are_the_scripts_and_parse(tmp_path, monkeypatch):
    """Each script runs in a test of its own."""
    write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    readme = (ROOT / "README.md").read_text()
    commands = re.findall(r"^\| `python -m ([^`]*)`", readme, re.M)
    for command in commands:
        parsed(command.replace("…", ""))
    scripts = {f"experiments.{path.stem}" for path in (ROOT / "experiments").glob("[!_]*.py")}
    assert {command.split()[0] for command in commands} == scripts


@pytest.mark.parametrize(
    "path", sorted((ROOT / "experiments").glob("[!_]*.py")), ids=lambda p: p.stem
)
def test_a_scripts_help_is_for_its_user(path, capsys):
    with pytest.raises(SystemExit):
        parsed(f"experiments.{path.stem} --help")
    assert "type: ignore" not in capsys.readouterr().out
