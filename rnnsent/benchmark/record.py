"""What ``benchmark.json`` holds, typed: written by a measurement, read back for its pages."""

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from rnnsent.runs import records


class Sample(msgspec.Struct, forbid_unknown_fields=True):
    """Seconds of a step's matrix products, and of its tanh and sigmoid, at the machine's limit."""

    products: float
    elements: float


class Machine(msgspec.Struct, forbid_unknown_fields=True):
    """The machine on a case.

    Attributes:
      cores: XLA devices that the limit ran on.
      rows: of the matrix products on each.
      steps: of time that are real in a row, the mean.
      bytes_per_second: of memory, read and written.
    """

    cores: int
    rows: int
    steps: float
    bytes_per_second: float


class Floor(msgspec.Struct, forbid_unknown_fields=True):
    """The least time of a step in seconds, its parts, and the counts and rates they follow from.

    A rate is None where there is nothing to do at it.
    """

    seconds: float
    products: float
    elements: float
    memory: float
    flops: float
    bytes: float
    flops_per_second: float | None
    elements_per_second: float | None
    bytes_per_second: float


class Errors(msgspec.Struct, forbid_unknown_fields=True):
    """Largest differences from the float64 reference: of a logit, and of a gradient leaf as a share
    of its largest entry."""

    logits: float
    gradients: float
    worst_leaf: str


class Memory(msgspec.Struct, forbid_unknown_fields=True):
    """Bytes: the process's peak, and what XLA sets aside for a training step; None if unknown."""

    resident: int | None = None
    temporary: int | None = None


class Result(msgspec.Struct, forbid_unknown_fields=True):
    """A subject on a case; the dicts are by task, "train" or "infer"."""

    status: Literal["measured", "skipped", "failed"]
    why: str = ""
    setting: str = ""
    versions: dict[str, str] = {}
    compile_seconds: dict[str, float] = {}
    steps: dict[str, int] = {}
    errors: Errors | None = None
    memory: Memory = msgspec.field(default_factory=Memory)


class Operations(msgspec.Struct, forbid_unknown_fields=True):
    """FLOP of matrix products, and elements of tanh and sigmoid."""

    flops: float
    transcendentals: float


class Counts(msgspec.Struct, forbid_unknown_fields=True):
    """Of rnnsent's own step: operations ("forward", "gradient"), and steps of time that a
    micro-batch runs ("train", "infer") beside those that are real in a row ("real")."""

    operations: dict[Literal["forward", "gradient"], Operations]
    steps_run: dict[Literal["train", "infer", "real"], float]

    def __post_init__(self) -> None:
        if len(self.operations) < 2 or len(self.steps_run) < 3:
            raise ValueError("a count is missing")


class Work(msgspec.Struct, forbid_unknown_fields=True):
    """A :class:`rnnsent.benchmark.Case`; ``model`` has the fields of the classifier."""

    model: dict[str, Any]
    batch: int
    steps: int
    masked: bool
    seeds: int

    @property
    def cell(self) -> str:
        return str(self.model.get("cell"))


class Measured(msgspec.Struct, forbid_unknown_fields=True):
    """One case of a study.

    Attributes:
      study: its name.
      value: what was varied.
      label: for headings.
      case: the work.
      results: by subject.
      samples: by task and subject, seconds per step in the order they were taken.
      limits: by task, of the machine, in the same rounds.
      machine: None where it could not be measured.
      floor: by task; empty likewise.
      counts: None where rnnsent took no part.
      failed: why there is no reference or no limit; empty where there is.
    """

    study: str
    value: int | None
    label: str
    case: Work
    results: dict[str, Result] = {}
    samples: dict[str, dict[str, Annotated[list[float], Meta(min_length=1)]]] = {}
    limits: dict[str, list[Sample]] = {}
    machine: Machine | None = None
    floor: dict[str, Floor] = {}
    counts: Counts | None = None
    failed: str = ""

    def __post_init__(self) -> None:
        tasks = {"train", "infer"}
        if any(tasks - set(self.results[name].compile_seconds) for name in self.names()):
            raise ValueError("a subject has samples of a task and no time to compile it")
        if self.floor and tasks - set(self.floor):
            raise ValueError("the floor of a task is missing")

    @property
    def varied(self) -> int:
        """The value of a study that varies something; ``ValueError`` in another."""
        if self.value is None:
            raise ValueError(f"the study {self.study} varies nothing")
        return self.value

    def names(self) -> list[str]:
        """The subjects that have samples of every task."""
        sampled = [self.samples.get(task, {}) for task in ("train", "infer")]
        return [name for name in self.results if all(name in samples for samples in sampled)]

    def temporary_bytes(self, name: str) -> int | None:
        """What XLA sets aside for a subject's training step; None where it does not say."""
        return self.results[name].memory.temporary if name in self.results else None


class Settings(msgspec.Struct):
    """What a page says of how samples were taken."""

    rounds: int
    seconds: float


class Record(records.Record, frozen=True, kw_only=True):
    """A benchmark, to which each case is added as it has been measured."""

    FILE: ClassVar[str] = "benchmark.json"

    settings: Settings
    cases: list[Measured]


def failures(record: Record) -> list[str]:
    """A line per subject or case that failed: a comparison without it is not the one asked for."""
    subjects = [
        f"{name} failed on {case.label}: {result.why}"
        for case in record.cases
        for name, result in case.results.items()
        if result.status == "failed"
    ]
    nothing = [
        f"Nothing was measured on {case.label}: {'; '.join(one.why for one in found)}"
        for case in record.cases
        if (found := case.results.values()) and all(one.status == "skipped" for one in found)
    ]
    failed = [f"{case.label}: {case.failed}" for case in record.cases if case.failed]
    return subjects + nothing + failed
