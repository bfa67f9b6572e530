import dataclasses
import json

import numpy as np
import pytest

from experiments import benchmark
from rnnsent import costs, data, peers
from rnnsent.errors import UserError
from rnnsent.benchmark import measure

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
    subjects = ("rnnsent", "flax", "absent", "jax-cudnn")
    record, page = run(tmp_path, subjects=subjects, rows="full", trace=True, hlo=True)
    (case,) = record["cases"]
    for task in ("train", "infer"):
        for name in ("rnnsent", "flax"):
            assert len(case["samples"][task][name]) == 2
            assert all(seconds > 0 for seconds in case["samples"][task][name])
            assert case["results"][name]["compile_seconds"][task] >= 0
            assert case["results"][name]["steps"][task] >= 1
        assert case["floor"][task]["seconds"] > 0
    assert case["results"]["absent"]["status"] == "skipped"
    assert case["results"]["flax"]["errors"]["gradients"] < 1e-5
    assert case["results"]["flax"]["memory"]["temporary"] > 1e5
    assert case["counts"]["steps_run"] == {"train": 12, "infer": 12, "real": 12}
    assert record["settings"]["batch"] == 16
    assert record["provenance"]["versions"]["jax"]
    for text in (capsys.readouterr().out, page):
        assert "Flax nn.RNN" in text
        assert "skipped: not installed: no_such_module_here" in text
        assert "jax.experimental.rnn (cuDNN): skipped: needs a GPU" in text
    (folder,) = tmp_path.iterdir()
    (hlo,) = (folder / "hlo").iterdir()
    assert "HloModule" in hlo.read_text()
    assert list((folder / "trace").rglob("*.xplane.pb"))
    for figure in ("peers.png", "roofline.png"):
        assert f"]({figure})" in page and (folder / figure).stat().st_size > 1000


@pytest.mark.slow
def test_packing_is_measured_on_reviews_as_they_are(tmp_path, monkeypatch):
    study = dataclasses.replace(benchmark.STUDIES["packing"], values=(12,))
    monkeypatch.setitem(benchmark.STUDIES, "packing", study)
    record, page = run(tmp_path, study=("packing",), subjects=())
    (case,) = record["cases"]
    counted = case["counts"]["steps_run"]
    assert counted["real"] <= counted["infer"] <= counted["train"] <= 12
    assert counted["real"] < 12
    assert case["limit"]["steps"] == counted["real"]
    config = peers.Case.from_json(case["case"]).config
    assert case["floor"]["infer"]["flops"] == costs.flops(config, 16, counted["real"], train=False)
    assert "What packing saves" in page
    assert set(case["samples"]["train"]) == {"rnnsent", "rnnsent-scan", "limit"}


@pytest.mark.slow
def test_a_subject_that_computes_something_else_is_not_timed(tmp_path, monkeypatch):
    monkeypatch.setitem(measure.TOLERANCE, "gradients", 0.0)
    with pytest.raises(SystemExit, match="gradients differ from the reference"):
        run(tmp_path, subjects=("flax",), rows="full")
    (folder,) = tmp_path.iterdir()
    (case,) = json.loads((folder / "benchmark.json").read_text())["cases"]
    assert case["results"]["flax"]["status"] == "failed"
    assert "flax" not in case["samples"]["train"]


def first_case(options: benchmark.Options) -> peers.Case:
    return next(benchmark.expand("peers", options))[2]


def test_full_rows_are_reviews_run_together():
    reviews = data.load("toy", data.Encoding(num_words=300, maxlen=12))
    options = dataclasses.replace(SMALL, rows="full")
    rows = benchmark.rows_for(first_case(options), options, reviews)
    ids = reviews.train.ids_NT
    assert rows["ids_NT"].shape == (8 * 16, 12)
    assert (rows["ids_NT"] != 0).all()
    np.testing.assert_array_equal(rows["ids_NT"].ravel(), ids[ids != 0][: 8 * 16 * 12])


def test_real_rows_keep_their_padding_and_none_is_empty():
    reviews = data.load("toy", data.Encoding(num_words=300, maxlen=12))
    case = first_case(SMALL)
    ids_NT = benchmark.rows_for(case, SMALL, reviews)["ids_NT"]
    assert case.masked
    assert (ids_NT == 0).any()
    assert (ids_NT != 0).any(1).all()


def test_rows_repeat_where_a_case_needs_more_than_there_are():
    reviews = data.load("toy", data.Encoding(num_words=300, maxlen=12))
    case = peers.Case(first_case(SMALL).config, batch=5000, steps=12)
    assert benchmark.rows_for(case, SMALL, reviews)["ids_NT"].shape == (5000, 12)


@pytest.mark.parametrize("study", [name for name in benchmark.STUDIES if name != "peers"])
def test_a_study_varies_one_thing(study):
    values = benchmark.STUDIES[study].values
    cases = [case for *_, case in benchmark.expand(study, SMALL)]
    assert len(cases) == len(set(cases)) == len(values)
    for case, value in zip(cases, values, strict=True):
        fields = dataclasses.asdict(case)
        config = fields.pop("config")
        varied = {"features": config["features"][0], "packing": case.steps}.get(study)
        assert (fields[study] if varied is None else varied) == value
        assert case.masked == (study == "packing")


def test_peers_by_default_are_all_on_the_notebooks_models_and_flax_on_the_guest():
    options = dataclasses.replace(SMALL, cells=(), subjects=(), quick=False)
    cells = [case.config.cell for *_, case in benchmark.expand("peers", options)]
    assert cells == ["simple_rnn", "lstm", "gru"]
    quick = dataclasses.replace(options, quick=True)
    assert [case.config.cell for *_, case in benchmark.expand("peers", quick)] == ["lstm"]
    assert benchmark.subjects_of("peers", "lstm", options) == benchmark.STUDIES["peers"].subjects
    assert benchmark.subjects_of("peers", "gru", options) == ("rnnsent", "flax")
    assert benchmark.subjects_of("peers", "gru", SMALL) == SMALL.subjects


def planned(folder, study="peers", **changes) -> measure.Plan:
    options = dataclasses.replace(SMALL, **changes)
    named = {"study": study, "value": None}
    return benchmark._plan(options, named, first_case(options), folder)


def test_a_sample_against_the_peers_is_never_the_start_of_a_program(tmp_path):
    assert planned(tmp_path, quick=False).least == 2
    assert planned(tmp_path, "steps", quick=False).least == planned(tmp_path).least == 1


def test_quick_names_what_it_leaves_out_unless_it_is_asked_for(tmp_path):
    def left_out(study="peers", **changes):
        return planned(tmp_path, study, **changes).left_out

    assert set(left_out(subjects=())) == set(benchmark.NOT_QUICK)
    assert left_out(subjects=(), quick=False) == left_out() == {}
    assert left_out("packing", subjects=()) == {}


@pytest.mark.parametrize(
    "change, message",
    [
        ({"batch": 0}, "--batch is 0"),
        ({"seconds": 0.0}, "--seconds is 0"),
        ({"study": ()}, "study"),
        ({"study": ("packing",), "rows": "full"}, "nothing to pack"),
    ],
)
def test_impossible_values_are_refused_before_any_work(change, message):
    with pytest.raises(UserError, match=message):
        dataclasses.replace(SMALL, **change)


def test_a_folder_without_a_record_cannot_be_redrawn(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        benchmark.main(dataclasses.replace(SMALL, redraw=tmp_path))
