"""Every subject computes the same function, gradients and training steps as rnnsent.

Each runs in a process of its own, as in the benchmark: Keras has one backend per process.
"""

import json
import os
import subprocess
import sys

import pytest

from rnnsent import peers
from rnnsent.peers import worker

SCRIPT = """
import dataclasses, json, sys
from rnnsent import devices
devices.configure()
import jax
import numpy as np
from rnnsent import model
from rnnsent.peers import Case, build, ours, worker

def rows(case, rng):
    ids_NT = rng.integers(1, 40, (6, 9)).astype(np.int32)
    if case.masked:
        ids_NT[np.arange(9) < 9 - np.array([9, 1, 2, 5, 8, 3])[:, None]] = 0
    return ids_NT, np.array([0, 1, 1, 0, 1, 0], np.int32)

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
    return errors | {"trained": trained_B.tolist(), "moved": float(abs(trained_B - logits_B).max())}

results = {}
for cell in ("simple_rnn", "lstm", "gru"):
    config = model.ModelConfig(
        cell=cell, features=(5, 4), head=3, vocab_size=40, embedding_size=3, dropout=0.0
    )
    for masked in (False, True):
        results[f"{cell} {masked}"] = check(Case(config, batch=6, steps=9, masked=masked))
config = dataclasses.replace(config, cell="simple_rnn", dropout=0.5, recurrent_dropout=0.5)
results["dropout"] = check(Case(config, batch=6, steps=9, masked=True))
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def results():
    """Per subject, what ``SCRIPT`` prints; each is run once."""
    found = {}

    def get(name):
        if gone := peers.missing(name):
            pytest.skip(f"not installed: {', '.join(gone)}")
        if name not in found:
            found[name] = subprocess.run(
                [sys.executable, "-c", SCRIPT, name],
                env=os.environ | worker.environment(name),
                capture_output=True,
                text=True,
            )
        assert found[name].returncode == 0, found[name].stderr
        return json.loads(found[name].stdout.splitlines()[-1])

    return get


# torch.compile takes minutes to compile these cases; the benchmark checks it before timing it.
NAMES = [name for name in peers.SUBJECTS if name != "torch-compile"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_same_logits_and_gradients(name, results):
    for case, result in results(name).items():
        assert result["logits"] < 5e-6, case
        assert result["gradients"] < 2e-5, (case, result["worst_leaf"])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_same_training_steps(name, results):
    ours = results("rnnsent")
    for case, result in results(name).items():
        if case == "dropout":  # it trains, each on draws of its own
            continue
        # PyTorch's layers and Keras's GRU have a second bias that trains too; PyTorch's Adam has
        # its epsilon elsewhere (training.optimizer).
        differs = name == "torch" or (name.startswith("keras") and case.startswith("gru"))
        allowed = 2e-3 if differs else 5e-5
        assert result["moved"] > 5e-3, case
        assert result["trained"] == pytest.approx(ours[case]["trained"], abs=allowed), case


def test_a_peer_that_is_not_installed_is_named(monkeypatch):
    spec = peers.Spec("Absent", "ours:Rnnsent", ("sys", "no_such_module_here"))
    monkeypatch.setitem(peers.SUBJECTS, "absent", spec)
    assert peers.missing("absent") == ["no_such_module_here"]


def test_importing_the_peers_imports_none_of_them():
    code = "import sys, rnnsent.peers.worker; print([m for m in sys.modules if '.' not in m])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert "rnnsent" in printed
    assert not {"'torch'", "'keras'", "'tensorflow'"} & set(printed.strip("[]\n").split(", "))


def test_a_difference_is_measured_against_the_leafs_largest_entry():
    import numpy as np

    exact = {"logits": np.zeros(2), "a/kernel": np.array([4.0, 0.0]), "a/bias": np.ones(2)}
    grads = {"a": {"kernel": np.array([4.0, 1.0]), "bias": np.ones(2)}}
    found = worker.differences(np.array([0.0, -0.5]), grads, exact)
    assert found == {"logits": 0.5, "gradients": 0.25, "worst_leaf": "a/kernel"}
