"""The questions that a benchmark answers, each as cases that differ in one thing."""

import dataclasses
import math
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from rnnsent import cells, contract
from rnnsent.benchmark.case import PLAIN, SUBJECTS, Case
from rnnsent.benchmark.measure import Job, Plan
from rnnsent.data import Reviews
from rnnsent.errors import UserError
from rnnsent.model import SentimentClassifier
from rnnsent.recipes import SHIPPED

BATCH, STEPS = 512, 132
"""Of the notebook."""

NOTEBOOK = {
    recipe.cell: recipe for recipe in (SHIPPED["notebook-simple-rnn"], SHIPPED["notebook-lstm"])
}
"""Its two models by their cells."""

NOT_QUICK = (
    *(name for name, spec in SUBJECTS.items() if spec.ours and name != "rnnsent"),
    *("keras-jax", "torch-compile"),
)
"""Left out by --quick, which takes one subject of each library."""

_OTHERS = ("rnnsent-seeds", "rnnsent-scan-unrolled", "rnnsent-scan-kept")
"""Measured where they are named, and in studies of their own."""


@dataclasses.dataclass(frozen=True)
class Study:
    """A question, as the cases that answer it.

    Attributes:
      values: what is varied, a case for each; one None where nothing is.
      subjects: who takes part unless the user says.
      guest: whether a cell that is not the notebook's is measured too.
      rows: which rows it takes unless the user says: "real" or "full".
    """

    values: tuple[int | None, ...] = (None,)
    subjects: tuple[str, ...] = ("rnnsent", PLAIN, "flax", "torch")
    guest: bool = False
    rows: str = "full"


STUDIES = {
    "peers": Study(
        subjects=tuple(name for name in SUBJECTS if name not in _OTHERS), guest=True, rows="real"
    ),
    "implementations": Study(
        (132, 512),
        tuple(name for name, spec in SUBJECTS.items() if spec.ours and name != "rnnsent-seeds"),
        rows="real",
    ),
    "packing": Study((132, 512), ("rnnsent", "rnnsent-scan"), rows="real"),
    "steps": Study((33, 66, 132, 264, 528, 1056)),
    "batch": Study((32, 128, 512, 2048)),
    "features": Study((32, 64, 128, 256, 512)),
    "seeds": Study((1, 2, 4, 8), ("rnnsent", "rnnsent-seeds")),
}


@dataclasses.dataclass(frozen=True)
class Choice:
    """What is measured, and how long.

    Attributes:
      cells: names, see :func:`rnnsent.cells.find`; empty for the notebook's and a guest.
      subjects: who takes part; empty for what the study needs.
      rows: "real" (reviews as they are, padded), "full" (run together) or "auto".
      batch: rows in a step.
      steps: of time in a row.
      vocab_size: number of token ids.
      rounds: samples of each subject.
      seconds: about how long a sample is.
      quick: two short samples of few subjects.
      trace: folder for profiles of rnnsent's training step, or None.
      hlo: folder for its compiled program, or None.

    Raises:
      UserError: for what cannot be measured.
    """

    cells: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    rows: str = "auto"
    batch: int = BATCH
    steps: int = STEPS
    vocab_size: int = 5000
    rounds: int = 10
    seconds: float = 0.4
    quick: bool = False
    trace: pathlib.Path | None = None
    hlo: pathlib.Path | None = None

    def __post_init__(self) -> None:
        for name in ("batch", "rounds"):
            if getattr(self, name) < 1:
                raise UserError(f"--{name} is {getattr(self, name)}, expected at least 1.")
        if not 0 < self.seconds < math.inf:
            raise UserError(f"--seconds is {self.seconds}, expected more than 0 and finite.")

    @property
    def taken(self) -> tuple[int, float]:
        """Rounds, and seconds of a sample."""
        return (2, 0.1) if self.quick else (self.rounds, self.seconds)


def check(studies: tuple[str, ...], choice: Choice) -> None:
    """Raises ``UserError`` for studies or cells that cannot be measured, before any work."""
    if not studies:
        raise UserError("Name at least one study.")
    if choice.rows == "full" and "packing" in studies:
        raise UserError("There is nothing to pack in full rows; leave out --rows full.")
    for name in choice.cells:
        cells.find(name)


def jobs(studies: tuple[str, ...], choice: Choice) -> list[Job]:
    """The cases of some studies; ``UserError`` for a cell that breaks its contract."""
    found = [job for study in studies for job in expand(study, choice)]
    for model in dict.fromkeys(job.case.model for job in found):
        contract.check(model)
    return found


def expand(study: str, choice: Choice) -> Iterator[Job]:
    """Every case of a study."""
    usual = ("lstm",) if choice.quick else (*NOTEBOOK, *(["gru"] if STUDIES[study].guest else []))
    rows = STUDIES[study].rows if choice.rows == "auto" else choice.rows
    for cell in choice.cells or usual:
        model = _classifier(cell, choice.vocab_size)
        case = Case(model, choice.batch, choice.steps, masked=rows == "real")
        for value in STUDIES[study].values:
            yield Job(study, value, _varied(case, study, value))


def _classifier(cell: str, vocab_size: int) -> SentimentClassifier:
    if cell in NOTEBOOK:
        return NOTEBOOK[cell].classifier(vocab_size)
    return SentimentClassifier(cell=cell, vocab_size=vocab_size)


def _varied(case: Case, study: str, value: int | None) -> Case:
    if value is None:
        return case
    if study == "features":
        model = case.model.clone(features=(value, max(value // 2, 1)))
        return dataclasses.replace(case, model=model)
    field = {"packing": "steps", "implementations": "steps"}.get(study, study)
    change: dict[str, Any] = {field: value}
    return dataclasses.replace(case, **change)


def plan(job: Job, choice: Choice) -> Plan:
    """How a case is measured."""
    # In a large case a few rows are enough; elsewhere a full batch spares its own compilation.
    large = job.case.batch * job.case.steps > BATCH * STEPS
    cell = job.case.model.cell.replace(":", ".")
    place = "-".join(str(part) for part in (job.study, job.value, cell) if part is not None)
    quick = choice.quick and not choice.subjects and job.study == "peers"
    return Plan(
        choice.subjects or STUDIES[job.study].subjects,
        *choice.taken,
        checked=min(job.case.batch, 64) if large else job.case.batch,
        left_out=dict.fromkeys(NOT_QUICK, "left out by --quick") if quick else {},
        trace=choice.trace and choice.trace / place,
        hlo=choice.hlo and choice.hlo / f"{place}.txt",
    )


def rows_for(case: Case, reviews: Reviews, load: Callable[[int], Reviews]) -> dict[str, np.ndarray]:
    """Distinct rows for eight batches; fewer where the reviews do not give as many.

    Args:
      case: the work.
      reviews: as they are.
      load: the same ones with rows of so many steps.
    """
    if case.masked and case.steps != reviews.train.ids_NT.shape[1]:
        reviews = load(case.steps)
    ids_NT, label_N = reviews.train.ids_NT, reviews.train.label_N
    if case.masked:
        real_N = (ids_NT != 0).any(1)
        ids_NT, label_N = ids_NT[real_N], label_N[real_N]
    else:
        stream = ids_NT[ids_NT != 0]
        ids_NT = stream[: len(stream) // case.steps * case.steps].reshape(-1, case.steps)
    batches = max(1, min(8, len(ids_NT) // case.batch))
    rows_N = np.arange(batches * case.batch)
    return {"ids_NT": ids_NT[rows_N % len(ids_NT)], "label_N": label_N[rows_N % len(label_N)]}
