"""The scripts as a user runs them, on the toy task; the README's commands with them."""

import importlib
import json
import re
import shlex
import typing

import pytest
from scripts import ROOT, run

from rnnsent import config, devices

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder in which the comparison ran on the toy task, and what it printed."""
    cwd = tmp_path_factory.mktemp("work")
    options = ("--data", "toy", "--epochs", "2", "--seeds", "0", "1", "--maxlen", "24")
    return cwd, run("experiments.compare", *options, cwd=cwd)


def test_compare_writes_the_report_it_prints(finished):
    cwd, done = finished
    (folder,) = (cwd / "runs").iterdir()
    report = (folder / "report.md").read_text()
    assert "`toy`" in "\n".join(report.splitlines()[:5])
    assert "toy" in done.stderr.splitlines()[0]
    assert "IMDB test accuracy" not in report
    for part in ("197,185", "293,953", "McNemar", "n = 2", "Not measured by this run"):
        assert part in report
    assert report.count("\n20. ") == 1
    for name in re.findall(r"\]\((figures/[^)]*)\)", report):
        assert (folder / name).stat().st_size > 1000
    assert "McNemar" in done.stdout
    page = (folder / "report.html").read_text()
    assert page.count("<article") == 20 and page.count("<img") == report.count("](figures/")
    for model in ("simple_rnn", "lstm"):
        for seed in (0, 1):
            place = folder / model / f"seed-{seed}"
            lines = (place / "metrics.jsonl").read_text().splitlines()
            assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
            assert (place / "result.json").exists() and (place / "predictions.npz").exists()
    assert json.loads((folder / "provenance.json").read_text())["data"]["source"] == "toy"


def test_predict_reads_a_new_review(finished):
    done = run("experiments.predict", "a good film", cwd=finished[0])
    assert "toy" in done.stdout.splitlines()[0]
    assert len(re.findall(r"0\.\d{3}", done.stdout)) == 4


def test_evaluate_measures_the_checkpoints_again(finished):
    done = run("experiments.evaluate", cwd=finished[0])
    rows = [line for line in done.stdout.splitlines() if "%" in line]
    assert len(rows) == 4
    for row in rows:
        now, then = re.findall(r"\d+\.\d\d%", row)
        assert now == then


def test_inspect_reads_a_review_of_the_run(finished):
    cwd, _ = finished
    (folder,) = (cwd / "runs").iterdir()
    done = run("experiments.inspect", str(folder), "--review", "3", cwd=cwd)
    assert "test review 3 (truth: " in done.stdout.splitlines()[0]
    assert (folder / "test-review-3.html").read_text().count("<article") == 1
    refused = run("experiments.inspect", str(folder), "--review", "256", cwd=cwd, code=2)
    assert "0 to 255" in refused.stderr


def test_inspect_reads_a_text_and_says_what_the_models_said(finished):
    cwd, _ = finished
    options = ("--text", "a good film", "--seed", "1", "--out", "mine.html")
    done = run("experiments.inspect", *options, cwd=cwd)
    said = dict(re.findall(r"^(\S+): .* of positive (0\.\d\d)$", done.stdout, re.M))
    predicted = run("experiments.predict", "a good film", cwd=cwd).stdout
    assert set(said) == {"SimpleRNN", "LSTM"}
    for title, p in said.items():
        (line,) = [row for row in predicted.splitlines() if f"| {title} |" in row]
        by_seed = [float(value) for value in re.findall(r"0\.\d{3}", line)]
        assert float(p) == pytest.approx(by_seed[1], abs=0.006)
    assert "good" in (cwd / "mine.html").read_text()


def test_a_given_run_is_gone_on_with(finished):
    cwd, _ = finished
    (folder,) = (cwd / "runs").iterdir()
    result = folder / "lstm" / "seed-0" / "result.json"
    before = result.stat().st_mtime_ns
    options = ("--data", "toy", "--epochs", "2", "--seeds", "0", "1", "--maxlen", "24")
    run("experiments.compare", *options, "--run", str(folder), cwd=cwd)
    assert result.stat().st_mtime_ns == before
    other = ("--data", "toy", "--epochs", "2", "--maxlen", "16", "--run", str(folder))
    assert "other data" in run("experiments.compare", *other, cwd=cwd, code=2).stderr
    rate = (*options, "--learning-rate", "0.1", "--run", str(folder))
    assert "learning_rate 0.001" in run("experiments.compare", *rate, cwd=cwd, code=2).stderr


@pytest.mark.parametrize(
    "command, message",
    [
        ("experiments.compare --epochs 0", "at least 1"),
        ("experiments.compare --seeds 1 1", "twice"),
        ("experiments.compare --data toy --learning-rate nan", "above 0"),
        ("experiments.compare --data toy --num-words 2", "leaves no words"),
        ("experiments.compare --data toy --maxlen 1000000000", "beyond any review"),
        ("experiments.compare --data toy --out /dev/null", "no folder"),
        ("experiments.compare --data toy --run /dev/null", "no folder"),
        ("experiments.compare --data nowhere", "nowhere"),
        ("experiments.compare --epoch-count 3", "epoch-count"),
        ("experiments.compare --archive nothing.tar --data imdb", "nothing.tar"),
        ("experiments.predict hello", "no finished run"),
        ("experiments.evaluate nothing", "cannot be read"),
        ("experiments.claims --seeds", "seeds"),
        ("experiments.claims --epochs 0", "at least 1"),
        ("experiments.inspect nothing --review 1", "nothing"),
        ("experiments.inspect --review 1 --text words", "either"),
        ("experiments.inspect --text words", "no finished run"),
    ],
)
def test_a_users_mistake_is_one_message_and_code_2(tmp_path, monkeypatch, capsys, command, message):
    name, *arguments = shlex.split(command)
    script = importlib.import_module(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RNNSENT_IMDB_ARCHIVE", raising=False)
    monkeypatch.setattr(devices, "configure", lambda: None)  # it is for a process of its own
    options = typing.get_type_hints(script.main)["options"]
    with pytest.raises(SystemExit) as end:
        config.cli(script.main, options, arguments)
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert message in said and "Traceback" not in said
    assert not list(tmp_path.iterdir())


def test_the_readmes_table_of_commands_runs(finished):
    """Claims and benchmark, which run whole in tests of their own, are only asked for help."""
    readme = (ROOT / "README.md").read_text()
    commands = re.findall(r"^\| `python -m ([^`]*)`", readme, re.M)
    assert len(commands) >= 5
    cwd, _ = finished
    (folder,) = (cwd / "runs").iterdir()
    for command in commands:
        command = command.replace("FOLDER", str(folder)).replace("…", "")
        words = shlex.split(command.replace("18037", "3"))  # the toy task has fewer reviews
        if words[0] == "experiments.compare":
            extra = "--data toy --epochs 2 --maxlen 24"
            words += extra.split() + ([] if "--run" in words else ["--out", str(cwd / "more")])
        elif words[0] in ("experiments.claims", "experiments.benchmark"):
            words.append("--help")
        run(*words, cwd=cwd)
