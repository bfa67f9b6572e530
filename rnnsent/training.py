"""Training as pure functions over one state: a step, a stretch of steps, a run.

A stretch of steps is one dispatch to the devices: the data lives there, each device takes its
share of every batch's rows, in micro-batches that fit its cache, and the gradients are summed.
The result does not depend on the number of devices or the micro-batch beyond float rounding:
losses are weighted sums over rows, and dropout is drawn per row of the whole batch.
"""

import dataclasses
import functools
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from rnnsent.cells import Array
from rnnsent.data import pack_rows
from rnnsent.devices import ROWS, mesh
from rnnsent.model import ModelConfig, SentimentClassifier, init

STEPS_PER_DISPATCH = 7
"""About how many training steps go to the devices at once: enough to hide the dispatch, few enough
for the progress to move."""


class TrainState(struct.PyTreeNode):
    """All that changes in training, and the key that everything random follows from.

    Attributes:
      step: int32 scalar, optimizer steps taken.
      params: the model's parameters.
      opt_state: the optimizer's.
      key: the run's PRNG key; never changes.
    """

    step: Array
    params: Any
    opt_state: Any
    key: Array


class Totals(NamedTuple):
    """Weighted sums over reviews, divided once, by ``weight``."""

    loss: Array
    correct: Array
    weight: Array

    @classmethod
    def zero(cls) -> "Totals":
        return cls(*(jnp.zeros(()),) * 3)


