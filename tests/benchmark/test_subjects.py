"""Every subject computes the same function, gradients and training steps as rnnsent.

Each runs in a process of its own, as in the benchmark: Keras has one backend per process.
"""

import dataclasses
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from jax.experimental import rnn

from rnnsent import model, peers, recurrence, timing, training
from rnnsent.benchmark import ours, worker

SCRIPT = """
import dataclasses, json, sys
from rnnsent import devices
devices.configure()
import jax
import jax.flatten_util
import numpy as np
from rnnsent import model
from rnnsent.benchmark import Case, build, ours, worker

def rows(case, rng):
    # Each word once: Keras's Adam on TensorFlow squares the parts of a repeated word's gradient.
    ids_NT = 1 + rng.permutation(54).astype(np.int32).reshape(6, 9)
    if case.masked:
        ids_NT[np.arange(9) < 9 - np.array([9, 1, 2, 5, 8, 3])[:, None]] = 0
    return ids_NT, np.array([0, 1, 1, 0, 1, 0], np.int32)

def second_bias(name, cell, params):
    # What a parameter moves by, as a multiple of a step: two biases that are added train alike.
    times = jax.tree.map(np.ones_like, params)
    if name == "torch" or (name.startswith("keras") and cell == "gru"):
        for layer in ("layer_0", "layer_1"):
            added = times[layer]["bias"]
            added[: len(added) * 2 // 3 if cell == "gru" else None] = 2
    return times

def adam(name, case, params, ids_NT, label_N, steps):
    # Kingma & Ba (2015), algorithm 1, in NumPy; Keras adds epsilon before the root is corrected.
    times, first, second = second_bias(name, case.config.cell, params), 0.0, 0.0
    for step in range(1, steps + 1):
        grads = ours.exact(case.config, params, ids_NT, label_N)[1]
        grad, like = jax.flatten_util.ravel_pytree(grads)
        grad = np.float64(grad)
        first, second = 0.9 * first + 0.1 * grad, 0.999 * second + 0.001 * grad**2
        root = np.sqrt(1 - 0.999**step)
        epsilon = 1e-7 if name == "torch" else 1e-7 / root
        move = like(np.float32(1e-3 * first / (1 - 0.9**step) / (np.sqrt(second) / root + epsilon)))
        params = jax.tree.map(lambda a, by, count: a - by * count, params, move, times)
    return ours.exact(case.config, params, ids_NT, label_N)[0]

def check(case):
    rng = np.random.default_rng(0)
    params = model.init(case.config, jax.random.key(0))
    params = jax.tree.map(lambda a: np.float32(rng.normal(size=a.shape) * 0.5), params)
    ids_NT, label_N = rows(case, rng)
    logits_B, grads = ours.exact(case.config, params, ids_NT, label_N)
    exact = {"logits": logits_B, **worker.flatten(grads)}
    subject = build(sys.argv[1], case, params, ids_NT, label_N)
    errors = worker.differences(*subject.reference(ids_NT, label_N), exact)
    subject.train(3)
    subject.infer(2)
    trained_B, _ = subject.reference(ids_NT, label_N)
    if not case.config.dropout:
        expected_B = adam(sys.argv[1], case, params, ids_NT, label_N, 3)
        errors["trained"] = float(abs(trained_B - expected_B).max())
    return errors | {"moved": float(abs(trained_B - logits_B).max())}

results = {}
for cell in sys.argv[2:]:
    config = model.ModelConfig(
        cell=cell, features=(5, 4), head=3, vocab_size=55, embedding_size=3, dropout=0.0
    )
    # What a subject does without a mask does not depend on the cell.
    for masked in (False, True) if cell == sys.argv[2] else (True,):
        results[f"{cell} {masked}"] = check(Case(config, batch=6, steps=9, masked=masked))
config = dataclasses.replace(config, cell="simple_rnn", dropout=0.5, recurrent_dropout=0.5)
results["dropout"] = check(Case(config, batch=6, steps=9, masked=True))
print(json.dumps(results))
"""


