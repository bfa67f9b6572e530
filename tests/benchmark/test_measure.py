"""A case measured with real processes, small ones."""

import msgspec
import numpy as np
import pytest

from rnnsent import benchmark
from rnnsent.benchmark import costs, measure, record
from rnnsent.benchmark.measure import Job, Plan
from rnnsent.model import SentimentClassifier

MODEL = SentimentClassifier(
    cell="simple_rnn", features=(5, 4), head=3, vocab_size=40, embedding_size=3
)
CASE = benchmark.Case(MODEL, batch=8, steps=6, masked=True)


def rows(padded: bool = True) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    ids_NT = rng.integers(1, 40, (16, 6)).astype(np.int32)
    if padded:
        ids_NT[np.arange(6) < 6 - rng.integers(1, 7, 16)[:, None]] = 0
    return {"ids_NT": ids_NT, "label_N": rng.integers(0, 2, 16).astype(np.int32)}


def measured(*subjects: str, case: benchmark.Case = CASE, **plan) -> record.Measured:
    plan = Plan(subjects, rounds=2, seconds=0.01, checked=8, **plan)
    found = measure.measure(Job("peers", None, case), rows(), plan)
    return msgspec.json.decode(msgspec.json.encode(found), type=record.Measured)


@pytest.mark.ci
@pytest.mark.slow
def test_a_record_holds_every_sample_and_what_it_rests_on(tmp_path, monkeypatch):
    absent = benchmark.Spec("Absent", "ours:Rnnsent", ("no_such_module_here",))
    monkeypatch.setitem(benchmark.SUBJECTS, "absent", absent)
    hlo, trace = tmp_path / "hlo.txt", tmp_path / "trace"
    found = measured("rnnsent", "flax", "absent", "jax-cudnn", hlo=hlo, trace=trace)
    assert found.names() == ["rnnsent", "flax"] and found.failed == ""
    for task in ("train", "infer"):
        assert len(found.limits[task]) == 2 and found.floor[task].seconds > 0
        for name in found.names():
            assert len(found.samples[task][name]) == 2
            assert all(seconds > 0 for seconds in found.samples[task][name])
            assert found.results[name].compile_seconds[task] >= 0
            assert found.results[name].steps[task] >= 1
    assert found.results["absent"].why == "not installed: no_such_module_here"
    assert found.results["jax-cudnn"].status == "skipped"
    assert found.results["flax"].errors.gradients < 1e-5
    assert found.results["flax"].memory.temporary > 1e3
    run = found.counts.steps_run
    assert run["real"] <= run["infer"] <= run["train"] <= 6 and run["real"] < 6
    assert found.machine.steps == run["real"]
    assert found.floor["infer"].flops == costs.flops(MODEL, 8, run["real"], train=False)
    assert "HloModule" in hlo.read_text() and list(trace.rglob("*.xplane.pb"))


@pytest.mark.slow
def test_a_subject_that_computes_something_else_is_not_timed(monkeypatch):
    monkeypatch.setitem(measure.TOLERANCE, "gradients", 0.0)
    found = measured("flax")
    assert found.results["flax"].status == "failed"
    assert "gradients differ from the reference" in found.results["flax"].why
    assert found.names() == [] and found.samples == {"train": {}, "infer": {}}
    text = record.failures(record.Record(origin=None, settings=None, cases=[found]))
    assert len(text) == 1 and text[0].startswith("flax failed on simple_rnn 5-4")


BROKEN = """
from rnnsent.cells import SimpleRNNCell

class BrokenCell(SimpleRNNCell):
    def step(self, params, carry, x_BE):
        raise TypeError("a step that cannot be")
"""


@pytest.mark.slow
def test_a_reference_that_fails_is_a_line_and_no_traceback(tmp_path, monkeypatch):
    (tmp_path / "broken_cells.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    case = benchmark.Case(MODEL.clone(cell="broken_cells:BrokenCell"), batch=8, steps=6)
    found = measured("rnnsent", case=case)
    assert "a step that cannot be" in found.failed
    assert found.results == {} and found.names() == []


@pytest.mark.slow
def test_a_limit_that_fails_leaves_the_samples(monkeypatch):
    ask = measure.Process.ask

    def broken(self, do, **arguments):
        if do == "limit":
            raise measure.Failed("no machine")
        return ask(self, do, **arguments)

    monkeypatch.setattr(measure.Process, "ask", broken)
    found = measured("rnnsent")
    assert found.failed == "no floor: no machine"
    assert found.floor == {} and found.machine is None
    assert found.names() == ["rnnsent"]
