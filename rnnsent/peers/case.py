"""What is measured, and the subjects that it is measured on."""

import dataclasses
import importlib
import importlib.util
from typing import Any, Protocol

import numpy as np

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
    """

    config: ModelConfig
    batch: int = 512
    steps: int = 132
    masked: bool = False

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
    """

    title: str
    factory: str
    needs: tuple[str, ...] = ()
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    difference: str = ""


_LESS = "no recurrent dropout (its layers have none): slightly less work"

SUBJECTS: dict[str, Spec] = {
    "rnnsent": Spec("rnnsent", "ours:Rnnsent"),
    "flax": Spec("Flax nn.RNN", "flax_rnn:FlaxRNN", difference=_LESS),
    "keras-jax": Spec("Keras on JAX", "keras_rnn:KerasRNN", ("keras",), {"KERAS_BACKEND": "jax"}),
    "keras-tensorflow": Spec(
        "Keras on TensorFlow",
        "keras_rnn:KerasRNN",
        ("keras", "tensorflow"),
        {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"},
    ),
    "torch": Spec("PyTorch eager", "torch_rnn:TorchRNN", ("torch",), difference=_LESS),
    "torch-compile": Spec(
        "PyTorch torch.compile",
        "torch_rnn:TorchRNN",
        ("torch",),
        options={"compiled": True},
        difference=_LESS,
    ),
}
"""rnnsent and its peers, by the name that ``--subjects`` takes."""


def missing(name: str) -> list[str]:
    """The modules a subject needs that are not installed."""
    return [module for module in SUBJECTS[name].needs if importlib.util.find_spec(module) is None]


def build(name: str, case: Case, params: Any, ids_NT: np.ndarray, label_N: np.ndarray) -> Subject:
    """A subject ready to run; imports its library. Keras's backend must be set by then."""
    spec = SUBJECTS[name]
    module, factory = spec.factory.split(":")
    factory = getattr(importlib.import_module(f"rnnsent.peers.{module}"), factory)
    return factory(case, params, ids_NT, label_N, **spec.options)
