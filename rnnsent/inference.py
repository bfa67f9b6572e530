"""Logits of many reviews."""

import functools
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from rnnsent.arrays import Array
from rnnsent.data import lengths, pack_rows
from rnnsent.devices import ROWS, SEEDS, local_mesh
from rnnsent.model import SentimentClassifier


def predict(
    model: SentimentClassifier, params: Any, ids_NT: np.ndarray, *, batch_size: int = 512
) -> np.ndarray:
    """Logits (N,), float32, of every row, whatever its padding.

    Rows of similar length are read together; the last batch is filled up, so that one compilation
    serves.

    Raises:
      ValueError: for ids that the model has not.
    """
    if ids_NT.size and not 0 <= ids_NT.min() <= ids_NT.max() < model.vocab_size:
        found = f"ids are {ids_NT.min()} to {ids_NT.max()}"
        raise ValueError(f"{found}, the model has 0 to {model.vocab_size - 1}")
    devices = local_mesh()
    rows = -(-min(batch_size, max(len(ids_NT), 1)) // devices.size) * devices.size
    params = jax.device_put(params, NamedSharding(devices, P()))
    ids_NT = pack_rows(ids_NT)
    by_length_N = np.argsort(lengths(ids_NT), kind="stable")
    logits_N = np.zeros(len(ids_NT), np.float32)
    for start in range(0, len(ids_NT), rows):
        rows_b = by_length_N[start : start + rows]
        filled = np.pad(ids_NT[rows_b], ((0, rows - len(rows_b)), (0, 0)))
        logits_b = _logits(params, filled, lengths(filled), model=model, devices=devices)
        logits_N[rows_b] = logits_b[: len(rows_b)]
    return logits_N


@functools.partial(jax.jit, static_argnames=("model", "devices"))
def _logits(
    params: Any, ids_BT: Array, length_B: Array, *, model: SentimentClassifier, devices: Mesh
) -> Array:
    def forward(params, ids_bT, length_b):
        return model.apply({"params": params}, ids_bT, length_b)

    return jax.shard_map(
        forward,
        mesh=devices,
        in_specs=(P(), P((SEEDS, ROWS)), P((SEEDS, ROWS))),
        out_specs=P((SEEDS, ROWS)),
        check_vma=False,
    )(params, ids_BT, length_B)
