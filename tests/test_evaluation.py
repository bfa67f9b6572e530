import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@given(st.lists(st.booleans(), min_size=1, max_size=50))
def test_the_interval_holds_the_accuracy(right):
    low, high = evaluation.accuracy_interval(np.array(right))
    assert 0 <= low <= np.mean(right) + 1e-12 and np.mean(right) - 1e-12 <= high <= 1


def test_wilsons_interval_on_a_known_case():
    low, high = evaluation.accuracy_interval(np.array([True] * 8 + [False] * 2))
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
