"""One step of training some seeds together; as a program, on as many devices as JAX is told.

``python tests/on_devices.py 0 0,3`` prints, as JSON, the number of devices and for each group of
seeds what ``trained`` returns.
"""

import json
import sys

import jax
import optax

from rnnsent import data, optimizers
from rnnsent.fitting import fit
from rnnsent.model import SentimentClassifier
from rnnsent.training import create_state

MODEL = SentimentClassifier(
    cell="lstm", features=(16, 8), head=8, vocab_size=60, embedding_size=8, recurrent_dropout=0.1
)
ADAM = optimizers.adam(1e-2)
ROWS = 50


def trained(seeds: list[int]) -> list[tuple[float, list]]:
    """Per seed the loss of a step with dropout, and Adam's mean of the gradients."""
    toy = data.load("toy", data.Encoding(num_words=60, maxlen=16))
    states = [create_state(MODEL, ADAM, seed) for seed in seeds]
    states, history = fit(MODEL, ADAM, states, toy.train[:ROWS], epochs=1, batch_size=ROWS)
    return [
        (epochs[0].loss, [leaf.ravel().tolist() for leaf in jax.tree.leaves(_mean(state))])
        for state, epochs in zip(states, history, strict=True)
    ]


def _mean(state):
    return optax.tree_utils.tree_get(state.opt_state, "mu")


if __name__ == "__main__":
    groups = [[int(seed) for seed in group.split(",")] for group in sys.argv[1:]]
    print(json.dumps([jax.local_device_count(), [trained(seeds) for seeds in groups]]))
