import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rnnsent.verdicts import Criterion, compare, shares, verdict


@pytest.mark.parametrize(
    "holds, expected",
    [((True, True), "supported"), ((False, False), "not supported"), ((True, False), "mixed")],
)
def test_a_verdict_follows_its_rule(holds, expected):
    assert verdict([Criterion("it is so", "it was", h) for h in holds]) == expected


def test_no_criterion_no_verdict():
    with pytest.raises(ValueError, match="at least one"):
        verdict([])


def test_five_seeds_all_higher_are_significant():
    found = compare([5, 6, 7, 8, 9], [0, 1, 2, 3, 4])
    assert found.higher and found.p_value == pytest.approx(1 / 252)
    assert not compare([0, 1, 2, 3, 4], [5, 6, 7, 8, 9]).higher
    assert found.text("a", "b", "%") == "a 7% (5 to 9, n = 5); b 2% (0 to 4, n = 5); p = 0.004"


@given(st.lists(st.integers(0, 9), min_size=2), st.lists(st.integers(0, 9), min_size=2))
def test_comparisons_are_scipys(a, b):
    expected = stats.mannwhitneyu(a, b, alternative="greater").pvalue
    assert compare([*a, np.nan], b).p_value == pytest.approx(expected)


def test_an_empty_group_shows_nothing():
    assert not compare([], [1.0]).higher
    assert not compare([np.nan], [1.0]).higher


@given(*(st.floats(0, 100) for _ in range(4)))
def test_shares_sum_to_the_gap(start, cell, recipe, both):
    found = shares(start, cell, recipe, both)
    assert found.cell + found.recipe == pytest.approx(found.gap, abs=1e-9)


def test_factors_that_only_add_get_what_they_add():
    assert shares(50, 80, 53, 83) == (found := shares(50, 80, 53, 83))
    assert (found.gap, found.cell, found.recipe) == (33, 30, 3)
