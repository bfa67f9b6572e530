"""A run of training: epochs over all reviews, of several seeds as one program, that can be kept.

A few steps are dispatched at a time (:func:`rnnsent.training.train_steps`) and the data lives on
the devices. What a run comes to follows from its states alone: interrupted between two dispatches
and gone on with from there, it ends in the same bits.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from rnnsent.arrays import Array
from rnnsent.devices import ROWS, SEEDS, mesh
from rnnsent.epochs import Keeping, Position, Progress, run_epochs
from rnnsent.layout import Labelled, Plan, Rows, default_micro_batch, epoch_order, plan
from rnnsent.model import SentimentClassifier
from rnnsent.processes import own, spread
from rnnsent.training import ORDER, TrainState, train_steps

Ended = Callable[[list[TrainState], list[Progress]], Any]
"""What is told of every seed's state and progress as an epoch ends."""


def fit(
    model: SentimentClassifier,
    optimizer: optax.GradientTransformation,
    states: Sequence[TrainState],
    reviews: Labelled,
    *,
    epochs: int,
    batch_size: int = 512,
    micro_batch: int | None = None,
    progress: Callable[[list[Progress]], None] | None = None,
    keeping: Keeping | None = None,
) -> tuple[list[TrainState], list[list[Progress]]]:
    """Trains for some epochs over all rows, each epoch in a new order; no row is dropped.

    Before JAX is first used, ``rnnsent.devices.configure()`` makes this as fast on a CPU as it is
    from the scripts.

    Args:
      model: of all trainings.
      optimizer: the one the states were created with.
      states: where to start from, one per seed, all after the same number of epochs; they are
        copied. A trained state goes on where it ended.
      reviews: what to train on, a :class:`rnnsent.data.Split` or arrays of the same names.
      epochs: how many more.
      batch_size: rows in a step; the last step of an epoch takes what is left, as Keras does.
      micro_batch: rows a device works on at a time; by default what suits the backend.
      progress: called every few steps, and as an epoch ends, with every seed's.
      keeping: what saves the states of every seed as they train, and where within an epoch they
        stand; that epoch is one of ``epochs``.

    Returns:
      Per seed the state after the last step and, per epoch, the progress at its end. An epoch in
      which no seed's loss is finite is the last one.

    Raises:
      ValueError: for no states, or states after different numbers of epochs.
    """
    if len({int(state.epoch) for state in states}) != 1:
        raise ValueError("the states must be one or more, all after the same number of epochs")
    devices, count = mesh(len(states)), len(reviews.label_N)
    layout = plan(batch_size, devices.shape[ROWS], micro_batch or default_micro_batch(model))
    stacked, rows = placed(states, reviews, devices)
    dispatch = functools.partial(
        train_steps, model=model, optimizer=optimizer, layout=layout, devices=devices
    )

    def order(stacked, epoch):
        return orders(stacked.key, epoch, count, layout)

    def advance(stacked, order_SKB, start, stop):
        stacked, totals = dispatch(stacked, rows, order_SKB, (start, stop))
        return stacked, own(totals)

    first, steps = int(states[0].epoch), -(-count // batch_size)
    kept = keeping and _of_each(keeping, len(states))
    ahead = range(first, first + epochs)
    stacked, history = run_epochs(order, advance, stacked, ahead, steps, progress, kept)
    stacked = stacked.replace(epoch=stacked.epoch + len(history))
    of_seeds = [[epoch[i] for epoch in history] for i in range(len(states))]
    return unstack(own(stacked), len(states)), of_seeds


def placed(
    states: Sequence[TrainState], reviews: Labelled, devices: Mesh
) -> tuple[TrainState, Rows]:
    """The states along a leading axis S, and the reviews, on the devices of a mesh."""
    rows = Rows.of(reviews.ids_NT, reviews.label_N)
    stacked = spread(stack(states), NamedSharding(devices, P(SEEDS)))
    return stacked, spread(rows, NamedSharding(devices, P()))


def _of_each(keeping: Keeping, count: int) -> Keeping:
    """The same of stacked states: it is given every seed's by itself, as before its next step."""

    def states(stacked: Any, epoch: int) -> list[TrainState]:
        stacked = own(stacked)
        return unstack(stacked.replace(epoch=jnp.full_like(stacked.epoch, epoch)), count)

    def at(given: Callable[[list[TrainState], Position], Any]) -> Callable[[Any, Position], None]:
        return lambda stacked, at: given(states(stacked, at.epoch), at)

    def of(given: Ended) -> Callable[[Any, list[Progress]], None]:
        return lambda stacked, now: given(states(stacked, now[0].epoch), now)

    begin, ended = keeping.begin, keeping.ended
    return dataclasses.replace(
        keeping, save=at(keeping.save), begin=begin and at(begin), ended=ended and of(ended)
    )


@jax.jit
def stack(states: Sequence[TrainState]) -> TrainState:
    """States along a leading axis S; one program, where each array by itself would be one."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)


@functools.partial(jax.jit, static_argnames="count")
def unstack(states: TrainState, count: int) -> list[TrainState]:
    """The opposite of :func:`stack`."""
    return [jax.tree.map(lambda leaf, i=i: leaf[i], states) for i in range(count)]


@functools.partial(jax.jit, static_argnames=("count", "layout"))
def orders(key_S: Array, epoch: int, count: int, layout: Plan) -> Array:
    """Row numbers (S, K, B), int32, of an epoch's batches of each training, by their keys."""

    def order(key):
        return epoch_order(jax.random.fold_in(key, ORDER), epoch, count, layout)

    return jax.vmap(order)(key_S)
