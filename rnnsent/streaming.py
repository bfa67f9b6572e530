"""A classifier word by word: the state after each, and what it says so far.

    stream = start(model, params, rows=1)
    for id_ in vocabulary.encode(text, model.vocab_size):
        stream, logits_B = step(model, params, stream, np.array([id_], np.int32))

``logits_B`` is what :func:`rnnsent.trajectory` has at that step. A state is plain arrays: it may be
kept, copied, and gone on from more than once.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from rnnsent.arrays import Array, Carry
from rnnsent.model import SentimentClassifier


@functools.partial(jax.jit, static_argnames=("model", "rows"))
def start(model: SentimentClassifier, params: Any, rows: int) -> Carry:
    """The state before the first word of ``rows`` reviews: the layers' carries, the top's first.

    Raises:
      ValueError: for a model that does not read from the first word to the last.
    """
    return _first(_bound(model, params), rows)


@functools.partial(jax.jit, static_argnames="model")
def step(
    model: SentimentClassifier,
    params: Any,
    stream: Carry,
    ids_B: Array,
    mask_B: Array | None = None,
    resets_B: Array | None = None,
) -> tuple[Carry, Array]:
    """The next state and the logits (B,) after one more word of each review; compiled once.

    Args:
      model: the classifier; its implementation of the recurrence does not matter.
      params: its parameters.
      stream: the state, as :func:`start` or this gave it.
      ids_B: int32 token ids, below the model's ``vocab_size``; that is not checked.
      mask_B: bool, False where a review keeps its state; by default where the id is 0.
      resets_B: bool, True where a new review begins with this id.

    Raises:
      ValueError: for arrays that do not fit together.
    """
    ids_B = jnp.asarray(ids_B)
    if ids_B.ndim != 1 or not jnp.issubdtype(ids_B.dtype, jnp.integer):
        raise ValueError(f"ids are {ids_B.dtype}{list(ids_B.shape)}, expected int32[rows]")
    bound = _bound(model, params)
    expected = jax.eval_shape(lambda: _first(bound, len(ids_B)))
    if (given := jax.tree.map(jnp.shape, stream)) != jax.tree.map(jnp.shape, expected):
        raise ValueError(f"the stream is {given}, not of {len(ids_B)} rows of this model")
    mask_B1, resets_B1 = (_marks(a, ids_B) for a in (mask_B, resets_B))
    x_B1E, mask_B1 = bound.embed(ids_B[:, None], mask_B1)
    stream, _ = bound.recurrent(x_B1E, mask_B1, resets_BT=resets_B1, carry=stream, sequences=False)
    return stream, bound.classify(stream[0])


def _marks(marks_B: Array | None, ids_B: Array) -> Array | None:
    if marks_B is None:
        return None
    marks_B = jnp.asarray(marks_B)
    if marks_B.shape != ids_B.shape or marks_B.dtype != bool:
        raise ValueError(
            f"a mask or resets are {marks_B.dtype}{list(marks_B.shape)}, expected "
            f"bool{list(ids_B.shape)}"
        )
    return marks_B[:, None]


def _bound(model: SentimentClassifier, params: Any) -> SentimentClassifier:
    # Fields that a model need not have.
    if model.bidirectional or model.pooling != "last":
        raise ValueError(
            "a model that reads both ways (bidirectional) or pools over all steps cannot be read "
            "word by word: its carry after a word is not all that it goes on from"
        )
    return model.clone(implementation="scan").bind({"params": params})


def _first(bound: SentimentClassifier, rows: int) -> Carry:
    x_B1E, _ = bound.embed(jnp.zeros((rows, 1), jnp.int32))
    return sum(reversed(bound.initial_carries(x_B1E)), ())
