"""The probe as a user runs it, on the shortest length."""

import pathlib
import shutil

import probe_cells
import pytest
from scripts import parsed, refused, run

from experiments import probe
from rnnsent import devices, runs
from rnnsent.probe import record as records
from rnnsent.probe.measure import Probe

SMALL = (
    "--recipes sound-simple-rnn --cells probe_cells:HalvingCell --tasks recall --seeds 0 1 2 "
    "--longest 8 --steps 100 --batch 4 --features 3"
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Where it ran, as a user does (on a device for each core), its folder and what it printed."""
    cwd = tmp_path_factory.mktemp("work")
    shutil.copy(probe_cells.__file__, cwd)
    done = run("experiments.probe", *SMALL.split(), cwd=cwd)
    (folder,) = (cwd / "runs").iterdir()
    return cwd, folder, done


@pytest.fixture
def untrained(finished, tmp_path, monkeypatch):
    """A copy of the folder, where no training may be done."""
    cwd, folder, _ = finished
    folder = shutil.copytree(folder, tmp_path / "run")

    def never(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(Probe, "measure", never)
    monkeypatch.setattr(devices, "configure", lambda: None)
    monkeypatch.chdir(cwd)
    return folder


@pytest.mark.slow
def test_a_probe_trains_every_seed_and_draws_its_page(finished):
    _, folder, done = finished
    record = runs.read_record(folder, records.Record)
    assert list(record.rows) == ["sound-simple-rnn", "probe_cells:HalvingCell"]
    for row in record.rows.values():
        (length,) = row.tasks["recall"]
        assert [seed.seed for seed in length.seeds] == [0, 1, 2] and length.length == 8
        assert all(seed.steps == 100 and seed.score < 0.95 for seed in length.seeds)
    assert [seed.trained for seed in length.seeds] == pytest.approx([0.5**7] * 3)
    assert "Longest length solved" in done.stdout and "left" in done.stderr
    assert "recall" in (folder / "report.md").read_text()


@pytest.mark.slow
def test_what_is_finished_is_not_trained_again(untrained):
    before = runs.read_record(untrained, records.Record)
    probe.main(parsed(f"experiments.probe {SMALL} --run {untrained}"))
    assert runs.read_record(untrained, records.Record).rows == before.rows


@pytest.mark.slow
def test_other_options_are_refused_in_the_same_folder(untrained, monkeypatch, capsys):
    command = f"experiments.probe {SMALL} --run {untrained} --steps 200"
    assert "another recipe, width" in refused(command, pathlib.Path(), monkeypatch, capsys)


@pytest.mark.slow
def test_pages_are_drawn_again_without_computing(untrained):
    page = untrained / "report.html"
    before = page.read_bytes()
    page.unlink()
    probe.main(parsed(f"experiments.probe --redraw {untrained}"))
    assert page.read_bytes() == before


@pytest.mark.parametrize(
    "options, words",
    [
        ("--redraw nowhere", "nowhere/record.json cannot be read"),
        ("--recipes nothing", "no recipe"),
        ("--cells nothing", "no cell"),
        ("--seeds 0 0", "twice"),
        ("--tasks adding adding", "twice"),
        ("--steps 150", "multiple of 100"),
        ("--longest 7", "8 or above"),
        ("--batch 0", "--batch"),
        ("--features 0", "features"),
        ("--cells gru gru", "named twice"),
        ("--recipes --cells", "Give --recipes or --cells"),
    ],
)
def test_mistakes_are_one_line(options, words, tmp_path, monkeypatch, capsys):
    said = refused(f"experiments.probe {options}", tmp_path, monkeypatch, capsys)
    assert words in said and said.count("\n") == 1
    assert not list(tmp_path.glob("runs/*"))
