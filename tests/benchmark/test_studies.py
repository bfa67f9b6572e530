import dataclasses

import numpy as np
import pytest

from rnnsent import data
from rnnsent.benchmark import Case, studies
from rnnsent.benchmark.studies import Choice
from rnnsent.errors import UserError

SMALL = Choice(
    cells=("simple_rnn",),
    subjects=("rnnsent", "flax"),
    batch=16,
    steps=12,
    vocab_size=300,
    quick=True,
)


@pytest.fixture
def reviews():
    return data.load("toy", data.Encoding(num_words=300, maxlen=12))


def first(choice: Choice = SMALL, study: str = "peers") -> studies.Job:
    return next(studies.expand(study, choice))


def rows_for(case: Case, reviews) -> dict:
    return studies.rows_for(case, reviews, load=None)


def test_full_rows_are_reviews_run_together(reviews):
    rows = rows_for(first(dataclasses.replace(SMALL, rows="full")).case, reviews)
    ids = reviews.train.ids_NT
    assert rows["ids_NT"].shape == (8 * 16, 12)
    assert (rows["ids_NT"] != 0).all()
    np.testing.assert_array_equal(rows["ids_NT"].ravel(), ids[ids != 0][: 8 * 16 * 12])


def test_real_rows_keep_their_padding_and_none_is_empty(reviews):
    case = first().case
    ids_NT = rows_for(case, reviews)["ids_NT"]
    assert case.masked
    assert (ids_NT == 0).any()
    assert (ids_NT != 0).any(1).all()


def test_rows_repeat_where_a_case_needs_more_than_there_are(reviews):
    case = Case(first().case.model, batch=5000, steps=12)
    assert rows_for(case, reviews)["ids_NT"].shape == (5000, 12)


def test_longer_rows_are_loaded(reviews):
    case = dataclasses.replace(first().case, steps=20)
    load = {20: data.load("toy", data.Encoding(num_words=300, maxlen=20))}.get
    assert studies.rows_for(case, reviews, load)["ids_NT"].shape[1] == 20


@pytest.mark.parametrize("study", [name for name in studies.STUDIES if name != "peers"])
def test_a_study_varies_one_thing(study):
    values = studies.STUDIES[study].values
    cases = [job.case for job in studies.expand(study, SMALL)]
    assert len(cases) == len(set(cases)) == len(values)
    for case, value in zip(cases, values, strict=True):
        varied = {"features": case.model.features[0], **vars(case)}
        assert varied[{"packing": "steps", "implementations": "steps"}.get(study, study)] == value
        assert case.masked == (study in ("packing", "implementations"))


def test_all_are_measured_on_the_notebooks_models_and_a_guest():
    usual = Choice(vocab_size=300)
    models = [job.case.model for job in studies.expand("peers", usual)]
    assert [model.cell for model in models] == ["simple_rnn", "lstm", "gru"]
    assert [(model.head, model.recurrent_dropout) for model in models[:2]] == [(64, 0.1), (32, 0)]
    assert {model.vocab_size for model in models} == {300}
    quick = studies.expand("peers", Choice(quick=True))
    assert [job.case.model.cell for job in quick] == ["lstm"]
    subjects = studies.STUDIES["peers"].subjects
    assert studies.plan(first(usual), usual).subjects == subjects
    assert studies.plan(first(), SMALL).subjects == SMALL.subjects


def test_quick_names_what_it_leaves_out_unless_it_is_asked_for():
    def left_out(study="peers", **changes):
        choice = dataclasses.replace(SMALL, **changes)
        return studies.plan(first(choice, study), choice).left_out

    assert set(left_out(subjects=())) == set(studies.NOT_QUICK)
    assert left_out(subjects=(), quick=False) == left_out() == {}
    assert left_out("packing", subjects=()) == {}


def test_files_of_a_guest_have_names_that_every_system_takes(tmp_path):
    choice = dataclasses.replace(SMALL, cells=("my_cells:MinimalCell",), hlo=tmp_path)
    plan = studies.plan(first(choice), choice)
    assert plan.hlo == tmp_path / "peers-my_cells.MinimalCell.txt" and plan.trace is None


@pytest.mark.parametrize(
    "change, message",
    [
        ({"batch": 0}, "--batch is 0"),
        ({"seconds": 0.0}, "--seconds is 0"),
        ({"seconds": float("inf")}, "--seconds is inf"),
        ({"seconds": float("nan")}, "--seconds is nan"),
    ],
)
def test_impossible_values_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        dataclasses.replace(SMALL, **change)


@pytest.mark.parametrize(
    "names, change, message",
    [
        ((), {}, "study"),
        (("packing",), {"rows": "full"}, "nothing to pack"),
        (("peers",), {"cells": ("no_such_module:Cell",)}, "There is no cell"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_any_work(names, change, message):
    with pytest.raises(UserError, match=message):
        studies.check(names, dataclasses.replace(SMALL, **change))
