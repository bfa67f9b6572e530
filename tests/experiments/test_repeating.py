"""A run that is repeated: ``experiments.compare --from``."""

import shutil

import numpy as np
import pytest
from corpus import folders

from experiments import compare
from rnnsent import config, data, devices, provenance, runs
from rnnsent.runs.repeats import Repetition

SEED = folders.SEED


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The run ``then``, trained, and ``run``, its repetition."""
    place = tmp_path_factory.mktemp("repeated")
    toy = data.load("toy", data.Encoding(num_words=60, maxlen=12)).first(64, 32)
    with runs.open_folder(place, place / "then", "compare", toy, provenance.of(toy)) as run:
        runs.train(run, folders.TINY, [0, 1], toy, implementation="scan")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        repeat(patch)
    return place


def repeat(monkeypatch, *options):
    monkeypatch.setattr(devices, "configure", lambda: None)  # it is for a process of its own
    config.cli(compare.main, compare.Options, ["--from", "then", "--run", "run", *options])


@pytest.fixture
def place(trained, tmp_path, monkeypatch):
    """A copy of both; what is repeated there is only compared once more."""
    shutil.copytree(trained, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def test_a_repeated_run_is_the_same_to_the_bit(trained):
    record = runs.read_record(trained / "run", Repetition)
    assert [(one.title, one.seed) for one in record.repeats] == [("tiny", 0), ("tiny", 1)]
    assert all(one.identical and not one.reasons for one in record.repeats)
    then, now = (np.load(trained / name / SEED / "predictions.npz") for name in ("then", "run"))
    assert np.ptp(then["test_logits_N"]) > 0
    np.testing.assert_array_equal(then["test_logits_N"], now["test_logits_N"])
    page = (trained / "run" / "repetition.md").read_text()
    assert "all came to the same, to the bit" in page and "recorded otherwise" not in page
    assert (trained / "run" / "repetition.html").exists()


def test_a_tampered_metric_and_another_machine_are_named(place, monkeypatch, capsys):
    name = f"{SEED}/result.json"
    folders.field(name, "fits.0.test_accuracy", 1.0, "").make(place)
    folders.field("tiny/seed-1/provenance.json", "device.devices", 64, "").make(place)
    with pytest.raises(SystemExit) as end:
        repeat(monkeypatch)
    assert isinstance(end.value.code, str) and "\n" not in end.value.code  # code 1, and a line
    assert end.value.code.startswith("error: 1 of 2 trainings came to the same, to the bit; not so")
    assert "tiny seed 0. The page says" in end.value.code
    page = (place / "run" / "repetition.md").read_text()
    assert ", now 64" in page and "Traceback" not in capsys.readouterr().err


def test_where_nothing_is_recorded_otherwise_that_is_said(place, monkeypatch):
    folders.field(f"{SEED}/metrics.jsonl", "loss", 0.5, "").make(place)
    with pytest.raises(SystemExit, match="not so tiny seed 0"):
        repeat(monkeypatch)
    assert "Nothing: of one of the two" in (place / "run" / "repetition.md").read_text()
