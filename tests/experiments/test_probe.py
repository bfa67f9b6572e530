"""The probe as a user runs it, on the shortest length."""

import dataclasses

import pytest
from scripts import refused

from experiments import probe
from rnnsent.probe import record as records
from rnnsent.probe.measure import Probe

SMALL = probe.Options(
    recipes=("sound-simple-rnn",),
    cells=("probe_cells:AddingCell",),
    tasks=("adding",),
    seeds=(0, 1),
    longest=8,
    steps=100,
    batch=4,
    features=(3,),
)


@pytest.mark.slow
def test_a_probe_its_pages_and_both_again(tmp_path, monkeypatch, capsys):
    probe.main(dataclasses.replace(SMALL, out=tmp_path))
    (folder,) = tmp_path.iterdir()
    record, page = records.read(folder), (folder / "report.html").read_bytes()
    assert list(record.rows) == ["sound-simple-rnn", "probe_cells:AddingCell"]
    for row in record.rows.values():
        (length,) = row.tasks["adding"]
        assert [seed.seed for seed in length.seeds] == [0, 1] and length.length == 8
        assert all(0 < seed.fresh < 100 and seed.steps == 100 for seed in length.seeds)
    assert "Longest length solved" in capsys.readouterr().out

    def never(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(Probe, "measure", never)
    probe.main(dataclasses.replace(SMALL, run=folder))
    assert records.read(folder).rows == record.rows
    records.write(folder, record)
    (folder / "report.html").unlink()
    probe.main(dataclasses.replace(SMALL, redraw=folder))
    assert (folder / "report.html").read_bytes() == page


@pytest.mark.parametrize(
    "options, words",
    [
        ("--redraw nowhere", "holds no probe"),
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
