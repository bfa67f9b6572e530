import dataclasses
import json

import numpy as np
import pytest

from experiments import benchmark
from rnnsent import data, peers
from rnnsent.errors import UserError

SMALL = benchmark.Options(
    data="toy",
    num_words=300,
    maxlen=12,
    cells=("simple_rnn",),
    subjects=("rnnsent", "flax"),
    batch=16,
    quick=True,
)


def run(tmp_path, **changes) -> tuple[dict, str]:
    benchmark.main(dataclasses.replace(SMALL, out=tmp_path, **changes))
    (folder,) = tmp_path.iterdir()
    return json.loads((folder / "benchmark.json").read_text()), (
        folder / "benchmark.md"
    ).read_text()


@pytest.mark.slow
def test_a_record_holds_every_sample_and_what_it_rests_on(tmp_path, capsys, monkeypatch):
    absent = peers.Spec("Absent", "ours:Rnnsent", ("no_such_module_here",))
    monkeypatch.setitem(peers.SUBJECTS, "absent", absent)
    record, page = run(tmp_path, subjects=("rnnsent", "flax", "absent"))
    (case,) = record["cases"]
    for task in ("train", "infer"):
        for name in ("rnnsent", "flax"):
            assert len(case["samples"][task][name]) == 2
            assert all(seconds > 0 for seconds in case["samples"][task][name])
        assert case["floor"][task]["seconds"] > 0
    assert case["results"]["absent"]["status"] == "skipped"
    assert case["results"]["flax"]["errors"]["gradients"] < 1e-5
    assert record["settings"]["batch"] == 16
    assert record["provenance"]["versions"]["jax"]
    for text in (capsys.readouterr().out, page):
        assert "Flax nn.RNN" in text
        assert "skipped: not installed: no_such_module_here" in text


@pytest.mark.slow
def test_a_subject_that_computes_something_else_is_not_timed(tmp_path, monkeypatch):
    monkeypatch.setitem(benchmark.TOLERANCE, "gradients", 0.0)
    with pytest.raises(SystemExit, match="gradients differ from the reference"):
        run(tmp_path, subjects=("flax",), rows="real")
    (folder,) = tmp_path.iterdir()
    (case,) = json.loads((folder / "benchmark.json").read_text())["cases"]
    assert case["results"]["flax"]["status"] == "failed"
    assert "flax" not in case["samples"]["train"]


def test_full_rows_are_reviews_run_together():
    reviews = data.load("toy", num_words=300, maxlen=12)
    ((_, case),) = benchmark.expand(SMALL)
    rows = benchmark.rows_for(case, SMALL, reviews)
    ids = reviews.train.ids_NT
    assert rows["ids_NT"].shape == (8 * 16, 12)
    assert (rows["ids_NT"] != 0).all()
    np.testing.assert_array_equal(rows["ids_NT"].ravel(), ids[ids != 0][: 8 * 16 * 12])


def test_real_rows_keep_their_padding_and_none_is_empty():
    reviews = data.load("toy", num_words=300, maxlen=12)
    options = dataclasses.replace(SMALL, rows="real")
    ((_, case),) = benchmark.expand(options)
    ids_NT = benchmark.rows_for(case, options, reviews)["ids_NT"]
    assert case.masked
    assert (ids_NT == 0).any()
    assert (ids_NT != 0).any(1).all()


def test_rows_repeat_where_a_case_needs_more_than_there_are():
    reviews = data.load("toy", num_words=300, maxlen=12)
    case = peers.Case(next(benchmark.expand(SMALL))[1].config, batch=5000, steps=12)
    assert benchmark.rows_for(case, SMALL, reviews)["ids_NT"].shape == (5000, 12)


@pytest.mark.parametrize("sweep", [name for name in benchmark.SWEEPS if name != "none"])
def test_a_sweep_varies_one_thing(sweep):
    options = dataclasses.replace(SMALL, sweep=sweep)
    labels = [label for label, _ in benchmark.expand(options)]
    assert len(set(labels)) == len(benchmark.SWEEPS[sweep])


def test_impossible_values_are_refused_before_any_work():
    with pytest.raises(UserError, match="--batch is 0"):
        dataclasses.replace(SMALL, batch=0)
