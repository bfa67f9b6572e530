"""Measuring one case: all subjects prepared one by one, then sampled in turns."""

import contextlib
import dataclasses
import json
import pathlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from rnnsent import costs, timing
from rnnsent.benchmark.case import SUBJECTS, Case, unavailable
from rnnsent.benchmark.process import Process

TASKS = {"train": "training step", "infer": "inference"}

TOLERANCE = {"logits": 5e-5, "gradients": 1e-4}
"""Largest difference from the reference: of a logit, and of a gradient leaf as a share of its
largest entry."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """How a case is measured.

    Attributes:
      subjects: names of who takes part.
      rounds: samples of each.
      seconds: about how long a sample is, of one step or more.
      least: steps of training in a sample at the least where several are one program
        (:class:`Subject`'s ``dispatched``): a single one would also time the program's start.
      checked: rows on which the subjects are compared with the reference.
      left_out: of the subjects, those that take no part this time, and why.
      trace: folder for a profile of rnnsent's training step, or None.
      hlo: file for rnnsent's training step as compiled, or None.
    """

    subjects: Sequence[str]
    rounds: int
    seconds: float
    least: int
    checked: int
    left_out: Mapping[str, str] = dataclasses.field(default_factory=dict)
    trace: pathlib.Path | None = None
    hlo: pathlib.Path | None = None


def measure(
    case: Case,
    rows: dict[str, np.ndarray],
    plan: Plan,
    advance: Callable[[str, float], None] = lambda doing, share: None,
) -> dict[str, Any]:
    """All subjects on one case.

    Args:
      case: the work.
      rows: ``ids_NT`` and ``label_N``, N a multiple of the batch.
      plan: see :class:`Plan`.
      advance: called with what is being done and which share of the case that completes.

    Returns:
      A record for JSON: ``results`` by subject (``status``, why it has no samples, errors, compile
      times, memory), the machine's ``limit``, raw ``samples`` by task and subject in seconds per
      step, the ``floor`` by task, and, where rnnsent took part, its ``counts``.
    """
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rnnsent-benchmark-"))
        pathlib.Path(folder, "case.json").write_text(json.dumps(dataclasses.asdict(case)))
        np.savez(pathlib.Path(folder, "rows.npz"), **rows)
        advance("the reference in float64", 0.0)
        session = _Session(case, plan, folder, stack, advance)
        with contextlib.closing(Process("reference", folder)) as reference:
            reference.ask("reference", rows=plan.checked)
        session.prepare()
        samples = session.samples()
        return session.record(samples) | {"samples": samples}


class _Session:
    """The processes of one case, and what is known of each subject."""

    def __init__(self, case, plan, folder, stack, advance):
        self.case, self.plan, self.advance = case, plan, advance
        self.results: dict[str, dict[str, Any]] = {}
        self.processes: dict[str, Process] = {}
        for name in plan.subjects:
            if why := unavailable(name, case) or plan.left_out.get(name):
                self.results[name] = {"status": "skipped", "why": why}
                continue
            self.processes[name] = process = Process(name, folder)
            stack.callback(process.close)
            self.results[name] = {"status": "measured"}
        self.limit = Process("limit", folder)
        stack.callback(self.limit.close)
        stack.callback(self._end)

    def _end(self) -> None:
        """All end side by side, before any is waited for."""
        for process in (*self.processes.values(), self.limit):
            process.end()

    def prepare(self) -> None:
        """Imports and checks run side by side; what is timed, one after another."""
        for process in self.processes.values():
            process.send("build")
        built = {name: self._attempt(name, process.receive) for name, process in self._running()}
        self.machine = self.limit.ask("limit") | self.limit.ask("bandwidth")
        for name, answer in built.items():
            if answer is not None:
                self.results[name] |= answer
                self._warm(name, "infer")
        self._check()
        for name, _ in self._running():
            self._warm(name, "train")

    def _running(self) -> list[tuple[str, Process]]:
        return list(self.processes.items())

    def _attempt(self, name: str, do: Callable[[], Any]) -> Any:
        """What ``do`` returns; a subject that fails takes no further part, and its result says why.

        A JSON answer is never None.
        """
        try:
            return do()
        except RuntimeError as error:
            self.processes.pop(name)
            self.results[name] = {"status": "failed", "why": str(error)}
        return None

    def _warm(self, name: str, task: str) -> None:
        """Compiles a subject's task, alone on the machine: how long that takes is reported."""
        arguments = {"task": task, "seconds": self.plan.seconds, "least": self.plan.least}
        self.advance(f"{SUBJECTS[name].title}: compile", 0.25 / len(self.processes))
        warm = self._attempt(name, lambda: self.processes[name].ask("warm", **arguments))
        for key, value in (warm or {}).items():
            self.results[name].setdefault(key, {})[task] = value

    def _check(self) -> None:
        """All are checked side by side, while their weights are fresh."""
        for process in self.processes.values():
            process.send("check", rows=self.plan.checked)
        for name, process in self._running():
            self._attempt(name, lambda name=name, process=process: self._agrees(name, process))

    def _agrees(self, name: str, process: Process) -> None:
        errors = self.results[name]["errors"] = process.receive()
        for part, allowed in TOLERANCE.items():
            if not errors[part] <= allowed:
                raise RuntimeError(f"{part} differ from the reference by {errors[part]:.1e}")

    def samples(self) -> dict[str, dict[str, list]]:
        """Per task, the raw samples of every process in seconds per step, taken in turns."""
        turns = len(TASKS) * self.plan.rounds * (len(self.processes) + 1)
        out = {}
        for task, title in TASKS.items():
            subjects = {name: self._sampler(name, task) for name in self.processes}
            subjects["limit"] = lambda task=task: self.limit.ask("bound", task=task)
            doing = f"{title}, in turns"
            out[task] = timing.interleave(
                subjects, self.plan.rounds, lambda doing=doing: self.advance(doing, 0.5 / turns)
            )
        return out

    def _sampler(self, name: str, task: str) -> Callable[[], float]:
        process, steps = self.processes[name], self.results[name]["steps"][task]
        return lambda: process.ask("sample", task=task, steps=steps)["seconds"]

    def record(self, samples: dict) -> dict[str, Any]:
        """What is asked for after the last sample."""
        for name, process in self.processes.items():
            self.results[name]["memory"] = process.ask("memory")
        out = {"results": self.results, "limit": self.machine}
        out["floor"] = floor(self.case, samples, self.machine)
        if ours := self.processes.get("rnnsent"):
            out["counts"] = ours.ask("counts")
            for do, place in (("trace", self.plan.trace), ("hlo", self.plan.hlo)):
                if place is not None:
                    place.parent.mkdir(parents=True, exist_ok=True)
                    ours.ask(do, path=str(place))
        return out
