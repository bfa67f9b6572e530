import dataclasses

import numpy as np
import pytest

from rnnsent import data, runs, training
from rnnsent.model import PRESETS
from rnnsent.report import statistics

CONFIG = dataclasses.replace(PRESETS["lstm"], vocab_size=100, embedding_size=8, features=(8, 4))


@pytest.fixture(scope="module")
def test():
    return data.load("toy", data.Encoding(num_words=100, maxlen=24)).test


def trained(logits_N):
    return runs.Trained({}, [], np.zeros(0, np.float32), logits_N)


def right(test, share):
    """Logits that are right on about this share of the reviews."""
    sign_N = np.where(np.random.default_rng(0).random(len(test.label_N)) < share, 1, -1)
    return trained((2.0 * sign_N * (2 * test.label_N - 1)).astype(np.float32))


def test_calibration_is_tabled_and_drawn(test, tmp_path):
    (tmp_path / "figures").mkdir()
    text = statistics.calibrated({"A": [right(test, 0.9)] * 2}, test, tmp_path, "toy")
    assert "| A | 0.0" in text and "±" in text
    assert (tmp_path / "figures" / "reliability.png").stat().st_size > 1000


def test_groups_add_up_to_all_reviews(test):
    text = statistics.grouped({"A": [right(test, 1.0)]}, test)
    rows = [line.split("|")[1:-1] for line in text.splitlines() if "%" in line]
    assert all(row[2].strip() == "100.00%" for row in rows if row[1].strip() != "reviews")
    per_table = [
        sum(int(row.split("|")[2].replace(",", "")) for row in part.splitlines()[2:])
        for part in text.split("\n\n")
    ]
    assert per_table == [len(test.names)] * 3


def test_agreement_pairs_models_by_seed_and_seeds_with_each_other(test):
    a, b = right(test, 1.0), trained(-right(test, 1.0).test_logits_N)
    rows = statistics.agreement({"A": [a, a, a], "B": [b, b, b]}).splitlines()[2:]
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    assert float(cells[0].pop()) < -0.9  # -1 only where both sides are equally frequent
    assert cells == [
        ["A and B, same seed", "3", "0.00%"],
        ["A, two seeds", "3", "100.00%", "1.000"],
        ["B, two seeds", "3", "100.00%", "1.000"],
    ]


def test_memory_curves_are_quartiles_over_the_reviews_that_are_as_long(test):
    params = training.create_state(CONFIG, training.optimizer(), 0).params
    curves = statistics.memory_curves(CONFIG, params, test)
    assert set(curves) >= set(statistics.MEMORY_PANELS)
    for rows in curves.values():
        low, middle, high, mean = rows
        assert np.isfinite(rows).all() and (low <= middle).all() and (middle <= high).all()
        assert ((low <= mean) & (mean <= rows.max())).all()
    assert "| A |" in statistics.memory_table({"A": [curves]})