VARIANT = "rnnsent-stored"
"""One of rnnsent's implementations stands for all: their train step is the same."""

# torch.compile takes minutes to compile these cases; the benchmark checks it before timing it.
NAMES = [
    name
    for name, spec in peers.SUBJECTS.items()
    if name in ("rnnsent", VARIANT) or not (spec.ours or spec.gpu or name == "torch-compile")
]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_same_logits_gradients_and_training_steps(name):
    if gone := peers.missing(name):
        pytest.skip(f"not installed: {', '.join(gone)}")
    cells = ("lstm",) if name == VARIANT else ("simple_rnn", "lstm", "gru")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, name, *cells],
        env=os.environ | worker.environment(name),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for case, result in json.loads(done.stdout.splitlines()[-1]).items():
        assert result["logits"] < 5e-6, case
        assert result["gradients"] < 2e-5, (case, result["worst_leaf"])
        if case == "dropout":  # its steps are draws of its own
            assert result["moved"] > 0
        else:
            assert result["moved"] > 5e-3, case
            assert result["trained"] < 2e-6, case


def test_a_peer_that_is_not_installed_is_named(monkeypatch):
    spec = peers.Spec("Absent", "ours:Rnnsent", ("sys", "no_such_module_here"))
    monkeypatch.setitem(peers.SUBJECTS, "absent", spec)
    assert peers.missing("absent") == ["no_such_module_here"]


CONFIG = model.ModelConfig(
    cell="lstm", features=(5, 4), head=3, vocab_size=40, embedding_size=3, dropout=0.0
)


def test_only_a_gpu_runs_what_needs_one(monkeypatch):
    case = peers.Case(CONFIG)
    assert peers.unavailable("jax-cudnn", case) == "needs a GPU"
    assert peers.unavailable("rnnsent-cudnn", case) == "needs a GPU"
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert peers.unavailable("jax-cudnn", case) == ""
    gru = peers.Case(dataclasses.replace(CONFIG, cell="gru"))
    assert peers.unavailable("jax-cudnn", gru) == "has no gru"


def test_an_implementation_is_timed_once_and_only_where_there_is_one(monkeypatch):
    case, chosen = peers.Case(CONFIG), recurrence.resolve("auto")
    assert "automatic choice" in peers.unavailable(f"rnnsent-{chosen}", case)
    assert peers.unavailable("rnnsent-stored", case) == ""
    monkeypatch.setattr(recurrence, "IMPLEMENTATIONS", ("auto", chosen))
    assert "no implementation" in peers.unavailable("rnnsent-stored", case)


def test_every_implementation_is_a_subject():
    timed = {spec.options.get("implementation") for spec in peers.SUBJECTS.values() if spec.ours}
    assert set(recurrence.IMPLEMENTATIONS) - {"auto"} <= timed


def test_cudnns_weights_and_rows_are_rnnsents(monkeypatch):
    """cuDNN needs a GPU; JAX's own reference of it takes the same arguments."""

    def on_any_machine(x_BTE, h_LBH, c_LBH, weights, length_B, *, precision, **sizes):
        own = {key: sizes[key] for key in ("input_size", "hidden_size", "num_layers")}
        parts = rnn.unpack_lstm_weights(weights, **own, bidirectional=False)
        return rnn.lstm_ref(x_BTE, h_LBH, c_LBH, *parts, length_B, *sizes.values())

    monkeypatch.setattr(rnn, "lstm", on_any_machine)
    rng = np.random.default_rng(0)
    ids_NT = rng.integers(1, 40, (4, 6)).astype(np.int32)
    ids_NT[np.arange(6) < 6 - np.array([6, 1, 2, 5])[:, None]] = 0
    label_N = np.array([0, 1, 1, 0], np.int32)
    params = model.init(CONFIG, jax.random.key(0))
    params = jax.tree.map(lambda a: np.float32(rng.normal(size=a.shape) * 0.5), params)
    logits_B, grads = ours.exact(CONFIG, params, ids_NT, label_N)
    case = peers.Case(CONFIG, batch=4, steps=6, masked=True)
    subject = peers.build("jax-cudnn", case, params, ids_NT, label_N)
    exact = {"logits": logits_B, **worker.flatten(grads)}
    errors = worker.differences(*subject.reference(ids_NT, label_N), exact)
    assert errors["logits"] < 5e-6 and errors["gradients"] < 2e-5


