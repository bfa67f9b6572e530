import itertools
import json

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from sweep import made

from rnnsent import runs
from rnnsent.errors import UserError
from rnnsent.sweep import record

RATE = [{"learning_rate": 0.01 * i} for i in range(1, 9)]


def test_the_rank_is_by_mean_accuracy_and_none_where_a_seed_diverged():
    held = made.of(
        ({}, [0.6, 0.7]), (RATE[0], [0.9, None]), (RATE[1], [0.7, 0.7]), (RATE[2], [None, None])
    )
    assert [member.rank for member in held.members] == [2, None, 1, None]
    assert [member.name for member in held.ranked] == [held.members[2].name, "sound-lstm"]
    assert held.members[1].accuracy.mean == 0.9 and held.members[3].accuracy is None
    assert held.diverged() == [
        "sound-lstm+learning_rate=0.01 seed 1 diverged in epoch 2",
        "sound-lstm+learning_rate=0.03 seed 0 diverged in epoch 2",
        "sound-lstm+learning_rate=0.03 seed 1 diverged in epoch 2",
    ]


def test_of_equal_members_the_earlier_one_is_before():
    held = made.of(({}, [0.6]), (RATE[0], [0.7]), (RATE[1], [0.7]))
    assert [member.rank for member in held.members] == [3, 1, 2]


def test_members_are_paired_with_the_base_over_the_seeds_of_both():
    held = made.of(
        ({}, [0.5, None, 0.6]), (RATE[0], [0.7, 0.9, None]), (RATE[1], [None, 0.9, None])
    )
    base, first, second = held.members
    assert base.against is None and second.against is None
    assert [test.seed for test in first.against.tests] == [0]
    assert first.against.difference == pytest.approx(0.2)
    (test,) = first.against.tests
    assert (test.only_first, test.only_second) == (0, 8)


@pytest.mark.parametrize("seeds, members, told", [(4, 1, False), (5, 1, True), (5, 2, False)])
def test_too_few_seeds_tell_nothing(seeds, members, told):
    """Five seeds reach 1/32, which two members make 1/16."""
    others = [(RATE[i], [0.8 + seed / 40 for seed in range(seeds)]) for i in range(members)]
    held = made.of(({}, [0.5] * seeds), *others)
    assert all((m.against.corrected is not None) == told for m in held.members[1:])


def test_the_tests_are_scipys_corrected_as_statsmodels_does():
    rng = np.random.default_rng(0)
    figures = rng.permuted(np.tile(np.linspace(0.4, 0.9, 9), (3, 1)), axis=1).round(3)
    figures[2] += np.linspace(0.01, 0.03, 9)
    base = np.linspace(0.401, 0.6, 9)
    held = made.of(({}, base), *((RATE[i], row) for i, row in enumerate(figures)), rows=1000)
    pairs = [member.against for member in held.members[1:]]
    p = [stats.wilcoxon(one.differences, alternative="greater").pvalue for one in pairs]
    np.testing.assert_allclose([one.p_value for one in pairs], p)
    np.testing.assert_allclose([one.corrected for one in pairs], multipletests(p, method="holm")[1])
    for one, row in zip(pairs, figures, strict=True):
        np.testing.assert_allclose(one.differences, row - base, atol=2e-3)
    tests = list(itertools.chain.from_iterable(one.tests for one in pairs))
    exact = [stats.binomtest(t.only_first, t.only_first + t.only_second).pvalue for t in tests]
    np.testing.assert_allclose([test.p_value for test in tests], exact)
    corrected = multipletests(exact, method="holm")[1]
    np.testing.assert_allclose([test.corrected for test in tests], corrected)


def test_a_record_is_read_as_it_was_written(tmp_path):
    held = made.of(({}, [0.5, 0.6]), (RATE[0], [0.7, None]))
    runs.write_record(tmp_path, held)
    assert runs.read_record(tmp_path, record.Record) == held
    (test,) = json.loads((tmp_path / record.Record.FILE).read_text())["members"][1]["against"][
        "tests"
    ]
    assert list(test) == ["seed", "only_base", "only_member", "p_value", "corrected"]


@pytest.mark.parametrize(
    "old, new",
    [('"rank": 1', '"rank": 2'), ('"members"', '"recipes"'), ('"diverged": 2', '"diverged": null')],
)
def test_a_record_that_cannot_be_is_refused(tmp_path, old, new):
    runs.write_record(tmp_path, made.of(({}, [0.5, 0.6]), (RATE[0], [0.7, None])))
    path = tmp_path / record.Record.FILE
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(UserError, match="record.json cannot be read"):
        runs.read_record(tmp_path, record.Record)
