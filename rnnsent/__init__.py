"""SimpleRNN against LSTM on IMDB reviews, and any other recurrent cell, in pure-functional JAX.

    from rnnsent import load, create_state, fit, predict, recipes

The public names, imported when they are first used; ``cells.Cell`` is the base of a new cell.
"""

import importlib
from typing import Any

__version__ = "0.2.0"

_HOMES = {
    "Cell": "cells",
    "Encoding": "data",
    "Recipe": "recipes",
    "Recurrent": "layers",
    "SentimentClassifier": "model",
    "accuracy": "evaluation",
    "adam": "optimizers",
    "configure": "devices",
    "create_state": "training",
    "fit": "fitting",
    "init": "model",
    "load": "data",
    "predict": "inference",
    "scan": "recurrence",
    "train_step": "training",
    "trajectory": "analysis",
}
_MODULES = ("analysis", "cells", "data", "evaluation", "exported", "recipes", "streaming")

__all__ = sorted((*_HOMES, *_MODULES, "__version__"))


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"rnnsent.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(f"rnnsent.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rnnsent' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
