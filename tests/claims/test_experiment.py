"""What is made of finished trainings, without any."""

import types

import numpy as np
from claims_world import AS_MEASURED, results, training

from rnnsent.claims import experiment
from rnnsent.claims.conditions import CONDITIONS
from rnnsent.claims.experiment import Finished
from rnnsent.data import Split


def one(diverged=None):
    return types.SimpleNamespace(diverged=diverged)


def test_a_seed_that_diverged_in_a_condition_is_left_out_of_all():
    trained = {name: [one(), one(), one()] for name in (*CONDITIONS, "guest")}
    trained["lstm"][1] = one(diverged=2)
    kept, left = experiment.finite(trained, (4, 5, 6))
    assert kept == (4, 6)
    assert all(list(many) == [4, 6] for many in left.values())


def test_a_guest_that_diverged_takes_no_seed_from_the_conditions():
    trained = {name: [one(), one()] for name in (*CONDITIONS, "guest", "other")}
    trained["guest"][1] = one(diverged=1)
    trained["other"] = [one(diverged=1), one(diverged=1)]
    kept, left = experiment.finite(trained, (4, 5))
    assert kept == (4, 5)
    assert list(left["guest"]) == [4] and "other" not in left
    assert list(left["lstm"]) == [4, 5]


def said(seed, logits_N):
    return Finished(types.SimpleNamespace(test_logits_N=logits_N), training(0.8, seed))


def test_seeds_are_paired_by_number():
    a, b = np.array([1.0, -1.0]), np.array([1.0, 1.0])
    finished = {
        "a": [said(0, a), said(1, b)],
        "b": [said(1, b)],
    }
    found = list(experiment.agreements(finished, {"a": "A", "b": "B"}))
    assert [(f.of, f.pairs, f.share) for f in found] == [
        ("A and B, same seed", 1, 1.0),
        ("A, two seeds", 1, 0.5),
    ]


def test_groups_are_means_over_seeds():
    ids_NT = np.array([[0, 1, 5], [1, 5, 6]], np.int32)
    test = Split(ids_NT, np.array([0, 1], np.int32), ("a", "b"), np.array([2, 3], np.int32))
    groups = experiment.groups(test, [np.array([True, True]), np.array([False, True])])
    assert [(g.name, g.reviews, g.accuracy) for g in groups["padding"]] == [
        ("no padding", 1, 1.0),
        ("on the left", 1, 0.5),
    ]


def test_the_nearest_training_of_a_cell_is_found():
    found = results(AS_MEASURED)
    assert experiment.nearest(found, "simple_rnn") == ("simple_rnn-twice", 0)
    assert experiment.nearest(found, "lstm") == ("lstm", 0)