@pytest.mark.slow
def test_seeds_in_one_program_train_as_one_alone():
    rng = np.random.default_rng(0)
    ids_NT = rng.integers(1, 40, (4, 6)).astype(np.int32)
    label_N = np.array([0, 1, 1, 0], np.int32)
    params = model.init(CONFIG, jax.random.key(0))
    trained = {}
    for name, count in (("rnnsent", 1), ("rnnsent-seeds", 2)):
        case = peers.Case(CONFIG, batch=4, steps=6, seeds=count)
        subject = peers.build(name, case, jax.tree.map(np.array, params), ids_NT, label_N)
        subject.train(2)
        trained[name] = subject.reference(ids_NT, label_N)[0]
    np.testing.assert_allclose(trained["rnnsent-seeds"], trained["rnnsent"], atol=5e-6)


def test_steps_run_are_those_of_each_micro_batchs_longest_row():
    length_SB = np.array([[1, 9, 2, 8, 3, 7], [5, 5, 5, 1, 1, 1]])
    layout = training.plan(6, devices=2, micro_batch=2)
    assert (layout.parts, layout.rows) == (2, 8)
    expected = []
    for row in ([1, 9, 2, 8], [3, 7, 0, 0], [5, 5, 5, 1], [1, 1, 0, 0]):
        row = sorted(row)
        expected += [max(row[:2]), max(row[2:])]
    assert ours.steps_of_training(length_SB, layout) == np.mean(expected)
    # All rows by length, six at a time, on two devices: 1 1 1 | 1 2 3 and 5 5 5 | 7 8 9.
    assert ours.steps_of_inference(length_SB, 2) == np.mean([1, 3, 5, 9])


@pytest.mark.parametrize("dispatched, least", [(True, 2), (False, 1)])
def test_a_sample_of_a_program_of_steps_is_never_a_single_one(dispatched, least, monkeypatch):
    monkeypatch.setattr(timing, "seconds", lambda run: run())
    slow = SimpleNamespace(train=lambda steps: 3.0 * steps, infer=lambda steps: 3.0 * steps)
    slow.dispatched = dispatched
    asked = SimpleNamespace(subject=slow, sample=lambda *a: worker.Worker.sample(asked, *a))
    for task, expected in (("train", least), ("infer", 1)):
        assert worker.Worker.warm(asked, task, seconds=0.4, least=2)["steps"] == expected
    assert worker.Worker.warm(asked, "train", seconds=12, least=2)["steps"] == 4


def test_importing_the_peers_imports_none_of_them():
    """Nor what takes long and only the report needs."""
    code = "import sys, rnnsent.benchmark.worker; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    modules = set(done.stdout.split())
    assert "rnnsent" in modules
    assert not {"torch", "keras", "tensorflow", "scipy.stats"} & modules


def test_a_difference_is_measured_against_the_leafs_largest_entry():
    exact = {"logits": np.zeros(2), "a/kernel": np.array([4.0, 0.0]), "a/bias": np.ones(2)}
    grads = {"a": {"kernel": np.array([4.0, 1.0]), "bias": np.ones(2)}}
    found = worker.differences(np.array([0.0, -0.5]), grads, exact)
    assert found == {"logits": 0.5, "gradients": 0.25, "worst_leaf": "a/kernel"}
