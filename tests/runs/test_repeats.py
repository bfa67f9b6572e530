import json
import re
import shutil

import numpy as np
import pytest
from corpus import folders

from rnnsent import runs
from rnnsent.errors import UserError
from rnnsent.runs import repeats

SEED = folders.SEED


@pytest.fixture
def again(finished_run, tmp_path):
    """``then`` and ``run``, two copies of a run."""
    for name in ("then", "run"):
        shutil.copytree(finished_run / "run", tmp_path / name)
    return tmp_path


def compared(place):
    return repeats.compare(place / "then", runs.load(place / "run" / SEED))


def test_a_copy_is_identical_but_for_its_times(again):
    folders.field(f"{SEED}/result.json", "training_seconds", 9.0, "").make(again)
    folders.field(f"{SEED}/result.json", "epoch_seconds", [9.0], "").make(again)
    folders.field(f"{SEED}/provenance.json", "started", "later", "").make(again)
    one = compared(again)
    assert one.identical and one.flipped == 0 and one.reasons == ()
    assert all(gap == repeats.Gap(identical=True, largest=0.0) for gap in one.gaps)


@pytest.mark.parametrize(
    "name, keys, value, gap, largest",
    [
        ("metrics.jsonl", "loss", np.nextafter(0.7, 1), "losses", np.nextafter(0.7, 1) - 0.7),
        ("metrics.jsonl", "loss", None, "losses", None),
        ("metrics.jsonl", "accuracy", 0.75, "accuracies", 0.25),
        ("result.json", "fits.0.test_accuracy", 0.25, "measured_accuracies", 0.25),
        ("result.json", "fits.0.train_loss", 1.7, "measured_losses", 1.0),
    ],
)
def test_a_figure_that_is_another_is_found(again, name, keys, value, gap, largest):
    folders.field(f"{SEED}/{name}", keys, value, "").make(again)
    one = compared(again)
    others = [n for n in ("losses", "accuracies", "measured_losses", "measured_accuracies",
                          "logits") if not getattr(one, n).identical]  # fmt: skip
    assert not one.identical and others == [gap]
    assert getattr(one, gap).largest == largest


def test_a_prediction_that_is_another_is_found(again):
    test_N = np.zeros(256)
    test_N[:3] = 0.5, -0.25, -0.0
    folders.logits("", "", train_logits_N=np.zeros(1024), test_logits_N=test_N).make(again)
    one = compared(again)
    assert one.logits == repeats.Gap(identical=False, largest=0.5) and one.flipped == 1
    test_N[:2] = 0  # a zero of another sign is another bit
    folders.logits("", "", train_logits_N=np.zeros(1024), test_logits_N=test_N).make(again)
    one = compared(again)
    assert one.logits == repeats.Gap(identical=False, largest=0.0) and one.flipped == 0


def test_what_was_measured_on_reviews_held_out_is_compared_too(again):
    path = again / "run" / SEED / "metrics.jsonl"
    held = json.loads(path.read_text())
    path.write_text(json.dumps(held | {"validation_accuracy": 0.5, "validation_loss": 0.625}))
    one = compared(again)
    assert not one.losses.identical and not one.identical
    shutil.copy(path, again / "then" / SEED)
    assert compared(again).identical
    path.write_text(json.dumps(held | {"validation_accuracy": 0.5, "validation_loss": 0.5}))
    assert compared(again).losses == repeats.Gap(identical=False, largest=0.125)


def test_one_that_diverged_is_identical_only_to_one_that_did(again):
    path = again / "run" / SEED / "result.json"
    held = json.loads(path.read_text()) | {"fits": [], "diverged": 1}
    path.write_text(json.dumps(held))
    one = compared(again)
    assert not one.identical and one.ends == (None, 1) and one.flipped is None
    assert one.logits == repeats.Gap(identical=False, largest=None)
    shutil.copy(path, again / "then" / SEED)
    assert compared(again).identical


@pytest.mark.parametrize(
    "name, keys, value, said",
    [
        ("provenance.json", "device.devices", 7, r"number of devices: \d+, now 7"),
        ("provenance.json", "device.name", "another", "device: .*, now another"),
        ("provenance.json", "versions.jax", "0.1", r"jax: [\d.]+, now 0\.1"),
        ("provenance.json", "git", "beef", "revision: .*, now beef"),
        ("provenance.json", "flags.XLA_FLAGS", "--xla_b", "XLA_FLAGS: .*, now --xla_b"),
        ("config.json", "implementation", "packed", "implementation: scan, now packed"),
        ("config.json", "digest", "0", "the source of the cell simple_rnn, or of what it imports"),
        ("result.json", "together", 3, "seeds trained at once: 1, now 3"),
    ],
)
def test_what_is_recorded_otherwise_is_a_reason(again, name, keys, value, said):
    folders.field(f"{SEED}/{name}", keys, value, "").make(again)
    one = compared(again)
    assert one.identical and len(one.reasons) == 1
    assert re.match(said, one.reasons[0])


def test_what_was_trained_is_recorded(again):
    assert repeats.recorded(again / "then") == [(folders.TINY, [0], "scan")]
    with pytest.raises(UserError, match="no model of .* has the cell a:B"):
        repeats.recorded(again / "then", ["a:B"])


@pytest.mark.parametrize(
    "name, keys, value, said",
    [
        (f"{SEED}/config.json", "recipe.cell", "evil_of_run:X", "add --from-cells evil_of_run:X"),
        (f"{SEED}/config.json", "recipe.name", "other", "it is of other"),
        (f"{SEED}/config.json", "vocab_size", 61, "it is of other data than the run"),
        (f"{SEED}/provenance.json", "data.title", "x", "it is of other data than the run"),
    ],
)
def test_what_is_not_the_runs_own_is_refused(again, name, keys, value, said):
    folders.field(name, keys, value, "").make(again)
    with pytest.raises(UserError, match=said):
        repeats.recorded(again / "run")
