"""Many trainings at once: the seeds of a model as one program, spread over the devices.

Each device trains whole seeds, several of them in one vectorised step where that is faster, and
needs no other device. Every seed goes through the same states as alone, within float rounding.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from rnnsent import training
from rnnsent.cells import Array
from rnnsent.data import pack_rows
from rnnsent.devices import ROWS, mesh
from rnnsent.model import ModelConfig
from rnnsent.training import Plan, Progress, Totals, TrainState


def stack(states: Sequence[TrainState], devices: int) -> TrainState:
    """States along a leading axis S, the last one repeated up to a multiple of ``devices``."""
    filled = [*states, *[states[-1]] * (-len(states) % devices)]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *filled)


def default_together(seeds: int) -> int:
    """Seeds in one vectorised step: all on an accelerator; one on a CPU core, which is filled by
    the products of one seed and works from its cache."""
    return 1 if jax.default_backend() == "cpu" else seeds


@functools.partial(
    jax.jit,
    static_argnames=("config", "optimizer", "layout", "together", "devices"),
    donate_argnames="states",
)
def train_steps(
    states: TrainState,
    ids_NT: Array,
    label_N: Array,
    order_SKB: Array,
    start: Array,
    stop: Array,
    *,
    config: ModelConfig,
    optimizer: optax.GradientTransformation,
    layout: Plan,
    together: int,
    devices: Mesh,
) -> tuple[TrainState, Totals]:
    """The steps ``start`` to ``stop`` of every seed as one dispatch.

    Args:
      states: stacked along S, a multiple of the devices; donated.
      ids_NT: int32 token ids, right-padded (:func:`rnnsent.data.pack_rows`).
      label_N: int32, 1 = positive.
      order_SKB: int32, row numbers of each seed's K batches; -1 only fills.
      start: first step.
      stop: the step after the last.
      config: of the model.
      optimizer: the one the states were created with.
      layout: of a batch on one device.
      together: seeds in one vectorised step.
      devices: over which the seeds are spread.

    Returns:
      The next states and per seed the totals of the stretch, (S,).
    """
    # Under vmap a loop whose length is found as it runs would select among all it has written.
    implementation = "auto" if together == 1 else "scan"

    def share(states, order_SKB, ids_NT, label_N, start, stop):
        def one(state_and_order):
            state, order_KB = state_and_order
            return training.stretch(
                config,
                optimizer,
                state,
                ids_NT,
                label_N,
                order_KB,
                start,
                stop,
                micro_batch=layout.micro_batch,
                implementation=implementation,
            )

        batch_size = None if together == 1 else together
        return jax.lax.map(one, (states, order_SKB), batch_size=batch_size)

    return jax.shard_map(
        share,
        mesh=devices,
        in_specs=(P(ROWS), P(ROWS), P(), P(), P(), P()),
        out_specs=P(ROWS),
        check_vma=False,
    )(states, order_SKB, ids_NT, label_N, start, stop)


def fit(
    config: ModelConfig,
    optimizer: optax.GradientTransformation,
    states: Sequence[TrainState],
    ids_NT: np.ndarray,
    label_N: np.ndarray,
    *,
    epochs: int,
    batch_size: int = 512,
    micro_batch: int | None = None,
    together: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> tuple[list[TrainState], list[list[Progress]]]:
    """Trains all seeds for some epochs; see :func:`rnnsent.training.fit`.

    Args:
      config: of the model.
      optimizer: the one the states were created with.
      states: where to start from, one per seed, all after the same number of steps.
      ids_NT: int32 token ids, 0 = padding.
      label_N: int32, 1 = positive.
      epochs: how many more.
      batch_size: rows in a step of one seed.
      micro_batch: rows of a seed that a device works on at a time.
      together: seeds in one vectorised step; by default what suits the backend.
      progress: called every few steps with the mean over the seeds.

    Returns:
      Per seed the state after the last step and, per epoch, the progress at its end; ``seconds``
      are those of all seeds. An epoch in which no seed's loss is finite is the last one.

    Raises:
      ValueError: for no states, or states after different numbers of steps.
    """
    if len({int(state.step) for state in states}) != 1:
        raise ValueError("the states must be one or more, all after the same number of steps")
    devices = mesh()
    layout = training.plan(batch_size, 1, micro_batch or training.default_micro_batch(config))
    rows, steps = len(label_N), -(-len(label_N) // batch_size)
    stacked = stack(states, devices.size)
    share = -(-len(states) // devices.size)
    dispatch = functools.partial(
        train_steps,
        config=config,
        optimizer=optimizer,
        layout=layout,
        together=min(together or default_together(share), share),
        devices=devices,
    )
    stacked = jax.device_put(stacked, NamedSharding(devices, P(ROWS)))
    arrays = pack_rows(ids_NT), label_N
    ids_NT, label_N = jax.device_put(arrays, NamedSharding(devices, P()))

    def orders(stacked, epoch):
        return _orders(stacked.key, epoch, rows, layout)

    def advance(stacked, order_SKB, start, stop):
        stacked, totals = dispatch(stacked, ids_NT, label_N, order_SKB, start, stop)
        return stacked, Totals(*(each[: len(states)] for each in totals))

    first = int(states[0].step) // steps
    epochs_run = range(first, first + epochs)
    stacked, history = training.run_epochs(orders, advance, stacked, epochs_run, steps, progress)
    ended = [jax.tree.map(lambda leaf, i=i: leaf[i], stacked) for i in range(len(states))]
    return ended, [list(one) for one in zip(*history, strict=True)]


def _orders(keys: Array, epoch: int, rows: int, layout: Plan) -> Array:
    return jax.vmap(lambda key: training.epoch_order(key, epoch, rows, layout))(keys)
