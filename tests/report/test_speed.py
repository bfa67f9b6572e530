import pathlib

import pytest
from report.timed import case

from rnnsent.benchmark import SUBJECTS
from rnnsent.report import speed


@pytest.mark.parametrize("kind", ("bars", "roofline", "scaling"))
def test_every_figure_is_a_file(kind, tmp_path):
    path: pathlib.Path = tmp_path / "figure.png"
    cases = [case("batch", value, cell) for cell in ("lstm", "gru") for value in (32, 64)]
    if kind == "scaling":
        speed.scaling(cases, "rows", path)
    else:
        getattr(speed, kind)(cases, path)
    assert path.stat().st_size > 5000


def test_every_subject_has_a_look_of_its_own():
    looks = [speed._look(name) for name in SUBJECTS]
    assert len(set(looks)) == len(looks) and speed._look("unknown") not in looks
