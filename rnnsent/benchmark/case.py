"""What is measured, and the subjects that it is measured on."""

import dataclasses
import importlib
import importlib.util
from typing import Any, Protocol

import jax
import numpy as np

from rnnsent import recurrence
from rnnsent.cells import CLASSIC, find
from rnnsent.model import SentimentClassifier


@dataclasses.dataclass(frozen=True)
class Case:
    """One piece of work that every subject does.

    Attributes:
      model: the classifier, dropout included.
      batch: B, rows in a step.
      steps: T, steps of time in a row.
      masked: whether rows may hold padding (on the left, as the notebook has it). Without it all T
        steps are real and the peers are spared every mask; rnnsent masks all the same.
      seeds: models in training; a step is one of each of them, on B rows each. Only rnnsent's
        subjects take more than one.
    """

    model: SentimentClassifier
    batch: int = 512
    steps: int = 132
    masked: bool = False
    seeds: int = 1

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON has them, those of the model under ``model``."""
        content = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        names = {field.name for field in dataclasses.fields(self.model)} - {"parent", "name"}
        return content | {"model": {name: getattr(self.model, name) for name in sorted(names)}}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Case":
        fields = {name: _tuples(value) for name, value in content["model"].items()}
        return cls(**content | {"model": SentimentClassifier(**fields)})


def _tuples(value: Any) -> Any:
    """JSON's lists as the tuples they were."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


class Subject(Protocol):
    """One implementation, holding its weights and rows; every call returns when all is computed.

    A subject is built as ``subject(case, params, ids_NT, label_N)`` from rnnsent's parameters and
    N rows, a multiple of B. Batch after batch of them is used in turn.

    Attributes:
      setting: how it was configured, in a few words.

    A subject that compiles its train step ahead also has ``program``, what it compiled
    (``jax.stages.Compiled``); ``compile_seconds``, how long that took; and ``devices``, how many it
    runs on. Where they are missing, compiling is what the first call takes beyond a later one.
    """

    setting: str

    def reference(self, ids_BT: np.ndarray, label_B: np.ndarray) -> tuple[np.ndarray, dict]:
        """Logits (B,) and the mean loss's gradients in rnnsent's layout; dropout off."""

    def train(self, steps: int) -> None:
        """So many training steps: forward with dropout, backward, Adam."""

    def infer(self, steps: int) -> None:
        """Logits of so many batches, as NumPy arrays, dropout off."""


@dataclasses.dataclass(frozen=True)
class Spec:
    """How a subject is found and started.

    Attributes:
      title: for tables.
      factory: ``module:name`` below ``rnnsent.benchmark.subjects``.
      needs: importable modules it cannot do without.
      environment: variables its process starts with.
      options: more keyword arguments of the factory.
      difference: where its work is not quite rnnsent's.
      gpu: whether it runs on a GPU only.
      cells: the cells it has; None for all.
      ours: whether it is an implementation of rnnsent's.
    """

    title: str
    factory: str
    needs: tuple[str, ...] = ()
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    difference: str = ""
    gpu: bool = False
    cells: tuple[str, ...] | None = None
    ours: bool = False


PLAIN = "rnnsent-scan-stored"
"""Plain autodiff of the whole batch: what memory is compared with."""

_LESS = "no recurrent dropout (its layers have none): slightly less work"


def _variant(implementation: str) -> Spec:
    options: dict[str, Any] = {"implementation": implementation}
    title = f"rnnsent: {implementation}"
    if f"rnnsent-{implementation}" == PLAIN:
        options, title = options | {"whole": True}, "rnnsent: scan, plain autodiff"
    return Spec(title, "ours:Rnnsent", options=options, ours=True)


_VARIANTS = {
    f"rnnsent-{name}": _variant(name) for name in recurrence.IMPLEMENTATIONS if name != "auto"
}

SUBJECTS: dict[str, Spec] = {
    "rnnsent": Spec("rnnsent", "ours:Rnnsent", ours=True),
    "rnnsent-seeds": Spec(
        "rnnsent: seeds in one program", "ours:Rnnsent", options={"together": True}, ours=True
    ),
    **_VARIANTS,
    "flax": Spec("Flax nn.RNN", "flax_rnn:FlaxRNN", difference=_LESS),
    "keras-jax": Spec(
        "Keras on JAX",
        "keras_rnn:KerasRNN",
        ("keras",),
        {"KERAS_BACKEND": "jax"},
        cells=CLASSIC,
    ),
    "keras-tensorflow": Spec(
        "Keras on TensorFlow",
        "keras_rnn:KerasRNN",
        ("keras", "tensorflow"),
        {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"},
        difference="its Adam squares the parts of a repeated word's gradient before adding them",
        cells=CLASSIC,
    ),
    "torch": Spec(
        "PyTorch eager",
        "torch_rnn:TorchRNN",
        ("torch",),
        difference=_LESS,
        cells=CLASSIC,
    ),
    "torch-compile": Spec(
        "PyTorch torch.compile",
        "torch_rnn:TorchRNN",
        ("torch",),
        options={"compiled": True},
        difference=_LESS,
        cells=CLASSIC,
    ),
    "jax-cudnn": Spec(
        "jax.experimental.rnn (cuDNN)",
        "cudnn_rnn:CudnnLSTM",
        difference=_LESS,
        gpu=True,
        cells=("lstm",),
    ),
}
"""rnnsent, its implementations, and its peers, by the name that ``--subjects`` takes."""


def unavailable(name: str, case: Case) -> str:
    """Why a subject does not take part in a case on JAX's backend; empty where it does."""
    spec = SUBJECTS[name]
    if spec.gpu and jax.default_backend() != "gpu":
        return "needs a GPU"
    if spec.cells is not None and case.model.cell not in spec.cells:
        return f"has no {case.model.cell}"
    if gone := missing(name):
        return f"not installed: {', '.join(gone)}"
    implementation = spec.options.get("implementation")
    if implementation == "associative" and find(case.model.cell).affine is None:
        return f"needs a cell that is affine in its carry, which {case.model.cell} is not"
    whole = spec.options.get("whole")
    if implementation and not whole and implementation == case.model.chosen:
        return "the automatic choice on this machine, measured as rnnsent"
    return ""


def missing(name: str) -> list[str]:
    """The modules a subject needs that are not installed."""
    return [module for module in SUBJECTS[name].needs if importlib.util.find_spec(module) is None]


def build(name: str, case: Case, params: Any, ids_NT: np.ndarray, label_N: np.ndarray) -> Subject:
    """A subject ready to run; imports its library. Keras's backend must be set by then."""
    spec = SUBJECTS[name]
    place, factory = spec.factory.split(":")
    module = importlib.import_module(f"rnnsent.benchmark.subjects.{place}")
    return getattr(module, factory)(case, params, ids_NT, label_N, **spec.options)
