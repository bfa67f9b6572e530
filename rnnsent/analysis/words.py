"""What each word does to a prediction: trajectories, contributions, gradients.

Contributions and gradients are of the logit, in nats of log-odds for a positive review. Rows may be
padded in any way; what stands at padding is 0.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rnnsent.arrays import Array, is_float
from rnnsent.data import PAD, lengths, pack_rows
from rnnsent.inference import predict
from rnnsent.model import SentimentClassifier


@functools.partial(jax.jit, static_argnames="model")
def trajectory(model: SentimentClassifier, params: Any, ids_BT: Array) -> Array:
    """Logits (B, T) after each step: what the model would say if the review ended there.

    A model that reads both ways reads every beginning of the review by itself, at T times the cost.
    """
    if model.bidirectional:
        return _of_beginnings(_plain(model), params, ids_BT)
    # Flax types a call with mutable collections too, which returns them beside the result.
    return _plain(model).apply({"params": params}, ids_BT, method="trajectory")  # type: ignore[return-value]


def _of_beginnings(model: SentimentClassifier, params: Any, ids_BT: Array) -> Array:
    step_T = jnp.arange(ids_BT.shape[1])

    def upto(step):
        return model.apply({"params": params}, ids_BT, (ids_BT != PAD) & (step_T <= step))

    logits_TB: Array = jax.lax.map(upto, step_T)
    return logits_TB.T


def _plain(model: SentimentClassifier) -> SentimentClassifier:
    """The model by ``lax.scan``, which vectorises and differentiates in every way."""
    return model.clone(implementation="scan")


def occlusion(model: SentimentClassifier, params: Any, ids_T: np.ndarray) -> np.ndarray:
    """How much the logit loses when one step is masked out, float32 (T,).

    A masked step keeps the carry, so the model reads the review as if the word were not there.
    """
    # A row for every step, padding included: reviews of one T then share what is compiled.
    without_TT = np.where(np.eye(len(ids_T), dtype=bool), PAD, ids_T)
    *logits_T, whole = predict(model, params, np.vstack([without_TT, ids_T]))
    return np.where(ids_T == PAD, 0, whole - np.asarray(logits_T, np.float32))


class Attribution(NamedTuple):
    """Contributions to one logit.

    Attributes:
      contribution_T: float64, per step.
      logit: of the review.
      baseline: of the same review with every embedding zero.
      points: on the path from the one to the other.
    """

    contribution_T: np.ndarray
    logit: float
    baseline: float
    points: int

    @property
    def gap(self) -> float:
        """How far the contributions' sum is from what they should explain, in nats."""
        return float(self.contribution_T.sum() - (self.logit - self.baseline))


def integrated_gradients(
    model: SentimentClassifier,
    params: Any,
    ids_T: np.ndarray,
    *,
    tolerance: float = 0.01,
    max_points: int = 4096,
) -> Attribution:
    """Integrated gradients on the embeddings, from all zeros (Sundararajan et al., 1703.01365).

    The integral is Gauss-Legendre quadrature; the number of points doubles until the contributions
    sum to the difference in logits within ``tolerance`` of it, or ``max_points`` are reached: then
    ``gap`` says how much is missing.
    """
    ends = np.array([0.0, 1.0], np.float32)
    baseline, logit = (float(x) for x in _path_logits(model, params, ids_T, ends))
    points = 32
    while True:
        node_P, weight_P = np.polynomial.legendre.leggauss(points)
        position_P = ((node_P + 1) / 2).astype(np.float32)
        contribution_T = np.zeros(len(ids_T))
        for start in range(0, points, 256):
            part = slice(start, start + 256)
            slope_PT = _path_slopes(model, params, ids_T, position_P[part])
            contribution_T += weight_P[part] / 2 @ np.asarray(slope_PT, np.float64)
        found = Attribution(contribution_T, logit, baseline, points)
        if abs(found.gap) <= tolerance * abs(logit - baseline) or points >= max_points:
            return found
        points *= 2


