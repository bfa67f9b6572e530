"""Training as pure functions over one state: a step, and some steps as one program.

``train_steps`` is what a run dispatches; each step is a ``train_step``, which sums ``gradients``
over micro-batches that fit a core's cache; each of those is the model's pass over time. The data
lives on the devices. Trainings of several seeds are one program over a mesh of (seeds x rows): a
device has whole trainings, or its share of every batch's rows.

The losses are weighted sums over rows, and dropout is drawn per row of the whole batch, so a
gradient is the same for any number of devices and any micro-batch but for rounding. Rounding can
turn a training's path all the same: the accuracies of one seed belong to one machine.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from rnnsent.arrays import Array
from rnnsent.devices import ROWS, SEEDS
from rnnsent.epochs import Totals
from rnnsent.layout import Batch, Plan, Rows
from rnnsent.model import SentimentClassifier, init

INITIAL, DROPOUT, ORDER = range(3)
"""The streams of randomness that a training draws from its seed's key."""


class TrainState(struct.PyTreeNode):
    """All that changes in training, and the key that everything random follows from.

    Attributes:
      step: int32 scalar, optimizer steps taken.
      epoch: int32 scalar, epochs behind it; they number the orders of the rows.
      params: the model's parameters.
      opt_state: the optimizer's.
      key: the run's PRNG key; never changes.
      scratch: memory that one backward pass hands on to the next, or None; see
        :class:`rnnsent.layers.Recurrent`. No result depends on it.
    """

    step: Array
    epoch: Array
    params: Any
    opt_state: Any
    key: Array
    scratch: Any = None


def create_state(
    model: SentimentClassifier, optimizer: optax.GradientTransformation, seed: int
) -> TrainState:
    """The state before the first step; everything random in the run follows from ``seed``."""
    key = jax.random.key(seed)
    params = init(model, jax.random.fold_in(key, INITIAL))
    step, epoch = (jnp.zeros((), jnp.int32) for _ in range(2))  # each may be donated
    return TrainState(step, epoch, params, optimizer.init(params), key)


def loss_sums(
    model: SentimentClassifier, variables: Any, batch: Batch, dropout_key: Array | None = None
) -> tuple[Array, Totals]:
    """Summed binary cross-entropy (in nats) of weighted rows, and the totals.

    ``variables`` are the model's, ``{"params": …}``; dropout is applied where a key is given.
    """
    train = dropout_key is not None
    logits_B: Array = model.apply(  # type: ignore[assignment]  # nothing is mutable here
        variables,
        batch.ids_BT,
        batch.length_B,
        train=train,
        rows_B=batch.rows_B,
        rngs=None if dropout_key is None else {"dropout": dropout_key},
    )
    loss_B = optax.sigmoid_binary_cross_entropy(logits_B, batch.label_B.astype(logits_B.dtype))
    correct_B = (logits_B > 0) == (batch.label_B == 1)
    weight_B = batch.weight_B
    totals = Totals((loss_B * weight_B).sum(), (correct_B * weight_B).sum(), weight_B.sum())
    return totals.loss, totals


def gradients(
    model: SentimentClassifier,
    variables: Any,
    batch: Batch,
    dropout_key: Array,
    micro_batch: int | None = None,
) -> tuple[Any, Totals]:
    """Gradients of the summed loss, a tree like ``variables``, and the totals.

    One micro-batch of rows after another: rows of similar length go together, as a micro-batch
    takes as many steps as its longest row. ``B`` must be a multiple of ``micro_batch``, which is B
    where None. In the place of a gradient of ``scratch`` stands that memory, as last used.
    """
    by_length_B = jnp.argsort(batch.length_B)
    size = micro_batch or len(batch.label_B)
    parts = jax.tree.map(lambda a: a[by_length_B].reshape(-1, size, *a.shape[1:]), batch)
    gradient = jax.grad(functools.partial(loss_sums, model), has_aux=True)

    def add(sums, part):
        sums, scratch = sums
        grads, totals = gradient(variables | scratch, part, dropout_key)
        scratch = {name: grads[name] for name in scratch}
        return (jax.tree.map(jnp.add, sums, (grads["params"], totals)), scratch), None

    zeros = jax.tree.map(jnp.zeros_like, variables["params"]), Totals.zero()
    scratch = {name: variables[name] for name in variables if name != "params"}
    ((grads, totals), scratch), _ = jax.lax.scan(add, (zeros, scratch), parts)
    return {"params": grads} | scratch, totals


