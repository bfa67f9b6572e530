"""The comparison as a command; what its pages say is tested with the report."""

import shutil

import pytest
from compare import made

from experiments import compare
from rnnsent import runs
from rnnsent.errors import UserError


def test_a_run_is_drawn_anew_from_its_record_alone(tmp_path, capsys, monkeypatch):
    def computed(*args, **options):
        raise AssertionError("nothing is computed")

    for module, name in ((compare.Options, "start"), (compare.Options, "load")):
        monkeypatch.setattr(module, name, computed)
    runs.write_record(tmp_path, made.default())
    compare.main(compare.Options(redraw=tmp_path))
    printed = capsys.readouterr()
    assert "SimpleRNN, sound" in printed.out and str(tmp_path) in printed.err
    first = (tmp_path / "report.md").read_text()
    shutil.rmtree(tmp_path / "figures")
    compare.main(compare.Options(redraw=tmp_path))
    assert (tmp_path / "report.md").read_text() == first
    assert (tmp_path / "figures" / "accuracy.png").exists()


def test_what_diverged_ends_with_code_1_after_the_report(tmp_path):
    held = made.of(made.entrant("mine", [0.7], lost_seeds=(1,)))
    runs.write_record(tmp_path, held)
    with pytest.raises(SystemExit, match="mine seed 1 diverged in epoch 1"):
        compare.main(compare.Options(redraw=tmp_path))
    assert (tmp_path / "report.html").exists()


def test_a_folder_without_a_record_is_refused(tmp_path):
    with pytest.raises(UserError, match="finished run"):
        compare.main(compare.Options(redraw=tmp_path))
    assert list(tmp_path.iterdir()) == []
