"""What is measured, and the subjects that it is measured on."""

import dataclasses
import importlib
import importlib.util
from typing import Any, Protocol

import jax
import numpy as np

from rnnsent import recurrence
from rnnsent.model import ModelConfig


@dataclasses.dataclass(frozen=True)
class Case:
    """One piece of work that every subject does.

    Attributes:
      config: of the model, dropout included.
      batch: B, rows in a step.
      steps: T, steps of time in a row.
      masked: whether rows may hold padding (on the left, as the notebook has it). Without it all T
        steps are real and the peers are spared every mask; rnnsent masks all the same.
      seeds: models in training; a step is one of each of them, on B rows each. Only rnnsent's
        subjects take more than one.
    """

    config: ModelConfig
    batch: int = 512
    steps: int = 132
    masked: bool = False
    seeds: int = 1

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Case":
        config = content["config"]
        config = ModelConfig(**config | {"features": tuple(config["features"])})
        return cls(**content | {"config": config})


class Subject(Protocol):
    """One implementation, holding its weights and rows; every call returns when all is computed.

    A subject is built as ``subject(case, params, ids_NT, label_N)`` from rnnsent's parameters and
    N rows, a multiple of B. Batch after batch of them is used in turn.

    Attributes:
      setting: how it was configured, in a few words.

    A subject that compiles its train step ahead also has ``program``, what it compiled
    (``jax.stages.Compiled``); ``compile_seconds``, how long that took; and ``devices``, how many it
    runs on. Where they are missing, compiling is what the first call takes beyond a later one.
    ``dispatched`` is true of one whose training steps are one program, with memory set up at its
    start that the later steps use again.
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
      factory: ``module:name`` below this package.
      needs: importable modules it cannot do without.
      environment: variables its process starts with.
      options: more keyword arguments of the factory.
      difference: where its work is not quite rnnsent's.
      gpu: whether it runs on a GPU only.
      cells: the cells it has; empty for all.
      ours: whether it is an implementation of rnnsent's.
    """

    title: str
    factory: str
    needs: tuple[str, ...] = ()
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    difference: str = ""
    gpu: bool = False
    cells: tuple[str, ...] = ()
    ours: bool = False


_LESS = "no recurrent dropout (its layers have none): slightly less work"


def _variant(title: str, implementation: str, recompute: bool = True, **more) -> Spec:
    options = {"implementation": implementation, "recompute": recompute}
    return Spec(f"rnnsent: {title}", "ours:Variant", options=options, ours=True, **more)


SUBJECTS: dict[str, Spec] = {
    "rnnsent": Spec("rnnsent", "ours:Rnnsent", ours=True),
    "rnnsent-seeds": Spec("rnnsent: seeds in one program", "ours:Seeds", ours=True),
    "rnnsent-packed": _variant("packed", "packed"),
    "rnnsent-scan": _variant("scan", "scan"),
    "rnnsent-stored": _variant("scan, plain autodiff", "scan", recompute=False),
    "rnnsent-cudnn": _variant("cuDNN", "cudnn", gpu=True, cells=("lstm",)),
    "flax": Spec("Flax nn.RNN", "flax_rnn:FlaxRNN", difference=_LESS),
    "keras-jax": Spec("Keras on JAX", "keras_rnn:KerasRNN", ("keras",), {"KERAS_BACKEND": "jax"}),
    "keras-tensorflow": Spec(
        "Keras on TensorFlow",
        "keras_rnn:KerasRNN",
        ("keras", "tensorflow"),
        {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"},
        difference="its Adam squares the parts of a repeated word's gradient before adding them",
    ),
    "torch": Spec("PyTorch eager", "torch_rnn:TorchRNN", ("torch",), difference=_LESS),
    "torch-compile": Spec(
        "PyTorch torch.compile",
        "torch_rnn:TorchRNN",
        ("torch",),
        options={"compiled": True},
        difference=_LESS,
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
    if gone := missing(name):
        return f"not installed: {', '.join(gone)}"
    if spec.cells and case.config.cell not in spec.cells:
        return f"has no {case.config.cell}"
    if spec.ours and spec.options:
        return _superfluous(**spec.options)
    return ""


def _superfluous(implementation: str, recompute: bool) -> str:
    if implementation not in recurrence.IMPLEMENTATIONS:
        return f"this version of rnnsent has no implementation {implementation!r}"
    if recompute and implementation == recurrence.resolve("auto"):
        return "the automatic choice on this machine, measured as rnnsent"
    return ""


def missing(name: str) -> list[str]:
    """The modules a subject needs that are not installed."""
    return [module for module in SUBJECTS[name].needs if importlib.util.find_spec(module) is None]


def build(name: str, case: Case, params: Any, ids_NT: np.ndarray, label_N: np.ndarray) -> Subject:
    """A subject ready to run; imports its library. Keras's backend must be set by then."""
    spec = SUBJECTS[name]
    module, factory = spec.factory.split(":")
    factory = getattr(importlib.import_module(f"rnnsent.peers.{module}"), factory)
    return factory(case, params, ids_NT, label_N, **spec.options)
