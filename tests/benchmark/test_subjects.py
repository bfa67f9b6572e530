"""Every subject computes the same function, gradients and training steps as rnnsent.

Each runs in a process of its own, as in the benchmark: Keras has one backend per process.
"""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from jax.experimental import rnn

from rnnsent import benchmark, layout, model, recurrence
from rnnsent.benchmark import worker
from rnnsent.benchmark.subjects import ours
from rnnsent.model import SentimentClassifier

SCRIPT = """
import json, sys
from rnnsent import devices
devices.configure()
import jax
import jax.flatten_util
import numpy as np
from rnnsent import model
from rnnsent.benchmark import Case, build, worker
from rnnsent.benchmark.subjects import ours
from rnnsent.model import SentimentClassifier

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
    times, first, second = second_bias(name, case.model.cell, params), 0.0, 0.0
    for step in range(1, steps + 1):
        grads = ours.exact(case.model, params, ids_NT, label_N)[1]
        grad, like = jax.flatten_util.ravel_pytree(grads)
        grad = np.float64(grad)
        first, second = 0.9 * first + 0.1 * grad, 0.999 * second + 0.001 * grad**2
        root = np.sqrt(1 - 0.999**step)
        epsilon = 1e-7 if name == "torch" else 1e-7 / root
        move = like(np.float32(1e-3 * first / (1 - 0.9**step) / (np.sqrt(second) / root + epsilon)))
        params = jax.tree.map(lambda a, by, count: a - by * count, params, move, times)
    return ours.exact(case.model, params, ids_NT, label_N)[0]

def check(case):
    rng = np.random.default_rng(0)
    params = model.init(case.model, jax.random.key(0))
    params = jax.tree.map(lambda a: np.float32(rng.normal(size=a.shape) * 0.5), params)
    ids_NT, label_N = rows(case, rng)
    logits_B, grads = ours.exact(case.model, params, ids_NT, label_N)
    exact = {"logits": logits_B, **worker.flatten(grads)}
    subject = build(sys.argv[1], case, params, ids_NT, label_N)
    errors = worker.differences(*subject.reference(ids_NT, label_N), exact)
    subject.train(3)
    subject.infer(2)
    trained_B, _ = subject.reference(ids_NT, label_N)
    if not case.model.dropout:
        expected_B = adam(sys.argv[1], case, params, ids_NT, label_N, 3)
        errors["trained"] = float(abs(trained_B - expected_B).max())
    return errors | {"moved": float(abs(trained_B - logits_B).max())}

results = {}
for cell in sys.argv[2:]:
    classifier = SentimentClassifier(
        cell=cell, features=(5, 4), head=3, vocab_size=55, embedding_size=3, dropout=0.0
    )
    # What a subject does without a mask does not depend on the cell.
    for masked in (False, True) if cell == sys.argv[2] else (True,):
        results[f"{cell} {masked}"] = check(Case(classifier, batch=6, steps=9, masked=masked))
rate = 0.5 if ":" not in cell else 0.0
own = "simple_rnn" if rate else cell
classifier = classifier.clone(cell=own, dropout=0.5, recurrent_dropout=rate)
results["dropout"] = check(Case(classifier, batch=6, steps=9, masked=True))
print(json.dumps(results))
"""


VARIANT = "rnnsent-scan-stored"
"""One of rnnsent's implementations stands for all: their train step is the same."""

# torch.compile takes minutes to compile these cases; the benchmark checks it before timing it.
NAMES = [
    name
    for name, spec in benchmark.SUBJECTS.items()
    if name in ("rnnsent", VARIANT) or not (spec.ours or spec.gpu or name == "torch-compile")
]


def compared(name: str, *cells: str) -> dict:
    """What a subject's own process finds of each case, see ``SCRIPT``."""
    if gone := benchmark.missing(name):
        pytest.skip(f"not installed: {', '.join(gone)}")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, name, *cells],
        env=os.environ | worker.environment(name) | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def agrees(results: dict, moved: float = 5e-3) -> None:
    for case, result in results.items():
        assert result["logits"] < 5e-6, case
        assert result["gradients"] < 2e-5, (case, result["worst_leaf"])
        if case == "dropout":  # its steps are draws of its own
            assert result["moved"] > 0
        else:
            assert result["moved"] > moved, case
            assert result["trained"] < 2e-6, case


# Keras on TensorFlow is the same adapter as on JAX; its compilation takes the longest of all.
_LONG = {"keras-tensorflow": pytest.mark.ci}


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(n, marks=_LONG.get(n, ())) for n in NAMES])
def test_same_logits_gradients_and_training_steps(name):
    cells = ("lstm",) if name == VARIANT else ("simple_rnn", "lstm", "gru")
    agrees(compared(name, *cells))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rnnsent", "flax"])
def test_the_very_cell_of_a_user(name):
    cells = ("guests:MinimalCell", "guests:MatrixCell", "guests:ConstantCell")
    agrees(compared(name, *cells), moved=5e-4)


def test_a_peer_that_is_not_installed_is_named(monkeypatch):
    spec = benchmark.Spec("Absent", "ours:Rnnsent", ("sys", "no_such_module_here"))
    monkeypatch.setitem(benchmark.SUBJECTS, "absent", spec)
    assert benchmark.missing("absent") == ["no_such_module_here"]


