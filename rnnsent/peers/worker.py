"""One subject in a process of its own: ``python -m rnnsent.peers.worker NAME FOLDER``.

It reads one JSON request per line from stdin and answers each with one JSON line on stdout.
``FOLDER`` holds ``case.json``, ``rows.npz``, and once the subject "reference" ran, ``params.npz``
and ``reference.npz``.
"""

import dataclasses
import importlib.metadata
import json
import os
import pathlib
import sys
import time
from typing import Any

import numpy as np

from rnnsent import devices, timing
from rnnsent.peers.case import SUBJECTS, Case, build


def flatten(tree: dict) -> dict[str, np.ndarray]:
    """Parameters or gradients as ``layer/name``."""
    return {f"{layer}/{name}": a for layer, part in tree.items() for name, a in part.items()}


def unflatten(flat: dict[str, np.ndarray]) -> dict:
    """The inverse of :func:`flatten`."""
    tree = {}
    for path, a in flat.items():
        layer, name = path.split("/")
        tree.setdefault(layer, {})[name] = a
    return tree


def differences(
    logits_B: np.ndarray, grads: dict, exact: dict[str, np.ndarray]
) -> dict[str, float]:
    """Largest difference of the logits, and of a gradient leaf as a share of its largest entry."""
    leaves = {
        path: float(np.abs(a - exact[path]).max() / np.abs(exact[path]).max())
        for path, a in flatten(grads).items()
    }
    return {
        "logits": float(np.abs(logits_B - exact["logits"]).max()),
        "gradients": max(leaves.values()),
        "worst_leaf": max(leaves, key=leaves.get),
    }
