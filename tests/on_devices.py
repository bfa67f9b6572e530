"""The same trainings on any number of devices and processes; as a program, on what it is told.

``python tests/on_devices.py '[[0], [0, 3]]' PROCESSES PROCESS PORT`` prints, as JSON, the number of
devices, for each group of seeds what ``stepped`` returns, and what ``whole`` and ``reduced`` do.
"""

import json
import math
import re
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rnnsent import data, optimizers, processes
from rnnsent.devices import mesh
from rnnsent.fitting import fit, stack
from rnnsent.layout import Rows, plan
from rnnsent.model import SentimentClassifier
from rnnsent.training import create_state, train_steps

MODEL = SentimentClassifier(
    cell="lstm", features=(16, 8), head=8, vocab_size=60, embedding_size=8, recurrent_dropout=0.1
)
ADAM = optimizers.adam(1e-2)
ROWS = 50


def stepped(seeds: list[int]) -> list[tuple[float, list]]:
    """Per seed the loss of a step with dropout, and Adam's mean of the gradients, in float32."""
    states = [create_state(MODEL, ADAM, seed) for seed in seeds]
    states, history = fit(MODEL, ADAM, states, _toy()[:ROWS], epochs=1, batch_size=ROWS)
    return [
        (epochs[0].loss, _flat(optax.tree_utils.tree_get(state.opt_state, "mu")))
        for state, epochs in zip(states, history, strict=True)
    ]


def whole(micro_batch: int | None = None) -> tuple[list[float], list]:
    """The losses of a training of three epochs with dropout, and its parameters, in float64."""
    with jax.enable_x64(True):
        state = create_state(MODEL, ADAM, 0)
        params = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), state.params)
        state = state.replace(params=params, opt_state=ADAM.init(params))
        settings = {"epochs": 3, "batch_size": 24, "micro_batch": micro_batch}
        [state], [history] = fit(MODEL, ADAM, [state], _toy()[:ROWS], **settings)
        assert {leaf.dtype for leaf in jax.tree.leaves(state.params)} == {np.dtype("float64")}
        return [epoch.loss for epoch in history], _flat(state.params)


def reduced() -> int:
    """Bytes that a step adds up over devices, as XLA compiled it."""
    devices, state = mesh(), create_state(MODEL, ADAM, 0)
    layout = plan(ROWS, devices.shape["rows"], None)
    rows = Rows.of(_toy().ids_NT[:ROWS], _toy().label_N[:ROWS])
    order_1KB = jnp.zeros((1, 1, layout.rows), jnp.int32)
    options = {"model": MODEL, "optimizer": ADAM, "layout": layout, "devices": devices}
    arguments = stack([state]), rows, order_1KB, (jnp.int32(0), jnp.int32(1))
    text = train_steps.lower(*arguments, **options).compile().as_text()
    results = "".join(re.findall(r"= (.*) all-reduce\(", text))
    shapes = re.findall(r"f32\[([\d,]*)\]", results)
    return 4 * sum(math.prod(map(int, filter(None, shape.split(",")))) for shape in shapes)


def _toy() -> data.Split:
    return data.load("toy", data.Encoding(num_words=60, maxlen=16)).train


def _flat(tree) -> list:
    return [np.asarray(leaf).ravel().tolist() for leaf in jax.tree.leaves(tree)]


if __name__ == "__main__":
    groups, count, number, port = map(json.loads, sys.argv[1:])
    processes.join(processes.Place(count, number, f"127.0.0.1:{port}"))
    steps = [stepped(seeds) for seeds in groups]
    bytes_ = reduced() if count == 1 else None  # an array of the host's cannot be given to several
    print(json.dumps([jax.device_count(), steps, whole(), bytes_]), file=sys.__stdout__)
