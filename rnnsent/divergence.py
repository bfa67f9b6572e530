"""Where a training diverged: the steps of its epoch once more, one by one, to the first bad one.

They are the steps of :func:`rnnsent.fitting.fit`: the same program on the same rows with the same
dropout. On the same devices they round alike too, so what was lost is lost again. On others (only
this process's own are used, and one training at a time) rounding can move the step.
"""

import contextlib
import functools
import math
import os
import pathlib
import traceback
from typing import Annotated, Any, NamedTuple

import flax
import jax
import jax.numpy as jnp
import msgspec
import optax

from rnnsent import fitting, training
from rnnsent.arrays import Array
from rnnsent.devices import ROWS, local_mesh
from rnnsent.layout import Batch, Labelled, Plan, Rows, default_micro_batch, plan
from rnnsent.model import SentimentClassifier
from rnnsent.training import TrainState

Count = Annotated[int, msgspec.Meta(ge=1)]


class Gradient(msgspec.Struct, frozen=True):
    """The gradients of one array of parameters: of their mean loss, before any clipping.

    Attributes:
      name: its path in the parameters.
      before: largest absolute value in the step before, the last good one; None where the epoch, or
        what is known of it, begins with the bad one.
      here: in the bad step; None where it is not finite.
    """

    name: str
    before: float | None
    here: float | None


class Divergence(msgspec.Struct, frozen=True):
    """The first step whose loss, or the parameters after it, are not finite.

    Attributes:
      epoch: its number, from 1.
      step: its number in the epoch, from 1, of ``steps``.
      steps: of an epoch.
      total_step: its number in the training, from 1.
      loss: mean over its rows, in nats; None where it is not finite.
      rows: the numbers of its reviews in the training split, from 0.
      gradients: of every array of parameters, in their order.
      parameter: the first of them that is not finite after the step; None where all are.
      names: of the reviews, where they have some.
      learning_rate: of the step, where it is known.
      first_nan: where the first number that is none arises, in words; None where nobody asked.
    """

    epoch: Count
    step: Count
    steps: Count
    total_step: Count
    loss: float | None
    rows: Annotated[tuple[int, ...], msgspec.Meta(min_length=1)]
    gradients: Annotated[tuple[Gradient, ...], msgspec.Meta(min_length=1)]
    parameter: str | None
    names: tuple[str, ...] = ()
    learning_rate: float | None = None
    first_nan: str | None = None

    @property
    def largest(self) -> tuple[str, float] | None:
        """Name and largest gradient, of the last good step if known; None where none is finite."""
        found = [(one.name, one.before) for one in self.gradients if one.before is not None]
        found = found or [(one.name, one.here) for one in self.gradients if one.here is not None]
        return max(found, key=lambda pair: pair[1], default=None)

    @property
    def gradient(self) -> str | None:
        """The first array whose gradient is not finite in the step; None where all are."""
        return next((one.name for one in self.gradients if one.here is None), None)

    @property
    def place(self) -> str:
        """When it was, in words."""
        return f"epoch {self.epoch}, step {self.step} of {self.steps}"

    @property
    def why(self) -> str:
        """What is known of it besides, in words."""
        said = "no gradient is finite"
        if self.largest:
            name, value = self.largest
            before = ", the step before" if self.gradients[0].before is not None else ""
            said = f"largest gradient {value:.2g} in {name}{before}"
        return f"{said}; {self.first_nan}" if self.first_nan else said


class _Setting(NamedTuple):
    """What does not change from step to step."""

    model: SentimentClassifier
    optimizer: optax.GradientTransformation
    layout: Plan
    rows: Rows
    order_SKB: Array


def find(
    model: SentimentClassifier,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    reviews: Labelled,
    *,
    batch_size: int,
    step: int = 0,
    micro_batch: int | None = None,
    debug_nans: bool = False,
) -> Divergence | None:
    """Repeats an epoch from a state, step by step, until the loss or a parameter is not finite.

    A gradient that is not finite makes a parameter so, by any optimizer of ours.

    Args:
      model: that was trained.
      optimizer: the one the state was created with.
      state: where to begin; its epoch is the one that is repeated. It is copied.
      reviews: as :func:`rnnsent.fitting.fit` took them.
      batch_size: rows in a step.
      step: steps of the epoch that the state has behind it.
      micro_batch: as in :func:`rnnsent.fitting.fit`.
      debug_nans: run the bad step once more, op by op, up to the first number that is none.

    Returns:
      What was found, without a learning rate; None where all stays finite to the epoch's end.
    """
    devices = local_mesh()
    layout = plan(batch_size, devices.shape[ROWS], micro_batch or default_micro_batch(model))
    stacked, rows = fitting.placed([state], reviews, devices)
    order_SKB = fitting.orders(stacked.key, int(state.epoch), len(reviews.label_N), layout)
    setting = _Setting(model, optimizer, layout, rows, order_SKB)
    options = {"model": model, "optimizer": optimizer, "layout": layout, "devices": devices}
    before = None
    for index in range(step, order_SKB.shape[1]):
        here = _copy(stacked)  # what is trained on is given away
        stacked, totals = training.train_steps(
            stacked, rows, order_SKB, (index, index + 1), **options
        )
        loss = float(totals.loss[0] / totals.weight[0])
        if not math.isfinite(loss) or not is_finite(stacked.params):
            found = _found(setting, index, loss, (before, here, stacked))
            return _named(found, reviews, setting, here if debug_nans else None)
        before = here
    return None


