import functools

import jax
import numpy as np
import pytest

from rnnsent import data, seeds, training
from rnnsent.model import ModelConfig

CONFIGS = {
    "simple_rnn": ModelConfig("simple_rnn", (8, 4), 4, recurrent_dropout=0.1, vocab_size=60),
    "lstm": ModelConfig("lstm", (8, 4), 4, vocab_size=60),
}
ADAM = training.optimizer(1e-2)
OPTIONS = {"epochs": 2, "batch_size": 32}
SEEDS = (0, 3, 5)


@pytest.fixture(scope="module")
def rows():
    toy = data.load("toy", data.Encoding(num_words=60, maxlen=12))
    return toy.train.ids_NT[:75], toy.train.label_N[:75]


def close(a, b):
    np.testing.assert_allclose(a, b, atol=2e-5, rtol=0)


def state(config, seed):
    return training.create_state(config, ADAM, seed)


@pytest.fixture(scope="module")
def alone(rows):
    """By name: the state and history of each seed, trained by itself."""

    @functools.cache
    def trained(name):
        return [
            training.fit(CONFIGS[name], ADAM, state(CONFIGS[name], seed), *rows, **OPTIONS)
            for seed in SEEDS
        ]

    return trained


@pytest.mark.parametrize("together", [1, 2])
@pytest.mark.parametrize("name", CONFIGS)
def test_every_seed_is_what_it_is_alone(rows, alone, name, together):
    config, seen = CONFIGS[name], []
    states = [state(config, seed) for seed in SEEDS]
    ended, histories = seeds.fit(
        config, ADAM, states, *rows, **OPTIONS, together=together, progress=seen.append
    )
    assert len(ended) == len(histories) == len(SEEDS)
    assert seen[-1].rows == 75 * len(SEEDS)
    for one, history, (by_itself, expected) in zip(ended, histories, alone(name), strict=True):
        jax.tree.map(close, one.params, by_itself.params)
        assert int(one.step) == int(by_itself.step) == 6
        assert [now.rows for now in history] == [75, 75]
        np.testing.assert_allclose(
            [now.loss for now in history], [now.loss for now in expected], rtol=1e-5
        )


def test_going_on_together(rows):
    config = CONFIGS["lstm"]
    once, _ = seeds.fit(config, ADAM, [state(config, 0)], *rows, epochs=1, batch_size=32)
    twice, (history,) = seeds.fit(config, ADAM, once, *rows, epochs=1, batch_size=32)
    whole, _ = seeds.fit(config, ADAM, [state(config, 0)], *rows, **OPTIONS)
    jax.tree.map(np.testing.assert_array_equal, twice[0].params, whole[0].params)
    assert [now.epoch for now in history] == [2]


def test_states_must_stand_at_the_same_step(rows):
    config = CONFIGS["lstm"]
    once, _ = seeds.fit(config, ADAM, [state(config, 0)], *rows, epochs=1, batch_size=32)
    with pytest.raises(ValueError, match="same number of steps"):
        seeds.fit(config, ADAM, [*once, state(config, 1)], *rows, epochs=1)
