import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnsent.readings import Reading
from rnnsent.report import cards


def reading(title, trajectory, contribution=None, missing=0.0):
    contribution = tuple(contribution or [0.0] * len(trajectory))
    left_out = tuple(value / 2 for value in contribution)
    return Reading(title, contribution, left_out, tuple(trajectory), 0.5, trajectory[-1], missing)


def test_the_remark_names_the_largest_move_and_only_that():
    said = cards.remark(list("abcdefgh"), reading("SimpleRNN", [0.5] * 5 + [0.31, 0.6, 0.82]))
    assert said == (
        "The SimpleRNN's probability made its largest move in the last two words: "
        "from 0.31 to 0.82."
    )
    said = cards.remark(list("abcdef"), reading("LSTM", [0.5, 0.5, 0.1, 0.1, 0.1, 0.1]))
    assert "at word 3, “c”: from 0.50 to 0.10" in said
    said = cards.remark(list("abcdef"), reading("LSTM", [0.5, 0.4, 0.3, 0.1, 0.1, 0.1]))
    assert "in words 2 to 4, “b c d”: from 0.50 to 0.10" in said
    said = cards.remark(list("abc"), reading("LSTM", [0.496, 0.504, 0.501]))
    assert said == "The LSTM's probability hardly moves: by less than 0.01 within any ten words."
    assert "in the first word" in cards.remark(["a", "b"], reading("LSTM", [0.9, 0.9]))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_no_move_within_the_window_is_larger(trajectory):
    before, after, start, stop = cards.largest_move(np.array(trajectory), 0.4)
    p = [0.4, *trajectory]
    assert (before, after) == (p[start], p[stop]) and 0 < stop - start <= cards.WINDOW
    for i in range(len(p)):
        for j in range(i + 1, min(len(p), i + cards.WINDOW + 1)):
            assert abs(p[j] - p[i]) <= abs(after - before) + 1e-6


def test_a_review_without_words_is_said_to_have_none():
    empty = Reading("LSTM", (), (), (), 0.5, 0.5, 0.0)
    made = cards.card(1, "a review", 0, [], [empty])
    assert "had no word to read" in made.remark and "0.50" in made.models[0].said


@pytest.mark.parametrize(
    "truth, ends, expected",
    [
        (1, (0.9, 0.8), "Both say positive, rightly."),
        (0, (0.9, 0.8), "Both say positive, wrongly."),
        (None, (0.1, 0.2), "Both say negative."),
        (1, (0.2, 0.7), "the A says negative, the B says positive; the B is right."),
        (None, (0.2, 0.7), "They differ: the A says negative, the B says positive."),
        (1, (0.9,), "A says positive, rightly."),
    ],
)
def test_who_is_right(truth, ends, expected):
    readings = [reading(title, [end]) for title, end in zip("AB", ends, strict=False)]
    assert expected in cards.card(1, "a review", truth, ["word"], readings).remark


def test_tints_follow_the_contributions():
    made = cards.card(
        3, "a review", 1, ["x", "y", "z"], [reading("A", [0.5, 0.6, 0.7], [0.2, -0.4, 0.0], 0.05)]
    )
    (model,) = made.models
    assert [(w.side, w.alpha) for w in model.words] == [("more", 0.38), ("less", 0.75), ("less", 0)]
    assert model.words[1].title == "adds -0.400 nats; without it +0.200"
    assert model.note.startswith("The tints leave 5%")
    assert model.points == "30.0,60.0 212.5,50.0 395.0,40.0"
    assert made.facts == "truth: positive, 3 words as the models saw them"
    assert "A 0.70" in made.alt
