"""A sweep as a command, on the toy task; what its pages say is tested with the report."""

import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from scripts import ROOT, refused

from experiments import sweep
from rnnsent import data, devices, runs
from rnnsent.errors import UserError
from rnnsent.sweep import cluster, final, plan, record

RECIPE = """cell = "simple_rnn"
features = [4]
head = 2
embedding_size = 2
epochs = 2
"""
SWEEP = """base = "tiny.toml"
seeds = [0, 1]
[fields]
learning_rate = [1e-2, 1e30]
"""
DATA = ("--data", "toy", "--maxlen", "16", "--num-words", "40")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    (folder / "tiny.toml").write_text(RECIPE)
    (folder / "s.toml").write_text(SWEEP)
    return folder


@pytest.fixture(autouse=True)
def _devices_are_the_tests(monkeypatch):
    monkeypatch.setattr(devices, "configure", lambda count=None: None)


def options(files, **more):
    places = {"sweep": files / "s.toml", "data": "toy", "maxlen": 16, "num_words": 40}
    return sweep.Options(**places | more)


@pytest.fixture(scope="module")
def whole(files, tmp_path_factory):
    """The folder of a sweep that nothing disturbed; tests that change it take a copy."""
    out = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices, "configure", lambda count=None: None)
        sweep.main(options(files, out=out))
    (folder,) = out.iterdir()
    return folder


def tables(folder):
    return [(folder / name).read_bytes() for name in ("table.csv", "table.parquet")]


