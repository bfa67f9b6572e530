import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rnnsent.comparison import compare, holm, prediction_interval, shares, sign


@pytest.mark.parametrize(
    "p_values, corrected",
    [
        ([0.04, 0.01, 0.03, 0.2, 0.005], [0.09, 0.04, 0.09, 0.2, 0.025]),
        ([0.5, 0.001, 0.5, 0.02], [1, 0.004, 1, 0.06]),
        (
            [1e-9, 0.3, 0.049, 0.051, 0.011, 0.9, 0.0],
            [6e-9, 0.6, 0.196, 0.196, 0.055, 0.9, 0.0],
        ),
    ],
)
def test_holms_correction_is_statsmodels(p_values, corrected):
    """As ``multipletests(p_values, method="holm")`` of statsmodels 0.14 gives them."""
    np.testing.assert_allclose(holm(p_values), corrected, rtol=1e-9)


def test_holms_correction_by_hand():
    assert holm([]) == [] and holm([0.03]) == [0.03]
    assert holm([0.04, 0.01, 0.03]) == [0.06, 0.03, 0.06]
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_five_seeds_all_higher_are_significant():
    found = compare([5, 6, 7, 8, 9], [0, 1, 2, 3, 4])
    assert found.higher and found.p_value == pytest.approx(1 / 252)
    assert found.text("a", "b", "%") == "a 7% (5 to 9, n = 5); b 2% (0 to 4, n = 5); p = 0.004"
    other = compare([0, 1, 2, 3, 4], [5, 6, 7, 8, 9])
    assert other.higher is False
    assert other.text("a", "b").endswith("p = 1, the opposite 0.004")


@given(st.lists(st.integers(0, 9), min_size=2), st.lists(st.integers(0, 9), min_size=2))
def test_comparisons_are_scipys(a, b):
    found = compare([*a, np.nan], b)
    for p, side in ((found.p_value, "greater"), (found.p_opposite, "less")):
        assert p == pytest.approx(stats.mannwhitneyu(a, b, alternative=side).pvalue)


@pytest.mark.parametrize("n, m, told", [(1, 1, False), (3, 3, False), (4, 3, True), (2, 9, True)])
def test_too_few_figures_tell_nothing_and_enough_can(n, m, told):
    found = compare(np.arange(n) + 100, np.arange(m))
    assert found.higher is (True if told else None)
    assert ("too few to tell" in found.text("a", "b")) is not told


def test_an_empty_group_tells_nothing():
    assert compare([], [1.0]).higher is None
    assert compare([np.nan], [1.0]).higher is None
    assert compare([], [1.0]).text("a", "b").startswith("a none; b 1")


def test_the_sign_of_paired_differences():
    assert sign([1, 2, 3, 4, 5]).p_value == pytest.approx(1 / 32)
    assert sign([1, 2, 3, 4, 5]).positive is True
    assert sign([1, 2, 3, 4, -5]).positive is False
    assert sign([1, 2, 3, 4]).positive is None and sign([]).positive is None
    assert sign([0.0] * 5).positive is False
    assert sign([1, 2, 3, 4, 5, np.nan]).text("gap", "%") == "gap 3% (1 to 5, n = 5); p = 0.031"


def test_the_next_seed_lies_in_the_prediction_interval_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(3, 2, (2000, 6))
    inside = 0
    for *seen, new in draws:
        low, high = prediction_interval(seen)
        inside += low <= new <= high
    assert 0.93 < inside / len(draws) < 0.97
    assert prediction_interval([1.0]) is None


@given(*(st.floats(0, 100) for _ in range(4)))
def test_shares_sum_to_the_gap(start, cell, recipe, both):
    found = shares(start, cell, recipe, both)
    assert found.cell + found.recipe == pytest.approx(found.gap, abs=1e-9)


def test_factors_that_only_add_get_what_they_add():
    found = shares(50, 80, 53, 83)
    assert (found.gap, found.cell, found.recipe) == (33, 30, 3)


def test_what_only_both_changes_bring_is_halved():
    found = shares(50, 50, 50, 60)
    assert (found.gap, found.cell, found.recipe) == (10, 5, 5)
