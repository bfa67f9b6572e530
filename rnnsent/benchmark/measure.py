"""Measuring one case: all subjects prepared one by one, then sampled in turns."""

import contextlib
import dataclasses
import json
import pathlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from rnnsent.benchmark import clock
from rnnsent.benchmark.case import SUBJECTS, Case, unavailable
from rnnsent.benchmark.floor import floor
from rnnsent.benchmark.process import Failed, Process
from rnnsent.benchmark.record import Counts, Errors, Machine, Measured, Memory, Result, Sample, Work

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
      checked: rows on which the subjects are compared with the reference.
      left_out: of the subjects, those that take no part this time, and why.
      trace: folder for a profile of rnnsent's training step, or None.
      hlo: file for rnnsent's training step as compiled, or None.
    """

    subjects: Sequence[str]
    rounds: int
    seconds: float
    checked: int
    left_out: Mapping[str, str] = dataclasses.field(default_factory=dict)
    trace: pathlib.Path | None = None
    hlo: pathlib.Path | None = None


@dataclasses.dataclass(frozen=True)
class Job:
    """A case of a study.

    Attributes:
      study: its name.
      value: what is varied, or None.
      case: the work.
    """

    study: str
    value: int | None
    case: Case

    @property
    def label(self) -> str:
        """For headings."""
        case, model = self.case, self.case.model
        widths = "-".join(str(features) for features in model.features)
        label = f"{model.cell} {widths}, B={case.batch}, T={case.steps}"
        label += f", seeds={case.seeds}" if case.seeds > 1 else ""
        return label + (", padded reviews" if case.masked else "")


def measure(
    job: Job,
    rows: dict[str, np.ndarray],
    plan: Plan,
    advance: Callable[[str, float], None] = lambda doing, share: None,
) -> Measured:
    """All subjects on one case.

    A subject that fails has a result that says why; so has the case without a reference.

    Args:
      job: the case.
      rows: ``ids_NT`` and ``label_N``, N a multiple of the batch.
      plan: see :class:`Plan`.
      advance: called with what is being done and which share of the case that completes.
    """
    case = job.case
    measured = Measured(job.study, job.value, job.label, msgspec.convert(case.to_json(), Work))
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rnnsent-benchmark-"))
        pathlib.Path(folder, "case.json").write_text(json.dumps(case.to_json()))
        np.savez(pathlib.Path(folder, "rows.npz"), **rows)
        advance("the reference in float64", 0.0)
        try:
            with contextlib.closing(Process("reference", folder)) as reference:
                reference.ask("reference", rows=plan.checked)
            _Session(case, plan, folder, stack, advance, measured).run()
        except Failed as error:
            measured.failed = str(error)
    return measured


class _Session:
    """The processes of one case, and what is known of each subject."""

    def __init__(self, case, plan, folder, stack, advance, measured):
        self.case, self.plan, self.advance, self.measured = case, plan, advance, measured
        self.results: dict[str, Result] = measured.results
        self.processes: dict[str, Process] = {}
        for name in plan.subjects:
            if why := unavailable(name, case) or plan.left_out.get(name):
                self.results[name] = Result("skipped", why)
                continue
            self.processes[name] = process = Process(name, folder)
            stack.callback(process.close)
            self.results[name] = Result("measured")
        self.limit = Process("limit", folder)
        stack.callback(self.limit.close)
        stack.callback(self._end)

    def _end(self) -> None:
        """All end side by side, before any is waited for."""
        for process in (*self.processes.values(), self.limit):
            process.end()

    def run(self) -> None:
        """Prepares, samples and asks for what is known only afterwards."""
        self._prepare()
        self._sample()
        self._conclude()

    def _prepare(self) -> None:
        """Imports and checks run side by side; what is timed, one after another."""
        for process in self.processes.values():
            process.send("build")
        built = {name: self._attempt(name, process.receive) for name, process in self._running()}
        self._find_limit()
        for name, answer in built.items():
            if answer is not None:
                self.results[name].setting = answer["setting"]
                self.results[name].versions = answer["versions"]
                self._warm(name, "infer")
        self._check()
        for name, _ in self._running():
            self._warm(name, "train")

    def _find_limit(self) -> None:
        """The machine's limit; without it there is no floor, and the samples go on."""
        try:
            found = self.limit.ask("limit") | self.limit.ask("bandwidth")
            self.measured.machine = msgspec.convert(found, Machine)
        except Failed as error:
            self.measured.failed = f"no floor: {error}"

    def _running(self) -> list[tuple[str, Process]]:
        return list(self.processes.items())

    def _attempt(self, name: str, do: Callable[[], Any]) -> Any:
        """What ``do`` returns; a subject that fails takes no further part, and its result says why.

        A JSON answer is never None.
        """
        try:
            return do()
        except Failed as error:
            self.processes.pop(name)
            self.results[name].status, self.results[name].why = "failed", str(error)
            for samples in self.measured.samples.values():
                samples.pop(name, None)
        return None

    def _warm(self, name: str, task: str) -> None:
        """Compiles a subject's task, alone on the machine: how long that takes is reported."""
        arguments = {"task": task, "seconds": self.plan.seconds}
        self.advance(f"{SUBJECTS[name].title}: compile", 0.25 / len(self.processes))
        warm = self._attempt(name, lambda: self.processes[name].ask("warm", **arguments))
        if warm is not None:
            self.results[name].compile_seconds[task] = warm["compile_seconds"]
            self.results[name].steps[task] = warm["steps"]

    def _check(self) -> None:
        """All are checked side by side, while their weights are fresh."""
        for process in self.processes.values():
            process.send("check", rows=self.plan.checked)
        for name, process in self._running():
            self._attempt(name, lambda name=name, process=process: self._agrees(name, process))

    def _agrees(self, name: str, process: Process) -> None:
        errors = msgspec.convert(process.receive(), Errors)
        self.results[name].errors = errors
        for part, allowed in TOLERANCE.items():
            if not getattr(errors, part) <= allowed:
                error = getattr(errors, part)
                raise Failed(f"{part} differ from the reference by {error:.1e}")

    def _sample(self) -> None:
        """Per task, the raw samples of every process in seconds per step, taken in turns."""
        turns = len(TASKS) * self.plan.rounds * (len(self.processes) + 1)
        for task, title in TASKS.items():
            subjects = {name: self._sampler(name, task) for name in self.processes}
            if self.measured.machine is not None:
                subjects["limit"] = lambda task=task: self.limit.ask("bound", task=task)
            doing = f"{title}, in turns"
            taken = clock.interleave(
                subjects, self.plan.rounds, lambda doing=doing: self.advance(doing, 0.5 / turns)
            )
            self.measured.limits[task] = msgspec.convert(taken.pop("limit", []), list[Sample])
            self.measured.samples[task] = {
                name: samples for name, samples in taken.items() if name in self.processes
            }

    def _sampler(self, name: str, task: str) -> Callable[[], float | None]:
        def sample():
            if name not in self.processes:  # it failed in an earlier round
                return None
            process, steps = self.processes[name], self.results[name].steps[task]
            taken = self._attempt(name, lambda: process.ask("sample", task=task, steps=steps))
            return taken and taken["seconds"]

        return sample

    def _conclude(self) -> None:
        """What is asked for after the last sample."""
        for name, process in self._running():
            memory = self._attempt(name, lambda process=process: process.ask("memory"))
            if memory is not None:
                self.results[name].memory = msgspec.convert(memory, Memory)
        if self.measured.machine is not None:
            self.measured.floor = {
                task: floor(self.case, task, samples, self.measured.machine)
                for task, samples in self.measured.limits.items()
            }
        if "rnnsent" in self.processes:
            self._attempt("rnnsent", lambda: self._inspect(self.processes["rnnsent"]))

    def _inspect(self, process: Process) -> None:
        self.measured.counts = msgspec.convert(process.ask("counts"), Counts)
        for do, place in (("trace", self.plan.trace), ("hlo", self.plan.hlo)):
            if place is not None:
                place.parent.mkdir(parents=True, exist_ok=True)
                process.ask(do, path=str(place))