def train_step(
    model: SentimentClassifier,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    batch: Batch,
    *,
    micro_batch: int | None = None,
    axis: str | None = None,
) -> tuple[TrainState, Totals]:
    """One optimizer step on the mean loss of a batch.

    Args:
      model: holds the implementation of its recurrence.
      optimizer: any optax transformation.
      state: before the step.
      batch: the rows.
      micro_batch: rows at a time; divides B; all where None.
      axis: name of the mesh axis over which each device holds B rows of a larger batch, in order.

    Returns:
      The next state and the whole batch's totals.
    """
    dropout_key = jax.random.fold_in(jax.random.fold_in(state.key, DROPOUT), state.step)
    variables = {"params": state.params} | (state.scratch or {})
    grads, totals = gradients(model, variables, batch, dropout_key, micro_batch)
    scratch = None if state.scratch is None else {name: grads[name] for name in state.scratch}
    mean = grads["params"]
    if axis is not None:
        mean, totals = jax.lax.psum((mean, totals), axis)
    mean = jax.tree.map(lambda g: g / totals.weight, mean)
    updates, opt_state = optimizer.update(mean, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    state = state.replace(step=state.step + 1, params=params, opt_state=opt_state, scratch=scratch)
    return state, totals


def scratch(model: SentimentClassifier, params: Any, batch: Batch) -> Any:
    """Memory for the backward passes over batches of this shape, or None where it has no use."""

    def made(params):
        rngs = {"dropout": jax.random.key(0)}  # only shapes count
        _, made = model.apply(
            {"params": params}, batch.ids_BT, train=True, rngs=rngs, mutable=["scratch"]
        )
        return made

    shapes = jax.eval_shape(made, params)
    return jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), dict(shapes)) or None


def run_steps(
    model: SentimentClassifier,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    rows: Rows,
    order_KB: Array,
    span: tuple[Array, Array],
    layout: Plan,
) -> tuple[TrainState, Totals]:
    """The steps of ``span``, the first and the one after the last, each on rows ``order_KB[step]``.

    On a device of several ``order_KB`` is its share of each batch; see :func:`train_step`.
    """
    options: dict[str, Any] = {"micro_batch": layout.micro_batch, "axis": layout.axis}

    def body(index, carried):
        state, totals = carried
        batch = batch_of(rows, order_KB[index], layout.axis)
        state, new = train_step(model, optimizer, state, batch, **options)
        return state, jax.tree.map(jnp.add, totals, new)

    part = batch_of(rows, order_KB[0, : layout.micro_batch], layout.axis)
    state = state.replace(scratch=scratch(model, state.params, part))
    state, totals = jax.lax.fori_loop(*span, body, (state, Totals.zero()))
    return state.replace(scratch=None), totals


def batch_of(rows: Rows, order_B: Array, axis: str | None = None) -> Batch:
    """The rows of these numbers, (B,) int32; -1 takes the last review, at no weight.

    With ``axis`` they are this device's share of a batch, in the order of that mesh axis.
    """
    rows_B = jnp.arange(len(order_B))
    if axis is not None:
        rows_B += jax.lax.axis_index(axis) * len(order_B)
    ids_BT, length_B, label_B = (a[order_B] for a in rows)
    return Batch(ids_BT, length_B, label_B, (order_B >= 0).astype(jnp.float32), rows_B)


@functools.partial(
    jax.jit, static_argnames=("model", "optimizer", "layout", "devices"), donate_argnames="states"
)
def train_steps(
    states: TrainState,
    rows: Rows,
    order_SKB: Array,
    span: tuple[Array, Array],
    *,
    model: SentimentClassifier,
    optimizer: optax.GradientTransformation,
    layout: Plan,
    devices: Mesh,
) -> tuple[TrainState, Totals]:
    """Some steps of every training as one dispatch; one compilation serves all spans.

    Args:
      states: stacked along S; donated.
      rows: the reviews, on every device.
      order_SKB: int32, row numbers of each training's K batches; -1 only fills.
      span: the first step, and the one after the last.
      model: of all trainings.
      optimizer: the one the states were created with.
      layout: of a batch over the devices along ``ROWS``.
      devices: the mesh of (seeds x rows).

    Returns:
      The next states, and per training the totals of these steps, (S,).
    """

    def share(states, order_SKB, rows, span):
        def run(state_and_order):
            state, order_KB = state_and_order
            return run_steps(model, optimizer, state, rows, order_KB, span, layout)

        return _every(run, (states, order_SKB))

    return jax.shard_map(
        share,
        mesh=devices,
        in_specs=(P(SEEDS), P(SEEDS, None, ROWS), P(), P()),
        out_specs=P(SEEDS),
        check_vma=False,
    )(states, order_SKB, rows, span)


def _every(function: Callable, trees_S: Any) -> Any:
    """``function`` of each entry along S: on a CPU one after another, for one training fills a core
    and works from its cache; on an accelerator all in one vectorised step."""
    if len(jax.tree.leaves(trees_S)[0]) == 1:
        only = function(jax.tree.map(lambda a: a[0], trees_S))
        return jax.tree.map(lambda a: a[None], only)
    if jax.default_backend() == "cpu":
        return jax.lax.map(function, trees_S)
    return jax.vmap(function)(trees_S)
