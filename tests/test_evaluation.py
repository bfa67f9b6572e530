import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats import contingency_tables
from statsmodels.stats.proportion import proportion_confint

from rnnsent import evaluation

LABEL = np.array([1, 0, 1, 0])
LOGITS = np.array([2.0, 1.0, -1.0, -3.0], np.float32)


def test_accuracy_counts_signs():
    assert evaluation.accuracy(LOGITS, LABEL) == 0.5
    assert evaluation.correct(LOGITS, LABEL).tolist() == [True, False, False, True]


def test_log_loss_is_the_mean_negative_log_likelihood():
    p = 1 / (1 + np.exp(-LOGITS.astype(np.float64)))
    expected = -np.where(LABEL == 1, np.log(p), np.log(1 - p)).mean()
    assert evaluation.log_loss(LOGITS, LABEL) == pytest.approx(expected, rel=1e-12)
    assert evaluation.log_loss(np.array([-800.0]), np.array([1])) == 800


def test_spread():
    spread = evaluation.spread([0.5, 0.7, 0.6])
    assert (spread.n, spread.low, spread.high) == (3, 0.5, 0.7)
    assert spread.mean == pytest.approx(0.6) and spread.std == pytest.approx(0.1)
    assert evaluation.spread([0.5]).std is None


def test_mcnemar_on_a_known_case():
    # 10 discordant pairs, 9 to 1: p = 2 * (1 + 10) / 2**10
    first = np.array([True] * 9 + [False] + [True] * 5)
    second = np.array([False] * 9 + [True] + [True] * 5)
    result = evaluation.mcnemar(first, second)
    assert (result.only_first, result.only_second) == (9, 1)
    assert result.p_value == pytest.approx(22 / 1024)
    assert evaluation.mcnemar(first, first).p_value == 1


@given(st.integers(0, 12), st.integers(0, 12))
def test_mcnemar_agrees_with_statsmodels(only_first, only_second):
    first = np.array([True] * only_first + [False] * only_second + [True] * 3)
    second = np.array([False] * only_first + [True] * only_second + [True] * 3)
    table = [[3, only_first], [only_second, 0]]
    expected = contingency_tables.mcnemar(table, exact=True).pvalue
    assert evaluation.mcnemar(first, second).p_value == pytest.approx(min(expected, 1), abs=1e-12)


@pytest.mark.parametrize("share", (0.5, 0.84, 0.97))
def test_the_bootstrap_interval_agrees_with_the_binomials(share):
    right = np.arange(4000) < share * 4000
    low, high = evaluation.bootstrap_interval(right)
    expected = proportion_confint(right.sum(), len(right), method="wilson")
    assert (low, high) == pytest.approx(expected, abs=2e-3)
    assert evaluation.bootstrap_interval(right) == (low, high)
    assert evaluation.bootstrap_interval(right, seed=1) != (low, high)


def test_an_interval_needs_reviews():
    with pytest.raises(ValueError, match="at least two"):
        evaluation.bootstrap_interval(np.array([True]))


def test_calibration_on_a_known_case():
    # Two bins: 0.25 said where 1 of 2 is positive, 0.75 said where all of 2 are.
    logits = np.log([1 / 3, 1 / 3, 3, 3])
    found = evaluation.calibration(logits, np.array([0, 1, 1, 1]), bins=2)
    assert found.mean_probability == pytest.approx((0.25, 0.75))
    assert (found.share_positive, found.reviews) == ((0.5, 1.0), (2, 2))
    assert found.ece == pytest.approx(0.25)
    assert found.brier == pytest.approx((0.25**2 + 0.75**2 + 0.25**2 + 0.25**2) / 4)


@given(st.lists(st.tuples(st.floats(-30, 30), st.booleans()), min_size=1, max_size=40))
def test_calibration_counts_every_review_once(rows):
    logits, label = np.array([a for a, _ in rows]), np.array([int(b) for _, b in rows])
    found = evaluation.calibration(logits, label)
    assert sum(found.reviews) == len(rows)
    assert 0 <= found.ece <= 1 and 0 <= found.brier <= 1
    positive = np.dot(found.share_positive, found.reviews)
    assert positive == pytest.approx(label.sum(), abs=1e-9)


def test_groups_by_value_leave_no_review_out():
    right = np.array([True, False, True, True])
    groups = evaluation.by_bins(np.array([0, 9, 10, 99]), right, (0, 10, 20), " ids")
    assert groups == [
        evaluation.Group("0 to 10 ids", 2, 0.5),
        evaluation.Group("10 to 20 ids", 1, 1.0),
        evaluation.Group("20 and more ids", 1, 1.0),
    ]


def test_groups_by_place_of_padding():
    rows = {
        "no padding": "1111",
        "on the left": "0011",
        "on the right": "1100",
        "on both sides": "0110",
        "between words": "1011",
        "everywhere": "0000",
    }
    mask = np.array([[c == "1" for c in row] for row in rows.values()])
    found = evaluation.by_padding(mask, np.arange(6) % 2 == 0)
    assert [group.name for group in found] == list(rows)
    assert [group.accuracy for group in found] == [1, 0, 1, 0, 1, 0]
    (ragged,) = evaluation.by_padding(np.array([[False, True, False, True]]), np.array([True]))
    assert ragged.name == "between words"


def test_agreement():
    a, b = np.array([1.0, -1, 2, -2]), np.array([1.0, 1, 3, -2])
    assert evaluation.agreement(a, b) == evaluation.Agreement(0.75, pytest.approx(0.5))
    assert evaluation.agreement(a, a) == evaluation.Agreement(1.0, pytest.approx(1.0))
    assert evaluation.agreement(np.ones(3), np.ones(3)) == evaluation.Agreement(1.0, None)
