"""What is made of finished trainings, without any."""

import types

from claims_world import AS_MEASURED, results

from rnnsent.claims import experiment
from rnnsent.claims.conditions import CONDITIONS
from rnnsent.recipes import SHIPPED


def one(diverged=None):
    return types.SimpleNamespace(diverged=diverged)


def test_a_seed_that_diverged_in_a_condition_is_left_out_of_all():
    trained = {name: [one(), one(), one()] for name in (*CONDITIONS, "guest")}
    trained["lstm"][1] = one(diverged=2)
    kept, left = experiment.finite(trained, (4, 5, 6))
    assert kept == (4, 6)
    assert all(list(many) == [4, 6] for many in left.values())


def test_where_every_seed_is_lost_there_is_no_record():
    lost = one(diverged=1)
    trained = {name: [one()] for name in CONDITIONS} | {"lstm": [lost]}
    assert experiment.look({}, trained, (0,), None, None) is None


def test_of_those_left_out_it_is_recorded_which_and_what_to_try(monkeypatch):
    recipe = SHIPPED["notebook-lstm"]
    fields = {"told": "LSTM seed 4 diverged in epoch 1", "recipe": recipe, "divergence": None}
    trained = {name: [one(), one()] for name in CONDITIONS}
    trained["lstm"][0] = types.SimpleNamespace(diverged=1, **fields)
    monkeypatch.setattr(experiment, "_finished", lambda *arguments: None)
    monkeypatch.setattr(experiment, "record", lambda *arguments: arguments)
    *_, lost, advice, _ = experiment.look(dict.fromkeys(CONDITIONS), trained, (4, 5), None, None)
    assert (lost, advice) == (fields["told"], "Try --clip 1 or a lower --learning-rate.")


def test_a_guest_that_diverged_takes_no_seed_from_the_conditions():
    trained = {name: [one(), one()] for name in (*CONDITIONS, "guest", "other")}
    trained["guest"][1] = one(diverged=1)
    trained["other"] = [one(diverged=1), one(diverged=1)]
    kept, left = experiment.finite(trained, (4, 5))
    assert kept == (4, 5)
    assert list(left["guest"]) == [4] and "other" not in left
    assert list(left["lstm"]) == [4, 5]


def test_the_nearest_training_of_a_cell_is_found():
    found = results(AS_MEASURED)
    assert experiment.nearest(found, "simple_rnn") == ("simple_rnn-twice", 0)
    assert experiment.nearest(found, "lstm") == ("lstm", 0)
