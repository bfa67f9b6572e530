"""Reviews as training takes them, and how an epoch's are laid out over batches and devices."""

from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from rnnsent import parameters
from rnnsent.arrays import Array, Held
from rnnsent.data import lengths, pack_rows
from rnnsent.devices import ROWS
from rnnsent.model import SentimentClassifier


class Labelled(Protocol):
    """What is trained on: ids (N, T), int32, 0 = padding; labels (N,), int32, 1 = positive."""

    @property
    def ids_NT(self) -> np.ndarray: ...

    @property
    def label_N(self) -> np.ndarray: ...


class Rows(NamedTuple):
    """Reviews: token ids (N, T) with the real ones first, int32; how many; 1 = positive."""

    ids_NT: Held
    length_N: Held
    label_N: Held

    @classmethod
    def of(cls, ids_NT: np.ndarray, label_N: np.ndarray) -> "Rows":
        """Rows of any padding; a masked step keeps the carry, so only the order of ids counts."""
        packed_NT = pack_rows(np.asarray(ids_NT))
        return cls(packed_NT, lengths(packed_NT), np.asarray(label_N))


class Batch(NamedTuple):
    """Rows of one step: ids (B, T), lengths, labels; weight 1, or 0 for a row that only fills the
    batch; and each row's number in the whole batch, of which this may be a part."""

    ids_BT: Held
    length_B: Held
    label_B: Held
    weight_B: Held
    rows_B: Held


class Plan(NamedTuple):
    """How a batch is laid out: ``devices * parts * micro_batch`` rows, the last ones filling up."""

    batch_size: int
    devices: int
    parts: int
    micro_batch: int

    @property
    def rows(self) -> int:
        return self.devices * self.parts * self.micro_batch

    @property
    def axis(self) -> str | None:
        """Name of the mesh axis over which each device has its share of a batch, in order."""
        return ROWS if self.devices > 1 else None


def plan(batch_size: int, devices: int, micro_batch: int | None) -> Plan:
    """The layout with parts of at most ``micro_batch`` rows and the fewest filling rows.

    Without a micro-batch a device takes its whole share at once.
    """
    share = -(-batch_size // devices)
    parts = -(-share // (micro_batch or share))
    return Plan(batch_size, devices, parts, -(-share // parts))


def default_micro_batch(model: SentimentClassifier) -> int | None:
    """Rows at a time: an accelerator wants the whole batch, a CPU core works from its cache.

    There, as many as keep the widest layer's pre-activations within 256 KiB, but no fewer than 128,
    below which the products lose speed.
    """
    if jax.default_backend() != "cpu":
        return None
    layers = parameters.recurrent(parameters.shapes(model))
    widths = [a.shape[-1] for a in jax.tree.leaves(layers) if a.ndim]
    return max(128, (1 << 16) // max(widths, default=1))


def epoch_order(key: Array, epoch: Array | int, rows: int, layout: Plan) -> Array:
    """Row numbers (K, B) of one epoch's batches, int32, reshuffled per epoch; -1 only fills."""
    batches = -(-rows // layout.batch_size)
    shuffled_N = jax.random.permutation(jax.random.fold_in(key, epoch), rows)
    filling = batches * layout.batch_size - rows
    order = jnp.pad(shuffled_N.astype(jnp.int32), (0, filling), constant_values=-1)
    order = order.reshape(batches, layout.batch_size)
    return jnp.pad(order, ((0, 0), (0, layout.rows - layout.batch_size)), constant_values=-1)