@functools.partial(jax.jit, static_argnames="model")
def _path_logits(model: SentimentClassifier, params: Any, ids_T: Array, position_P: Array) -> Array:
    """Logits (P,) with the review's embeddings scaled by each position in [0, 1]."""
    bound, x_1TE, mask_PT = _path(model, params, ids_T, position_P)
    return bound.read(position_P[:, None, None] * x_1TE, mask_PT)


@functools.partial(jax.jit, static_argnames="model")
def _path_slopes(model: SentimentClassifier, params: Any, ids_T: Array, position_P: Array) -> Array:
    """Per position, each step's embedding times the gradient there, (P, T)."""
    bound, x_1TE, mask_PT = _path(model, params, ids_T, position_P)
    x_PTE = position_P[:, None, None] * x_1TE
    grad_PTE = jax.grad(lambda x_PTE: bound.read(x_PTE, mask_PT).sum())(x_PTE)
    return (grad_PTE * x_1TE).sum(-1)


def _path(
    model: SentimentClassifier, params: Any, ids_T: Array, position_P: Array
) -> tuple[SentimentClassifier, Array, Array]:
    bound = _plain(model).bind({"params": params})
    x_1TE, mask_1T = bound.embed(ids_T[None])
    return bound, x_1TE, jnp.broadcast_to(mask_1T, (len(position_P), len(ids_T)))


def memory(model: SentimentClassifier, params: Any, ids_BT: np.ndarray) -> dict[str, np.ndarray]:
    """How strongly the logit still depends on what was read and held at each step.

    Returns:
      Norms of the logit's gradient, float32 (B, D), by distance from the row's last real step
      (D = T, column 0 is the last step, NaN before the first): ``x`` with respect to the step's
      embedding; ``h 1``, ``h 2``, … with respect to each layer's output after the step, and
      ``c 1``, … to the rest of its carry where it has one (an LSTM's memory; ``c 1.2`` for a third
      array, and so on). A model that reads both ways has only ``x``.
    """
    packed = pack_rows(np.asarray(ids_BT))
    norms = _memory_norms(model, params, packed)
    length_B = lengths(packed)
    step_BD = length_B[:, None] - 1 - np.arange(packed.shape[1])
    out = {}
    for name, norm_BT in norms.items():
        norm_BD = np.take_along_axis(np.asarray(norm_BT), np.maximum(step_BD, 0), axis=1)
        out[name] = np.where(step_BD >= 0, norm_BD, np.nan)
    return out


@functools.partial(jax.jit, static_argnames="model")
def _memory_norms(model: SentimentClassifier, params: Any, ids_BT: Array) -> dict[str, Array]:
    bound = _plain(model).bind({"params": params})
    x_BTE, mask_BT = bound.embed(ids_BT)
    carries = [] if model.bidirectional else bound.initial_carries(x_BTE)
    named = [
        (f"{'hc'[min(j, 1)]} {i + 1}" + (f".{j}" if j > 1 else ""), a)
        for i, carry in reversed(list(enumerate(carries)))  # in the order of the stack's carry
        for j, a in enumerate(carry)
    ]
    nudges = [_nudge(a, x_BTE.shape[1]) for _, a in named]
    grads = jax.grad(
        lambda x_BTE, nudges: bound.read(x_BTE, mask_BT, nudges=nudges or None).sum(),
        argnums=(0, 1),
    )(x_BTE, nudges)
    norms = {"x": _norm(grads[0])}
    return norms | {
        name: _norm(grad)
        for (name, _), grad in zip(named, grads[1], strict=True)
        if grad is not None
    }


def _nudge(carry: Array, steps: int) -> Array | None:
    """Zeros (B, T, ...) to add to one array of a carry; None for one without a gradient."""
    if not is_float(carry):
        return None
    return jnp.zeros((len(carry), steps, *carry.shape[1:]), carry.dtype)


def _norm(grad_BT: Array) -> Array:
    return jnp.sqrt((grad_BT.reshape(*grad_BT.shape[:2], -1) ** 2).sum(-1))
