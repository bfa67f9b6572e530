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


@pytest.fixture(scope="module")
def rows():
    toy = data.load("toy", num_words=60, maxlen=12)
    return toy.train.ids_NT[:75], toy.train.label_N[:75]


def close(a, b):
    np.testing.assert_allclose(a, b, atol=2e-5, rtol=0)


def state(config, seed):
    return training.create_state(config, ADAM, seed)


@pytest.mark.parametrize("together", [1, 2])
@pytest.mark.parametrize("name", CONFIGS)
def test_every_seed_is_what_it_is_alone(rows, name, together):
    config, numbers, seen = CONFIGS[name], (0, 3, 5), []
    states = [state(config, seed) for seed in numbers]
    ended, histories = seeds.fit(
        config, ADAM, states, *rows, **OPTIONS, together=together, progress=seen.append
    )
    assert len(ended) == len(histories) == len(numbers)
    assert seen[-1].rows == 75 * len(numbers)
    for seed, one, history in zip(numbers, ended, histories, strict=True):
        alone, expected = training.fit(config, ADAM, state(config, seed), *rows, **OPTIONS)
        jax.tree.map(close, one.params, alone.params)
        assert int(one.step) == int(alone.step) == 6
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
