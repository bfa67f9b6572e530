"""Optimizers as optax transformations: Keras's Adam, and what a recipe may add to it."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

Params = Any


@functools.cache  # equal settings are one object, so a program compiled with it serves again
def adam(
    learning_rate: float = 1e-3,
    *,
    schedule: str = "constant",
    steps: int | None = None,
    clip: float = 0.0,
    weight_decay: float = 0.0,
    averaging: float = 0.0,
) -> optax.GradientTransformation:
    """Adam as Keras has it, with the additions that are asked for, in the order of the arguments.

    Args:
      learning_rate: the rate, or the first one of a schedule.
      schedule: ``"constant"``, or ``"cosine"``: half a cosine from the rate to zero (Loshchilov &
        Hutter, arXiv:1608.03983).
      steps: optimizer steps until a cosine is at zero, where it stays.
      clip: the gradients' largest norm, all parameters together (Pascanu et al.,
        arXiv:1211.5063); 0 leaves them as they are.
      weight_decay: share of every parameter that a step takes away, times the rate, apart from
        the gradient (Loshchilov & Hutter, arXiv:1711.05101); 0 is none.
      averaging: decay of a running mean of the parameters, see :func:`with_averaging`; 0 is none.

    Raises:
      ValueError: for another schedule, or a cosine without ``steps``.
    """
    parts = [
        scale_by_adam(),
        optax.scale_by_learning_rate(rate_of(learning_rate, schedule, steps)),
    ]
    if clip:
        parts.insert(0, optax.clip_by_global_norm(clip))
    if weight_decay:
        parts.insert(-1, optax.add_decayed_weights(weight_decay))
    optimizer = optax.chain(*parts)
    return with_averaging(optimizer, averaging) if averaging else optimizer


def rate_of(learning_rate: float, schedule: str, steps: int | None) -> float | optax.Schedule:
    """The rate of :func:`adam`, or a function of the steps before; raises as that does."""
    if schedule == "constant":
        return learning_rate
    if schedule != "cosine" or not steps:
        raise ValueError(f"schedule {schedule!r} over {steps} steps: expected cosine and a number")
    return optax.cosine_decay_schedule(learning_rate, steps)


def scale_by_adam(
    b1: float = 0.9, b2: float = 0.999, epsilon: float = 1e-7
) -> optax.GradientTransformation:
    """Adam's direction with Keras's epsilon (Kingma & Ba, arXiv:1412.6980, end of section 2).

    Keras adds epsilon to the root of the second moment before correcting its bias, optax
    afterwards. That tells them apart where gradients are as small as 1e-6, as those of many
    embedding entries are.
    """

    def init(params: Params) -> optax.ScaleByAdamState:
        mu, nu = (jax.tree.map(jnp.zeros_like, params) for _ in range(2))
        return optax.ScaleByAdamState(jnp.zeros((), jnp.int32), mu, nu)

    def update(
        grads: Params, state: optax.ScaleByAdamState, params: Params | None = None
    ) -> tuple[Params, optax.ScaleByAdamState]:
        del params
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, grads)
        nu = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, state.nu, grads)
        step = state.count + 1.0
        corrected = jnp.sqrt(1 - b2**step) / (1 - b1**step)
        updates = jax.tree.map(lambda m, v: corrected * m / (jnp.sqrt(v) + epsilon), mu, nu)
        return updates, optax.ScaleByAdamState(state.count + 1, mu, nu)

    return optax.GradientTransformation(init, update)


class AveragedState(NamedTuple):
    """State of :func:`with_averaging`.

    Attributes:
      inner: of the optimizer.
      total: running sum of the parameters after each step, like them.
      weight: float32 scalar, what the sum's weights add up to.
    """

    inner: Any
    total: Params
    weight: jax.Array


def with_averaging(
    optimizer: optax.GradientTransformation, decay: float
) -> optax.GradientTransformation:
    """Beside an optimizer, the exponential moving average of the parameters it arrives at.

    The parameters trained on are the optimizer's own; :func:`averaged` gives the mean (Polyak &
    Juditsky, 1992), of about the last ``1 / (1 - decay)`` steps.
    """

    def init(params: Params) -> AveragedState:
        total = jax.tree.map(jnp.zeros_like, params)
        return AveragedState(optimizer.init(params), total, jnp.zeros(()))

    def update(grads: Params, state: AveragedState, params: Params) -> tuple[Params, AveragedState]:
        updates, inner = optimizer.update(grads, state.inner, params)
        new = optax.apply_updates(params, updates)
        total = jax.tree.map(lambda t, p: decay * t + (1 - decay) * p, state.total, new)
        return updates, AveragedState(inner, total, decay * state.weight + (1 - decay))

    return optax.GradientTransformation(init, update)


def averaged(state: Any) -> Params:
    """What to evaluate of a :class:`rnnsent.training.TrainState`: the mean, if it keeps one.

    Else, and before the first step, its parameters. The mean's bias towards zero is corrected.
    """
    held = state.opt_state
    if not isinstance(held, AveragedState):
        return state.params
    weight = jnp.maximum(held.weight, jnp.finfo(jnp.float32).tiny)
    return jax.tree.map(
        lambda t, p: jnp.where(held.weight > 0, t / weight, p), held.total, state.params
    )