def start(files, *more):
    """The command in a process of its own, with as many devices as the tests have."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "JAX_NUM_CPU_DEVICES": "1"}
    command = [sys.executable, "-m", "experiments.sweep", str(files / "s.toml"), *DATA, *more]
    return subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE)


def wait_for(found, process, seconds=300):
    """Until there is something, or the process has ended."""
    end = time.monotonic() + seconds
    while not (held := found()) and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    return held


def test_what_diverged_is_told_and_disturbs_no_other(whole):
    held = runs.read_record(whole, record.Record)
    base, better, lost = held.members
    assert [one.divergence.epoch for one in lost.lost] == [1, 1] and held.advice()
    assert lost.rank is None and lost.accuracy is None
    assert {base.rank, better.rank} == {1, 2} and better.changes == {"learning_rate": 0.01}
    reviews = data.load("toy", data.Encoding(num_words=40, maxlen=16), validation=0.2)
    for member in (base, better):
        for training in member.trainings:
            place = next(whole.glob(f"{member.name}/seed-{training.seed}"))
            right_N = (runs.load(place).test_logits_N > 0) == (reviews.test.label_N == 1)
            assert training.figures.validation_accuracy == right_N.mean()
    assert held.origin.data["validation"] == 0.2 and len(reviews.test) == 205


def test_a_sweep_that_is_killed_goes_on_to_the_same_table(files, whole, tmp_path):
    process = start(files, "--out", str(tmp_path))
    wait_for(lambda: list(tmp_path.glob("*/*/seed-*/config.json")), process)
    time.sleep(random.random())
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (folder,) = tmp_path.iterdir()
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("*/seed-*/result.json")}
    sweep.main(options(files, run=folder))
    assert tables(folder) == tables(whole)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


@pytest.mark.ci
def test_two_workers_make_the_same_table_though_one_is_killed(files, whole, tmp_path):
    pytest.importorskip("distributed", reason="needs the extra cluster")
    psutil = pytest.importorskip("psutil")  # of distributed
    process = start(files, "--out", str(tmp_path), "--scheduler", "local:2")
    (begun, *_) = wait_for(lambda: list(tmp_path.glob("*/*/.lock")), process)
    locked = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if begun in [pathlib.Path(file.path) for file in child.open_files()]
    ]
    for worker in locked:
        worker.kill()
    _, said = process.communicate(timeout=600)
    assert process.returncode == 0, said.decode()
    (folder,) = tmp_path.iterdir()
    assert locked and tables(folder) == tables(whole)


def test_a_run_is_drawn_anew_from_its_record_alone(whole, tmp_path, monkeypatch, capsys):
    def computed(*args, **more):
        raise AssertionError("nothing is computed")

    monkeypatch.setattr(sweep.Options, "load", computed)
    monkeypatch.setattr(devices, "configure", computed)
    shutil.copyfile(whole / record.Record.FILE, tmp_path / record.Record.FILE)
    sweep.main(sweep.Options(redraw=tmp_path))
    assert tables(tmp_path) == tables(whole)
    for name in ("report.md", "figures/varied.png"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()
    assert "is best" in capsys.readouterr().out


def test_where_a_nan_first_arises_is_asked_here_and_of_workers(files, monkeypatch, tmp_path):
    def train(*arguments, progress, **options):
        raise UserError(repr(options))

    monkeypatch.setattr(runs, "train", train)
    asked = options(files, debug_nans=True, out=tmp_path)
    assert asked.training == {"implementation": "auto", "every": 0, "debug_nans": True}
    with pytest.raises(UserError, match="'debug_nans': True"):
        sweep.main(asked)
    (folder,) = tmp_path.iterdir()
    jobs = asked.jobs(folder, plan.read(asked.sweep), asked.load())
    assert jobs and all(job.debug_nans for job in jobs)


@pytest.mark.ci
def test_more_members_are_added_to_what_is_there(files, whole, tmp_path, monkeypatch):
    folder = shutil.copytree(whole, tmp_path / "run")
    wider = tmp_path / "wider.toml"
    wider.write_text(SWEEP.replace("tiny.toml", str(files / "tiny.toml")).replace("1e30", "2e-2"))
    trained = []
    train = runs.train
    monkeypatch.setattr(
        runs, "train", lambda *a, **o: trained.extend(runs.pending(*a[:3])) or train(*a, **o)
    )
    sweep.main(options(files, run=folder, sweep=wider))
    assert trained == [0, 1]
    members = runs.read_record(folder, record.Record).members
    assert [member.changes.get("learning_rate") for member in members] == [None, 1e-2, 2e-2]


def test_the_test_reviews_are_read_once_with_all_training_reviews(files, whole, tmp_path, capsys):
    folder = shutil.copytree(whole, tmp_path / "run")
    sweep.main(options(files, run=folder, final=True))
    told = final.read(folder)
    best = runs.read_record(folder, record.Record).ranked[0]
    assert (told.name, told.seeds) == (best.name, (0, 1)) and told.test_title == "toy accuracy"
    (one, _) = runs.finished(folder / final.FOLDER)
    assert one.config.rows == 1024 and one.result.data.test == 256
    assert one.result.final.test_accuracy == told.tested[0].accuracy
    assert "toy accuracy: " in capsys.readouterr().out
    assert "read once" in (folder / "report.md").read_text()
    other = tmp_path / "other.toml"
    text = SWEEP.replace("tiny.toml", str(files / "tiny.toml"))
    other.write_text(text.replace("[0, 1]", "[0]"))
    with pytest.raises(UserError, match="with seeds 0 is another choice"):
        sweep.main(options(files, run=folder, sweep=other, final=True))
    assert final.read(folder) == told and "read once" in (folder / "report.md").read_text()


@pytest.mark.parametrize(
    "command, message",
    [
        ("", "Give a sweep's TOML file"),
        ("s.toml --redraw runs", "Give a sweep's TOML file"),
        ("s.toml --validation 0", "--validation must be above 0"),
        ("s.toml --checkpoint-every -1", "--checkpoint-every must be 0 or above"),
        ("gone.toml --data toy", "gone.toml cannot be read"),
        ("--redraw .", "record.json cannot be read"),
        ("s.toml --data toy --scheduler two", "expected local:2"),
        ("s.toml --data toy --scheduler gone.json", "no scheduler at gone.json"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    files, command, message, tmp_path, monkeypatch, capsys
):
    if "--scheduler" in command:
        pytest.importorskip("distributed", reason="needs the extra cluster")
    for name in ("s.toml", "tiny.toml"):
        shutil.copyfile(files / name, tmp_path / name)
    said = refused(f"experiments.sweep {command}", tmp_path, monkeypatch, capsys)
    assert message in said.splitlines()[-1]


def test_without_dask_that_is_said_before_anything_is_done(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"rnnsent\[cluster\]"):
        options(files, scheduler="local:2")
    assert cluster.MISSING.startswith("--scheduler needs Dask")
