import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnsent import analysis


def test_only_the_last_words_are_kept():
    ids = np.array([[0, 5, 6, 0, 7], [1, 2, 3, 4, 5]])
    kept = [[0, 0, 6, 0, 7], [0, 0, 0, 4, 5]]
    np.testing.assert_array_equal(analysis.keep_last(ids, 2), kept)


def test_the_first_words_become_anothers():
    ids = np.array([[1, 5, 6, 7, 8], [0, 1, 15, 16, 17], [21, 22, 23, 24, 25]])
    found = analysis.replace_first(ids, 2, np.random.default_rng(0))
    np.testing.assert_array_equal(found == 0, ids == 0)
    np.testing.assert_array_equal(found == 1, ids == 1)
    for before, after in zip(ids, found, strict=True):
        words = before > 1
        assert len({*(after[words] // 10)[:2]} & {*(before[words] // 10)}) == 0
        np.testing.assert_array_equal(after[words][2:], before[words][2:])
    with pytest.raises(ValueError, match="two rows"):
        analysis.replace_first(ids[:1], 2, np.random.default_rng(0))


def test_words_at_the_end_push_the_first_ones_out():
    ids = np.array([[0, 5, 0, 6], [5, 6, 7, 8], [5, 6, 0, 0]])
    np.testing.assert_array_equal(
        analysis.append(ids, [9, 9]), [[5, 6, 9, 9], [7, 8, 9, 9], [5, 6, 9, 9]]
    )


def test_flips_are_counted_on_confident_reviews_only():
    """A reader that looks at the last word alone: 9 is praise, 8 is blame."""

    def predict(ids):
        last = ids[:, -1]
        at_7 = np.where(ids[:, -2] == 9, 0.95, 0.05)  # a sentence without a sentiment is skipped
        return np.select([last == 9, last == 8, last == 7], [0.95, 0.05, at_7], 0.5)

    def encode(sentence):
        return [9 if sentence in analysis.PRAISE else 8 if sentence in analysis.BLAME else 7]

    ids = np.array([[3, 9], [3, 8], [3, 3]])
    found = analysis.flips(predict, encode, ids, predict(ids))
    assert (found.confident, found.share, found.neutral) == (2, 1, 0)
    assert found.moved == pytest.approx(0.9)
    sure = np.array([0.99, 0.02])
    stubborn = analysis.flips(lambda ids: sure, encode, ids[:2], sure)
    assert stubborn == (2, 0, 0, 0)
    nobody = analysis.flips(predict, encode, ids[2:], predict(ids[2:]))
    assert nobody.confident == 0 and np.isnan(nobody.share) and np.isnan(nobody.neutral)


def test_the_sentences_take_turns():
    """Every confident review is read once with each kind of sentence, each sentence as often."""
    seen = []

    def predict(ids):
        seen.append(ids)
        return np.full(len(ids), 0.9)

    sentences = (*analysis.BLAME, *analysis.NEUTRAL, *analysis.PRAISE)
    ids = np.full((7, 4), 3, np.int32)
    analysis.flips(predict, lambda s: [10 + sentences.index(s)], ids, np.full(7, 0.9))
    for after, first in zip(seen, (10, 13), strict=True):
        assert np.bincount(after[:, -1] - first).tolist() == [3, 2, 2]
        assert (after[:, :-1] == 3).all()


def test_a_side_turns_where_the_sign_changes_before_the_end():
    logits = np.array([[1, -1, -1, -1, -1], [1, 1, 1, -1, 9], [1, 1, 1, 1, 1]])
    length = np.array([5, 4, 5])  # what follows a row's end does not count
    assert analysis.turns(logits, length, 1).tolist() == [False, True, False]
    assert analysis.turns(logits, length, 4).tolist() == [True, True, False]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.integers(1, 12))
def test_the_largest_jump_is_the_largest_of_all_pairs(p, words):
    pairs = [abs(b - a) for i, a in enumerate(p) for b in p[i : i + words + 1]]
    assert analysis.largest_jump(np.array([p]), words).tolist() == [max(pairs)]
