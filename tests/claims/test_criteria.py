"""The criteria on made-up trainings, where what is true is known."""

import msgspec
import numpy as np
from claims_world import AS_CLAIMED, AS_MEASURED, CELL, PARAMETERS, paired, results, training

from rnnsent.claims import criteria as claims
from rnnsent.claims.conditions import CONDITIONS
from rnnsent.claims.criterion import verdict
from rnnsent.claims.measure import Flips


def verdicts(found, comparable=True):
    tested = claims.criteria(found, paired(found), PARAMETERS, comparable)
    return [verdict(criteria) for criteria in tested.values()], list(tested.values())


def test_a_world_as_the_notebook_has_it_supports_its_claims():
    found, criteria = verdicts(results(CELL, **AS_CLAIMED))
    assert found == ["supported", "mixed", "supported", "supported", "supported"]
    # The lead is 7.3 points only over the SimpleRNN fitted twice.
    assert [c.holds for c in criteria[1]] == [True, True, False, True]


def test_where_nothing_differs_nothing_is_supported():
    found, _ = verdicts(results(dict.fromkeys(CONDITIONS, 0.8), seconds=4.0), comparable=False)
    assert found[1:] == ["not supported"] * 3 + ["mixed"]  # a tenth is turned, by either cell


def test_the_opposite_is_not_supported():
    opposite = {"same": 0.2, "kept": 0.2, "reach": 0.3, "flip": 0.0, "left": 0.9, "seconds": 9.0}
    found, _ = verdicts(results(dict.fromkeys(CONDITIONS, 0.8), **opposite), comparable=False)
    assert found == ["mixed", *["not supported"] * 4]  # it has more parameters all the same


def test_one_seed_cannot_show_what_takes_a_spread():
    found, criteria = verdicts(results(AS_MEASURED, seeds=1, **AS_CLAIMED))
    assert [c.holds for c in criteria[0]] == [None, True]
    assert found[3] == "not tested"


def test_trainings_at_chance_say_nothing_of_the_insides():
    """A model that says the same of every review keeps its predictions whatever one does."""
    chance = AS_MEASURED | {"simple_rnn-plain": 0.5, "simple_rnn-twice": 0.5}
    found, criteria = verdicts(results(chance, same=1.0, kept=1.0, flip=0.0))
    assert all(c.holds is None for c in criteria[3])
    assert all(c.holds is None for c in criteria[4])
    assert found[3:] == ["not tested"] * 2
    assert "none" in criteria[3][0].measured


def test_the_leads_size_is_the_notebooks_only_on_its_reviews():
    _, criteria = verdicts(results(AS_MEASURED), comparable=False)
    assert [c.holds for c in criteria[1]] == [True, True, None, None]


def test_flips_of_no_confident_prediction_are_no_number():
    """Neither as they are read back: JSON has null for it."""
    found = training(0.5)
    measured = msgspec.structs.replace(found.measured, flips=Flips(0, None, None, None))
    found = msgspec.structs.replace(found, measured=measured)
    read = msgspec.json.decode(msgspec.json.encode(found), type=type(found))
    assert read == found
    assert np.isnan(read.turned) and np.isnan(read.turned_by_neutral)