@dataclasses.dataclass(frozen=True)
class Progress:
    """What a running epoch has come to.

    Attributes:
      epoch: its number, from 1, of ``epochs``.
      step: steps done, of ``steps``.
      loss: mean over the rows so far, in nats, with dropout on.
      accuracy: likewise, a share.
      rows: reviews so far.
      seconds: since the epoch began.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float
    rows: int
    seconds: float


def optimizer(learning_rate: float = 1e-3) -> optax.GradientTransformation:
    """Adam with the defaults and the epsilon of Keras (Kingma & Ba, 2015, end of section 2).

    Keras adds epsilon, 1e-7, to the root of the second moment before correcting its bias, optax
    afterwards. In optax's terms the same step has an epsilon that shrinks from 3.2e-6 to 1e-7, and
    the gradients of many embedding entries are that small.
    """

    def epsilon(step: Array) -> Array:
        return 1e-7 / jnp.sqrt(1 - 0.999 ** (step + 1.0))

    adam = optax.inject_hyperparams(optax.adam, static_args=("b1", "b2"))
    return adam(learning_rate, b1=0.9, b2=0.999, eps=epsilon)


def create_state(
    config: ModelConfig, optimizer: optax.GradientTransformation, seed: int
) -> TrainState:
    """The state before the first step; everything random in the run follows from ``seed``."""
    key = jax.random.key(seed)
    params = init(config, jax.random.fold_in(key, 0))
    return TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params), key)


def loss_sums(
    config: ModelConfig,
    params: Any,
    ids_BT: Array,
    label_B: Array,
    weight_B: Array,
    *,
    dropout_key: Array | None = None,
    rows_B: Array | None = None,
    implementation: str = "auto",
    workspace: Any = None,
) -> tuple[Array, Totals]:
    """Summed binary cross-entropy (in nats) of weighted rows, and the totals.

    Dropout is applied where a key is given; ``rows_B`` are the rows' numbers in the whole batch.
    Rows must be right-padded (:func:`rnnsent.data.pack_rows`).
    """
    train = dropout_key is not None
    logits_B = SentimentClassifier(config, implementation).apply(
        {"params": params},
        ids_BT,
        right_padded=True,
        train=train,
        rows_B=rows_B,
        workspace=workspace,
        rngs={"dropout": dropout_key} if train else None,
    )
    loss_B = optax.sigmoid_binary_cross_entropy(logits_B, label_B.astype(logits_B.dtype))
    correct_B = (logits_B > 0) == (label_B == 1)
    totals = Totals((loss_B * weight_B).sum(), (correct_B * weight_B).sum(), weight_B.sum())
    return totals.loss, totals


def gradients(
    config: ModelConfig,
    params: Any,
    ids_BT: Array,
    label_B: Array,
    weight_B: Array,
    *,
    dropout_key: Array,
    rows_B: Array,
    micro_batch: int,
    implementation: str = "auto",
    workspace: Any = None,
) -> tuple[Any, Totals, Any]:
    """Gradients of the summed loss, the totals and the workspace as it was used.

    One micro-batch of rows after another: rows of similar length go together, as a micro-batch
    takes as many steps as its longest row. ``B`` must be a multiple of ``micro_batch``. All use the
    same :func:`workspace`, or, without one, memory of their own.
    """
    by_length_B = jnp.argsort((ids_BT != 0).sum(1))

    def loss(params, workspace, rows):
        ids_bT, label_b, weight_b, rows_b = rows
        return loss_sums(
            config,
            params,
            ids_bT,
            label_b,
            weight_b,
            dropout_key=dropout_key,
            rows_B=rows_b,
            implementation=implementation,
            workspace=workspace,
        )

    def part(state, rows):
        sums, workspace = state
        used = jax.grad(loss, argnums=(0, 1), has_aux=True)(params, workspace, rows)
        (grads, workspace), totals = used
        return (jax.tree.map(jnp.add, sums, (grads, totals)), workspace), None

    batch = (ids_BT, label_B, weight_B, rows_B)
    micro = jax.tree.map(lambda a: a[by_length_B].reshape(-1, micro_batch, *a.shape[1:]), batch)
    zeros = (jax.tree.map(jnp.zeros_like, params), Totals.zero())
    ((grads, totals), workspace), _ = jax.lax.scan(part, (zeros, workspace), micro)
    return grads, totals, workspace


def workspace(
    config: ModelConfig, params: Any, maxlen: int, micro_batch: int, implementation: str = "auto"
) -> Any:
    """Memory that the backward passes of all micro-batches use in turn; see ``Recurrent``."""
    return SentimentClassifier(config, implementation).apply(
        {"params": params},
        jnp.zeros((micro_batch, maxlen), jnp.int32),
        train=True,
        rngs={"dropout": jax.random.key(0)},  # only shapes count
        method="workspace",
    )


def train_step(
    config: ModelConfig,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    ids_BT: Array,
    label_B: Array,
    weight_B: Array,
    *,
    micro_batch: int,
    axis: str | None = None,
    implementation: str = "auto",
    workspace: Any = None,
) -> tuple[TrainState, Totals, Any]:
    """One optimizer step on the mean loss of a batch.

    Args:
      config: of the model.
      optimizer: any optax transformation.
      state: before the step.
      ids_BT: int32 token ids, 0 = padding.
      label_B: int32, 1 = positive.
      weight_B: float32, 1 for a review and 0 for a row that only fills the batch.
      micro_batch: rows at a time; divides B.
      axis: name of the mesh axis over which each device holds B rows of a larger batch, in order.
      implementation: of the recurrence, see :func:`rnnsent.recurrence.scan`.
      workspace: from :func:`workspace` or the step before, or None.

    Returns:
      The next state, the batch's totals, and the workspace for the next step.
    """
    rows_B = jnp.arange(ids_BT.shape[0])
    if axis is not None:
        rows_B += jax.lax.axis_index(axis) * ids_BT.shape[0]
    dropout_key = jax.random.fold_in(jax.random.fold_in(state.key, 1), state.step)
    grads, totals, workspace = gradients(
        config,
        state.params,
        ids_BT,
        label_B,
        weight_B,
        dropout_key=dropout_key,
        rows_B=rows_B,
        micro_batch=micro_batch,
        implementation=implementation,
        workspace=workspace,
    )
    if axis is not None:
        grads, totals = jax.lax.psum((grads, totals), axis)
    grads = jax.tree.map(lambda g: g / totals.weight, grads)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    state = state.replace(step=state.step + 1, params=params, opt_state=opt_state)
    return state, totals, workspace


class Plan(NamedTuple):
    """How a batch is laid out: ``devices * parts * micro_batch`` rows, the last ones filling up."""

    batch_size: int
    devices: int
    parts: int
    micro_batch: int

    @property
    def rows(self) -> int:
        return self.devices * self.parts * self.micro_batch


def plan(batch_size: int, devices: int, micro_batch: int) -> Plan:
    """The layout with parts of at most ``micro_batch`` rows and the fewest filling rows."""
    share = -(-batch_size // devices)
    parts = -(-share // micro_batch)
    return Plan(batch_size, devices, parts, -(-share // parts))


def epoch_order(key: Array, epoch: Array, rows: int, layout: Plan) -> Array:
    """Row numbers (steps, B) of one epoch's batches, int32, reshuffled per epoch; -1 only fills."""
    steps = -(-rows // layout.batch_size)
    shuffled_N = jax.random.permutation(jax.random.fold_in(jax.random.fold_in(key, 2), epoch), rows)
    order = jnp.pad(
        shuffled_N.astype(jnp.int32), (0, steps * layout.batch_size - rows), constant_values=-1
    ).reshape(steps, layout.batch_size)
    return jnp.pad(order, ((0, 0), (0, layout.rows - layout.batch_size)), constant_values=-1)


def stretch(
    config: ModelConfig,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    ids_NT: Array,
    label_N: Array,
    order_SB: Array,
    start: Array,
    stop: Array,
    *,
    micro_batch: int,
    axis: str | None = None,
    implementation: str = "auto",
) -> tuple[TrainState, Totals]:
    """The steps ``order_SB[start:stop]`` one after another; options as in :func:`train_step`."""

    def one(index, carried):
        state, totals, room = carried
        rows_B = order_SB[index]
        batch = ids_NT[rows_B], label_N[rows_B], (rows_B >= 0).astype(jnp.float32)
        options = {"micro_batch": micro_batch, "axis": axis, "implementation": implementation}
        state, new, room = train_step(config, optimizer, state, *batch, workspace=room, **options)
        return state, jax.tree.map(jnp.add, totals, new), room

    room = workspace(config, state.params, ids_NT.shape[1], micro_batch, implementation)
    state, totals, _ = jax.lax.fori_loop(start, stop, one, (state, Totals.zero(), room))
    return state, totals


@functools.partial(
    jax.jit, static_argnames=("config", "optimizer", "layout", "devices"), donate_argnames="state"
)
def train_steps(
    state: TrainState,
    ids_NT: Array,
    label_N: Array,
    order_SB: Array,
    start: Array,
    stop: Array,
    *,
    config: ModelConfig,
    optimizer: optax.GradientTransformation,
    layout: Plan,
    devices: Mesh,
) -> tuple[TrainState, Totals]:
    """The steps ``order_SB[start:stop]`` as one dispatch.

    The bounds are known only when it runs, so one compilation serves every stretch. ``state`` is
    donated; all arguments live on every device.
    """

    return jax.shard_map(
        functools.partial(stretch, config, optimizer, micro_batch=layout.micro_batch, axis=ROWS),
        mesh=devices,
        in_specs=(P(), P(), P(), P(None, ROWS), P(), P()),
        out_specs=P(),
        check_vma=False,
    )(state, ids_NT, label_N, order_SB, start, stop)


def default_micro_batch(config: ModelConfig) -> int:
    """Rows at a time: an accelerator wants the whole batch, a CPU core works from its cache.

    There, as many as keep the widest layer's pre-activations within 256 KiB, but no fewer than 128,
    below which the products lose speed.
    """
    if jax.default_backend() != "cpu":
        return 1 << 30
    params = jax.eval_shape(lambda: init(config, jax.random.key(0)))
    layers = [layer for name, layer in params.items() if name.startswith("layer_")]
    return max(128, (1 << 16) // max(a.shape[-1] for a in jax.tree.leaves(layers)))


def fit(
    config: ModelConfig,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    ids_NT: np.ndarray,
    label_N: np.ndarray,
    *,
    epochs: int,
    batch_size: int = 512,
    micro_batch: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> tuple[TrainState, list[Progress]]:
    """Trains for some epochs over all rows, each epoch in a new order; no row is dropped.

    Args:
      config: of the model.
      optimizer: the one ``state`` was created with.
      state: where to start from; it is consumed (donated). A trained state goes on where it ended.
      ids_NT: int32 token ids, 0 = padding.
      label_N: int32, 1 = positive.
      epochs: how many more.
      batch_size: rows in a step; the last step of an epoch takes what is left, as Keras does.
      micro_batch: rows a device works on at a time; by default what suits the backend.
      progress: called every few steps.

    Returns:
      The state after the last step and, per epoch, the progress at its end. An epoch whose loss is
      not finite is the last one.
    """
    devices = mesh()
    layout = plan(batch_size, devices.size, micro_batch or default_micro_batch(config))
    rows, steps = len(label_N), -(-len(label_N) // batch_size)
    arrays = state, pack_rows(ids_NT), label_N
    state, ids_NT, label_N = jax.device_put(arrays, NamedSharding(devices, P()))
    dispatch = functools.partial(
        train_steps, config=config, optimizer=optimizer, layout=layout, devices=devices
    )

    def order(state, epoch):
        return epoch_order(state.key, epoch, rows, layout)

    def advance(state, order_SB, start, stop):
        return dispatch(state, ids_NT, label_N, order_SB, start, stop)

    epoch = int(state.step) // steps
    state, history = run_epochs(
        order, advance, state, range(epoch, epoch + epochs), steps, progress
    )
    return state, [each[0] for each in history]


def run_epochs(
    order: Callable,
    advance: Callable,
    state: Any,
    epochs: range,
    steps: int,
    progress: Callable | None,
) -> tuple[Any, list[list[Progress]]]:
    """Runs epochs of some steps each, reporting progress.

    Every epoch takes one ``order(state, epoch)``, which ``advance(state, order, start, stop)``
    trains on stretch by stretch. An epoch in which no seed's loss is finite is the last one, for no
    later step brings it back.

    Returns:
      The state after the last step and, per epoch, the progress of every seed at its end.
    """
    history = []
    for epoch in epochs:
        meter = _Meter(epoch + 1, epochs.stop, steps, progress)
        taken = order(state, epoch)
        for start in range(0, steps, STEPS_PER_DISPATCH):
            stop = min(start + STEPS_PER_DISPATCH, steps)
            state, totals = advance(state, taken, start, stop)
            meter.add(stop, totals)
        history.append(meter.end())
        if not any(math.isfinite(now.loss) for now in history[-1]):
            break
    return state, history


class _Meter:
    """Running means of one epoch, read one stretch late so that the devices never wait for us."""

    def __init__(self, epoch, epochs, steps, progress):
        self.at = {"epoch": epoch, "epochs": epochs, "steps": steps}
        self.progress = progress
        self.started = time.perf_counter()
        self.sums = Totals(0, 0, 0)
        self.pending = None

    def add(self, step: int, totals: Totals) -> None:
        if self.pending:
            self._read()
        self.pending = (step, totals)

    def end(self) -> list[Progress]:
        self._read()
        return [self._now(each) for each in zip(*self.sums, strict=True)]

    def _read(self) -> None:
        step, totals = self.pending
        new = [np.atleast_1d(np.asarray(total, float)) for total in totals]  # waits for the devices
        self.sums = Totals(*(old + each for old, each in zip(self.sums, new, strict=True)))
        self.at |= {"step": step, "seconds": time.perf_counter() - self.started}
        if self.progress:
            self.progress(self._now([each.sum() for each in self.sums]))

    def _now(self, sums) -> Progress:
        loss, correct, weight = map(float, sums)
        return Progress(**self.at, loss=loss / weight, accuracy=correct / weight, rows=int(weight))


@functools.partial(jax.jit, static_argnames=("config", "devices"))
def _logits(params, ids_BT: Array, *, config: ModelConfig, devices: Mesh) -> Array:
    def forward(params, ids_bT):
        model = SentimentClassifier(config, "auto")
        return model.apply({"params": params}, ids_bT, right_padded=True)

    return jax.shard_map(
        forward, mesh=devices, in_specs=(P(), P(ROWS)), out_specs=P(ROWS), check_vma=False
    )(params, ids_BT)


def predict(
    config: ModelConfig, params: Any, ids_NT: np.ndarray, *, batch_size: int = 512
) -> np.ndarray:
    """Logits (N,), float32, of every row, whatever its padding.

    Rows of similar length are read together; the last batch is filled up, so that one compilation
    serves.
    """
    devices = mesh()
    rows = -(-min(batch_size, max(len(ids_NT), 1)) // devices.size) * devices.size
    params = jax.device_put(params, NamedSharding(devices, P()))
    ids_NT = pack_rows(ids_NT)
    by_length_N = np.argsort((ids_NT != 0).sum(1), kind="stable")
    logits_N = np.zeros(len(ids_NT), np.float32)
    for start in range(0, len(ids_NT), rows):
        rows_b = by_length_N[start : start + rows]
        filled = np.pad(ids_NT[rows_b], ((0, rows - len(rows_b)), (0, 0)))
        logits_N[rows_b] = _logits(params, filled, config=config, devices=devices)[: len(rows_b)]
    return logits_N