MODEL = SentimentClassifier(
    cell="lstm", features=(5, 4), head=3, vocab_size=40, embedding_size=3, dropout=0.0
)


def test_a_case_is_the_same_after_json():
    model = MODEL.clone(cell="my_cells:MinimalCell", cell_options=(("leak", 0.5),))
    case = benchmark.Case(model, batch=4, steps=6, masked=True)
    read = benchmark.Case.from_json(json.loads(json.dumps(case.to_json())))
    assert read == case and hash(read) == hash(case)


def test_only_a_gpu_runs_what_needs_one(monkeypatch):
    case = benchmark.Case(MODEL)
    assert benchmark.unavailable("jax-cudnn", case) == "needs a GPU"
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert benchmark.unavailable("jax-cudnn", case) == ""
    gru = benchmark.Case(MODEL.clone(cell="gru"))
    assert benchmark.unavailable("jax-cudnn", gru) == "has no gru"


def test_only_rnnsent_and_flax_have_a_users_cell():
    case = benchmark.Case(MODEL.clone(cell="my_cells:MinimalCell"))
    for name in ("keras-jax", "keras-tensorflow", "torch", "torch-compile"):
        assert benchmark.unavailable(name, case) == "has no my_cells:MinimalCell"
    assert benchmark.unavailable("rnnsent", case) == benchmark.unavailable("flax", case) == ""


def test_an_implementation_is_timed_once(monkeypatch):
    case, chosen = benchmark.Case(MODEL), recurrence.resolve("auto")
    assert "automatic choice" in benchmark.unavailable(f"rnnsent-{chosen}", case)
    assert benchmark.unavailable("rnnsent-scan-stored", case) == ""
    monkeypatch.setattr(recurrence, "resolve", lambda name, **_: "scan-stored")
    assert benchmark.unavailable("rnnsent-scan-stored", case) == ""  # of the whole batch


def test_every_implementation_is_a_subject():
    subjects = benchmark.SUBJECTS.values()
    timed = {spec.options.get("implementation") for spec in subjects if spec.ours}
    assert set(recurrence.IMPLEMENTATIONS) == timed - {None}


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
    params = model.init(MODEL, jax.random.key(0))
    params = jax.tree.map(lambda a: np.float32(rng.normal(size=a.shape) * 0.5), params)
    logits_B, grads = ours.exact(MODEL, params, ids_NT, label_N)
    case = benchmark.Case(MODEL, batch=4, steps=6, masked=True)
    subject = benchmark.build("jax-cudnn", case, params, ids_NT, label_N)
    exact = {"logits": logits_B, **worker.flatten(grads)}
    errors = worker.differences(*subject.reference(ids_NT, label_N), exact)
    assert errors["logits"] < 5e-6 and errors["gradients"] < 2e-5


@pytest.mark.slow
def test_seeds_in_one_program_train_as_one_alone():
    rng = np.random.default_rng(0)
    ids_NT = rng.integers(1, 40, (4, 6)).astype(np.int32)
    label_N = np.array([0, 1, 1, 0], np.int32)
    params = model.init(MODEL, jax.random.key(0))
    trained = {}
    for name, count in (("rnnsent", 1), ("rnnsent-seeds", 2)):
        case = benchmark.Case(MODEL, batch=4, steps=6, seeds=count)
        subject = benchmark.build(name, case, jax.tree.map(np.array, params), ids_NT, label_N)
        subject.train(2)
        trained[name] = subject.reference(ids_NT, label_N)[0]
    np.testing.assert_allclose(trained["rnnsent-seeds"], trained["rnnsent"], atol=5e-6)


def test_steps_run_are_those_of_each_micro_batchs_longest_row():
    length_KB = np.array([[1, 9, 2, 8, 3, 7], [5, 5, 5, 1, 1, 1]])
    plan = layout.plan(6, devices=2, micro_batch=2)
    assert (plan.parts, plan.rows) == (2, 8)
    expected = []
    for row in ([1, 9, 2, 8], [3, 7, 1, 1], [5, 5, 5, 1], [1, 1, 1, 1]):
        row = sorted(row)
        expected += [max(row[:2]), max(row[2:])]
    assert ours.steps_of_training(length_KB, plan) == np.mean(expected)
    # All rows by length, six at a time, on two devices: 1 1 1 | 1 2 3 and 5 5 5 | 7 8 9.
    assert ours.steps_of_inference(length_KB, 2) == np.mean([1, 3, 5, 9])


def test_a_sample_is_chosen_by_a_warm_step(monkeypatch):
    taken = iter([9.0, 5.0, 0.1])
    asked = SimpleNamespace(subject=SimpleNamespace(), sample=lambda *_: {"seconds": next(taken)})
    warm = worker.Worker.warm(asked, "train", seconds=0.4)
    assert warm == {"compile_seconds": 8.9, "steps": 4}


def test_tuning_of_triton_is_off_where_the_user_says_nothing(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setenv("XLA_FLAGS", "--xla_a=1")
    off = "--xla_a=1 --xla_gpu_enable_triton_gemm=false"
    assert worker.environment("rnnsent")["XLA_FLAGS"] == off
    assert "XLA_FLAGS" not in worker.environment("torch")
    monkeypatch.setenv("XLA_FLAGS", "--xla_gpu_enable_triton_gemm=true")
    assert "XLA_FLAGS" not in worker.environment("limit")


def test_importing_the_worker_imports_no_peer():
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
