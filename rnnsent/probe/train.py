"""Training on a task of one length, all seeds as one program, until it is solved or time is up.

One dispatch (``advance``) is some steps of every seed that still trains and the score after them.
The rows are drawn on the device, new ones at each step, from the seed's key.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from rnnsent import optimizers
from rnnsent.arrays import Array
from rnnsent.devices import SEEDS
from rnnsent.probe.model import Reader, init
from rnnsent.probe.tasks import TASKS, Examples, Task
from rnnsent.training import DROPOUT, INITIAL, TrainState

DATA, HELD_OUT, GRADIENTS = 3, 4, 5
"""Streams of randomness beside those of :mod:`rnnsent.training`."""

EVERY = 100
"""Steps between two scores: a dispatch."""
SCORED, ROWS = 512, 64
"""Rows that a score, and a gradient, is over where they are drawn."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """All that is compiled of a training: hashable, equal by value.

    Attributes:
      model: with a readout for the task.
      optimizer: see :func:`rnnsent.optimizers.adam`.
      task: name of the task.
      length: T.
      batch: B, rows of a step.
      every: steps between two scores.
    """

    model: Reader
    optimizer: optax.GradientTransformation
    task: str
    length: int
    batch: int
    every: int

    @property
    def of(self) -> Task:
        """The task."""
        return TASKS[self.task]


class Scored(NamedTuple):
    """What some steps came to, (S,): the mean loss over them, and the score after them."""

    loss_S: Array
    score_S: Array


def create_states(trial: Trial, seeds: Sequence[int]) -> TrainState:
    """The states before the first step, stacked; everything random follows from each one's seed.

    As many more as fill the devices stand behind them.

    Raises:
      ValueError: if the recurrent weights cannot start as the recipe has it.
    """
    devices = seed_devices(len(seeds))
    filled = [*seeds, *[seeds[0]] * (-len(seeds) % devices.size)]
    states = _created(jnp.stack([jax.random.key(seed) for seed in filled]), trial=trial)
    return jax.device_put(states, NamedSharding(devices, P(SEEDS)))


def seed_devices(seeds: int) -> Mesh:
    """The devices that trainings are spread over, at most one for each."""
    used = jax.local_devices()[:seeds]
    return jax.make_mesh((len(used),), (SEEDS,), axis_types=(AxisType.Auto,), devices=used)


@functools.partial(jax.jit, static_argnames="trial")
def _created(key_S: Array, *, trial: Trial) -> TrainState:
    def one(key):
        params = init(trial.model, jax.random.fold_in(key, INITIAL), trial.of.width(trial.length))
        opt_state = trial.optimizer.init(params)
        zero = jnp.zeros((), jnp.int32)
        return TrainState(step=zero, epoch=zero, params=params, opt_state=opt_state, key=key)

    return jax.lax.map(one, key_S)


def answered(
    trial: Trial, params: Any, x_BTE: Array, answers: int, dropout_key: Array | None = None
) -> Array:
    """Outputs (B, A, C) of the last ``answers`` steps; with a key, those of training."""
    rngs = None if dropout_key is None else {"dropout": dropout_key}
    # Flax types a call with mutable collections too, which returns them beside the result.
    return trial.model.apply(  # type: ignore[return-value]
        {"params": params}, x_BTE, answers, train=rngs is not None, rngs=rngs
    )


def loss(trial: Trial, params: Any, examples: Examples, dropout_key: Array) -> Array:
    """Mean loss over a batch in training."""
    out_BAC = answered(trial, params, examples.x_BTE, examples.y_BA.shape[1], dropout_key)
    return trial.of.loss(out_BAC, examples)


def train_step(trial: Trial, state: TrainState) -> tuple[TrainState, Array]:
    """One optimizer step on new rows; the loss before it."""
    data, dropout = (
        jax.random.fold_in(jax.random.fold_in(state.key, stream), state.step)
        for stream in (DATA, DROPOUT)
    )
    examples = trial.of.draw(data, trial.batch, trial.length)
    value, grads = jax.value_and_grad(functools.partial(loss, trial))(
        state.params, examples, dropout
    )
    updates, opt_state = trial.optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    return state.replace(step=state.step + 1, params=params, opt_state=opt_state), value


def score(trial: Trial, state: TrainState) -> Array:
    """The score on rows that were not trained on, drawn anew after every step count."""
    key = jax.random.fold_in(jax.random.fold_in(state.key, HELD_OUT), state.step)
    examples = trial.of.held_out(key, SCORED, trial.length)
    params = optimizers.averaged(state)
    out_BAC = answered(trial, params, examples.x_BTE, examples.y_BA.shape[1])
    return trial.of.scored(out_BAC, examples)


def run(trial: Trial, state: TrainState, active: Array) -> tuple[TrainState, Scored]:
    """``every`` steps of one seed and its score; of one that is not ``active`` nothing."""

    def go_on(state):
        state, loss_K = jax.lax.scan(
            lambda state, _: train_step(trial, state), state, None, trial.every
        )
        return state, Scored(loss_K.mean(), score(trial, state))

    def rest(state):
        return state, Scored(*jnp.full(2, jnp.nan))

    return jax.lax.cond(active, go_on, rest, state)


@functools.partial(jax.jit, static_argnames=("trial", "devices"), donate_argnames="states")
def advance(
    states: TrainState, active_S: Array, *, trial: Trial, devices: Mesh
) -> tuple[TrainState, Scored]:
    """Some steps of every seed that is active, as one dispatch.

    On a CPU a device takes its seeds one after another, which was measured as fast as all of them
    in one vectorised step (5.3 against 5.8 ms a step for an LSTM, 1.8 against 1.6 for a SimpleRNN,
    64 steps of time) and does nothing for seeds that have ended.

    Args:
      states: stacked along S, a multiple of the devices along it; donated.
      active_S: bool, which of them go on.
      trial: of all.
      devices: the mesh of seeds.
    """

    def share(states, active_S):
        if jax.default_backend() == "cpu":
            return jax.lax.map(lambda one: run(trial, *one), (states, active_S))
        return jax.vmap(functools.partial(run, trial))(states, active_S)

    return jax.shard_map(
        share, mesh=devices, in_specs=P(SEEDS), out_specs=P(SEEDS), check_vma=False
    )(states, active_S)


class Ended(NamedTuple):
    """What came of a trial, (S,) each on the host.

    Attributes:
      steps_S: int, taken until the end.
      loss_S: mean over the last steps before it.
      score_S: at the end.
      solved_S: bool, whether that is what counts as solved.
      diverged_S: bool, whether the loss or the outputs ceased to be finite.
    """

    steps_S: np.ndarray
    loss_S: np.ndarray
    score_S: np.ndarray
    solved_S: np.ndarray
    diverged_S: np.ndarray


def fit(
    trial: Trial,
    states: TrainState,
    count: int,
    budget: int,
    progress: Callable[[int, int, float], None] | None = None,
) -> tuple[TrainState, Ended]:
    """Trains the first ``count`` states until each is solved, diverges or took ``budget`` steps.

    Args:
      trial: what is trained.
      states: stacked, as :func:`create_states` gives them; consumed.
      count: S, how many of them are asked for; others only fill the devices.
      budget: steps at most, a multiple of ``trial.every``.
      progress: told after each dispatch how many seeds took part, how many steps each has taken
        by now at most, and the mean score of those seeds.
    """
    seeds = len(states.step)
    devices = seed_devices(count)
    active_S = np.arange(seeds) < count
    steps_S, (loss_S, score_S) = np.zeros(seeds, int), np.full((2, seeds), np.nan)
    solved_S, diverged_S = np.zeros((2, seeds), bool)
    for taken in range(trial.every, budget + 1, trial.every):
        took_S = active_S.copy()
        states, scored = advance(states, jnp.asarray(took_S), trial=trial, devices=devices)
        steps_S[took_S] = taken
        loss_S, score_S = (
            np.where(took_S, np.asarray(new_S), old_S)
            for new_S, old_S in zip(scored, (loss_S, score_S), strict=True)
        )
        diverged_S |= took_S & ~(np.isfinite(loss_S) & np.isfinite(score_S))
        solved_S |= took_S & ~diverged_S & (score_S >= trial.of.solved)
        active_S &= ~(diverged_S | solved_S)
        if progress:
            progress(int(took_S.sum()), taken, float(score_S[took_S].mean()))
        if not active_S.any():
            break
    return states, Ended(*(a[:count] for a in (steps_S, loss_S, score_S, solved_S, diverged_S)))


@functools.partial(jax.jit, static_argnames="trial")
def reached(states: TrainState, *, trial: Trial) -> Array:
    """How much of the last answer's gradient arrives at the first step, (S,).

    The gradient is that of the output that should be largest (or of the number) after the last
    step, with respect to what is read at a step. Median of its norm over rows at the first step,
    over that at the last.
    """

    def one(state):
        examples = trial.of.held_out(jax.random.fold_in(state.key, GRADIENTS), ROWS, trial.length)

        def answer(x_BTE):
            out_B1C = answered(trial, optimizers.averaged(state), x_BTE, 1)
            right_B = examples.y_BA[:, -1] if trial.of.classes else jnp.zeros(len(x_BTE), int)
            return jnp.take_along_axis(out_B1C[:, 0], right_B[:, None], axis=1).sum()

        norm_BT = jnp.linalg.norm(jax.grad(answer)(examples.x_BTE), axis=-1)
        return jnp.median(norm_BT[:, 0]) / jnp.median(norm_BT[:, -1])

    return jax.lax.map(one, states)
