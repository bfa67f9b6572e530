"""A run that goes on from what was kept of it; what else a run does is in ``test_training``."""

import dataclasses

import jax
import numpy as np
import pytest
from on_devices import ADAM, MODEL

from rnnsent import data, epochs
from rnnsent.epochs import Keeping
from rnnsent.fitting import fit
from rnnsent.training import create_state


@pytest.fixture(scope="module")
def rows():
    return data.load("toy", data.Encoding(num_words=60, maxlen=8)).train[:75]


def fitted(rows, states, count, **options):
    return fit(MODEL, ADAM, states, rows, epochs=count, batch_size=8, **options)


def same(states, expected):
    """The states bit for bit, their keys too."""
    states, expected = (
        [one.replace(key=jax.random.key_data(one.key)) for one in many]
        for many in (states, expected)
    )
    jax.tree.map(np.testing.assert_array_equal, states, expected)


def without_time(history):
    return [[dataclasses.replace(now, seconds=0) for now in seed] for seed in history]


@pytest.mark.parametrize("seeds", [(0,), (0, 3)])
def test_a_run_that_goes_on_from_any_dispatch_ends_in_the_same_bits(rows, seeds):
    """Kept states are as they were, though the run has gone on from them and gave them away."""
    kept = []
    start = [create_state(MODEL, ADAM, seed) for seed in seeds]
    keeping = Keeping(lambda step, ended: True, lambda states, at: kept.append((states, at)))
    whole, history = fitted(rows, start, 2, keeping=keeping)
    assert [(at.epoch, at.step) for _, at in kept] == [(0, 7), (1, 0), (1, 7), (2, 0)]
    same(kept[-1][0], whole)
    for states, at in kept[:-1]:
        assert {int(state.epoch) for state in states} == {at.epoch}
        keeping = Keeping(lambda step, ended: False, lambda states, at: None, at)
        rest, ended = fitted(rows, states, 2 - at.epoch, keeping=keeping)
        same(rest, whole)
        expected = [seed[at.epoch :] for seed in history]
        assert without_time(ended) == without_time(expected)


def test_how_many_steps_are_dispatched_does_not_change_a_bit_of_the_states(rows, monkeypatch):
    """The sums of the totals are added up otherwise, which only rounds."""
    whole, history = fitted(rows, [create_state(MODEL, ADAM, 0)], 1)
    monkeypatch.setattr(epochs, "STEPS_PER_DISPATCH", 3)
    other, ended = fitted(rows, [create_state(MODEL, ADAM, 0)], 1)
    same(other, whole)
    np.testing.assert_allclose(ended[0][0].loss, history[0][0].loss, rtol=1e-6)
