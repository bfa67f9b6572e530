import dataclasses
import json

import pytest

from experiments import benchmark
from rnnsent.errors import UserError

SMALL = benchmark.Options(
    data="toy",
    num_words=300,
    maxlen=12,
    cells=("simple_rnn",),
    subjects=("rnnsent", "flax", "jax-cudnn"),
    batch=16,
    quick=True,
)


def run(tmp_path, **changes):
    """The record's folder."""
    benchmark.main(dataclasses.replace(SMALL, out=tmp_path, **changes))
    (folder,) = tmp_path.iterdir()
    return folder


@pytest.mark.slow
def test_a_record_and_its_pages_and_both_again(tmp_path, capsys):
    folder = run(tmp_path, rows="full")
    printed, page = capsys.readouterr().out, (folder / "benchmark.md").read_text()
    for text in (printed, page):
        assert "Flax nn.RNN" in text
        assert "jax.experimental.rnn (cuDNN): skipped: needs a GPU" in text
    for figure in ("peers.png", "roofline.png"):
        assert f"]({figure})" in page and (folder / figure).stat().st_size > 1000
    record = json.loads((folder / "benchmark.json").read_text())
    assert record["settings"] == {"rounds": 2, "seconds": 0.1}
    assert record["origin"]["versions"]["jax"]
    assert record["cases"][0]["case"]["batch"] == 16
    (folder / "benchmark.md").unlink()
    benchmark.main(benchmark.Options(redraw=folder))
    assert (folder / "benchmark.md").read_text() == page == capsys.readouterr().out[:-1]


@pytest.mark.ci
def test_packing_is_measured_on_reviews_as_they_are(tmp_path, monkeypatch):
    study = dataclasses.replace(benchmark.studies.STUDIES["packing"], values=(12,))
    monkeypatch.setitem(benchmark.studies.STUDIES, "packing", study)
    folder = run(tmp_path, study=("packing",), subjects=())
    assert "What packing saves" in (folder / "benchmark.md").read_text()


def test_impossible_values_are_refused_before_any_work():
    with pytest.raises(UserError, match="--seconds is inf"):
        dataclasses.replace(SMALL, seconds=float("inf"))
    with pytest.raises(UserError, match="There is no cell 'nonsense'"):
        dataclasses.replace(SMALL, cells=("nonsense",))


@pytest.mark.parametrize("content", [None, "{", "[]", '{"settings": {}}', "\x00"])
def test_a_folder_without_a_record_cannot_be_redrawn(content, tmp_path):
    if content is not None:
        (tmp_path / "benchmark.json").write_text(content)
    with pytest.raises(UserError, match="cannot be read|earlier version") as error:
        benchmark.main(benchmark.Options(redraw=tmp_path))
    assert "\n" not in str(error.value)