def is_finite(params: Any) -> bool:
    """Whether every number of all parameters is finite."""
    return bool(_all_finite(params))


@jax.jit
def _all_finite(tree: Any) -> Array:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()


@jax.jit
def _copy(tree: Any) -> Any:
    return jax.tree.map(jnp.copy, tree)


def _found(
    setting: _Setting,
    index: int,
    loss: float,
    states: tuple[TrainState | None, TrainState, TrainState],
) -> Divergence:
    """What is known of a step from the states before the last one, before it and after it."""
    earlier, here, after = states
    before = _gradients(setting, index - 1, earlier) if earlier else {}
    now = _gradients(setting, index, here)
    bad = [name for name, leaf in _leaves(after.params) if not is_finite(leaf)]
    order_B = jax.device_get(setting.order_SKB[0, index])
    return Divergence(
        epoch=int(here.epoch[0]) + 1,
        step=index + 1,
        steps=setting.order_SKB.shape[1],
        total_step=int(here.step[0]) + 1,
        loss=_finite(loss),
        rows=tuple(order_B[order_B >= 0].tolist()),
        gradients=tuple(Gradient(n, before.get(n), value) for n, value in now.items()),
        parameter=next(iter(bad), None),
    )


def _named(
    found: Divergence, reviews: Labelled, setting: _Setting, debugged: TrainState | None
) -> Divergence:
    """With the names of the reviews; and, from the state before the step, its first NaN."""
    names = getattr(reviews, "names", ())
    told = None
    if debugged is not None:
        state, batch = _alone(setting, found.step - 1, debugged)
        told = first_nan(setting.model, setting.optimizer, state, batch, setting.layout.micro_batch)
    return msgspec.structs.replace(
        found, names=tuple(names[row] for row in found.rows) if names else (), first_nan=told
    )


def _alone(setting: _Setting, index: int, stacked: TrainState) -> tuple[TrainState, Batch]:
    """A state and the batch of a step, the whole of it on one device."""
    device = jax.local_devices()[0]
    held = (fitting.unstack(stacked, 1)[0], setting.rows, setting.order_SKB[0, index])
    state, rows, order_B = jax.device_put(held, device)
    return state, training.batch_of(rows, order_B)


def _gradients(setting: _Setting, index: int, stacked: TrainState) -> dict[str, float | None]:
    """The largest absolute gradient of each array by its name; None where it is not finite."""
    state, batch = _alone(setting, index, stacked)
    largest = _largest(setting.model, state, batch, setting.layout.micro_batch)
    return {name: _finite(float(leaf)) for name, leaf in _leaves(largest)}


_CATCHING = optax.GradientTransformation(
    lambda params: params, lambda gradients, state, params=None: (gradients, gradients)
)
"""An optimizer whose state is the last gradients."""


@functools.partial(jax.jit, static_argnames=("model", "micro_batch"))
def _largest(model: SentimentClassifier, state: TrainState, batch: Batch, micro_batch: int) -> Any:
    caught, _ = training.train_step(model, _CATCHING, state, batch, micro_batch=micro_batch)
    return jax.tree.map(lambda gradient: jnp.abs(gradient).max(), caught.opt_state)


def _leaves(params: Any) -> list[tuple[str, Array]]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(params)
    return [(jax.tree_util.keystr(p, simple=True, separator="/"), leaf) for p, leaf in leaves]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def first_nan(
    model: SentimentClassifier,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    batch: Batch,
    micro_batch: int | None = None,
) -> str:
    """Where the first number that is none arises in a step, in a line of words.

    The step runs op by op under ``jax.debug_nans``; that takes many times as long as compiled.
    """
    try:
        with jax.debug_nans(True), jax.disable_jit():
            after, _ = training.train_step(model, optimizer, state, batch, micro_batch=micro_batch)
            jax.block_until_ready(after.params)
    except FloatingPointError as error:
        return f"first NaN: {_line(error)}{_source(error)}"
    except Exception as error:  # of a cell of anyone's, which may need to be compiled
        return f"op by op it ends in {type(error).__name__}: {_line(error)}{_source(error)}"
    return "op by op no NaN arises in it"


def _line(error: Exception) -> str:
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), "no reason given").rstrip(".")


def _source(error: Exception) -> str:
    """The innermost line that is no part of JAX, Flax or Optax.

    Where a traced function is run, as a cell's step is, JAX gives the line traced as the cause.
    """
    roots = tuple(f"{pathlib.Path(str(one.__file__)).parent}{os.sep}" for one in (jax, flax, optax))
    ours: list[traceback.FrameSummary] = []
    for one in (error, error.__cause__):
        frames = traceback.extract_tb(one.__traceback__) if one else []
        found = [f for f in frames if not f.filename.startswith((*roots, contextlib.__file__))]
        ours = found or ours
    if not ours:
        return ""
    path = pathlib.Path(ours[-1].filename)
    return f" at {path.parent.name}/{path.name}:{ours[-1].lineno}, `{ours[-1].line}`"
