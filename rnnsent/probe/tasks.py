"""Small tasks whose answers lie far back: how they are drawn, and what counts as solved.

Each is a pure function of a key. Chance and the criterion were written down before any was run. In
names, A is the steps that are answered, the last ones of a row.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rnnsent.arrays import Array

SYMBOLS, RECALLED = 8, 4
"""Of the delayed recall: size of the alphabet, and symbols to be kept (twelve bits)."""
PIXELS, DIGITS = 64, 10
HELD_OUT = 360
"""The last images of scikit-learn's digits; they are never trained on."""


class Examples(NamedTuple):
    """Rows of a task.

    Attributes:
      x_BTE: float32, what is read.
      y_BA: what is to be answered at the last A steps: int32 classes, or float32 numbers.
      mask_BA: bool, the answers that the score counts; all of them are trained on.
    """

    x_BTE: Array
    y_BA: Array
    mask_BA: Array


Draw = Callable[[Array, int, int], Examples]
"""``draw(key, rows, length)``: that many rows (B) of that length (T)."""


@dataclasses.dataclass(frozen=True)
class Task:
    """A task and what counts as solved; scores are shares, and more is better.

    Attributes:
      title: in tables.
      what: is read and asked, in words.
      score: what a score is, in words.
      source: of the task and of the criterion.
      draw: rows to train on.
      held_out: rows to score on, fresh or never trained on.
      chance: score of the best answer that does not look at the input.
      solved: score from which a length counts as solved.
      classes: of an answer; 0 where it is a number.
      variance: of the answers, where they are numbers.
    """

    title: str
    what: str
    score: str
    source: str
    draw: Draw
    held_out: Draw
    chance: float
    solved: float
    classes: int = 0
    variance: float = 1.0

    @property
    def outputs(self) -> int:
        """How many numbers an answer is read from."""
        return max(self.classes, 1)

    def width(self, length: int) -> int:
        """E, how many numbers a step reads."""
        shapes = jax.eval_shape(lambda key: self.draw(key, 1, length), jax.random.key(0))
        return shapes.x_BTE.shape[-1]

    def loss(self, out_BAC: Array, examples: Examples) -> Array:
        """Mean over all answers: cross-entropy in nats, or the squared error."""
        if self.classes:
            losses_BA = optax.softmax_cross_entropy_with_integer_labels(out_BAC, examples.y_BA)
            return losses_BA.mean()
        return jnp.square(out_BAC[..., 0] - examples.y_BA).mean()

    def scored(self, out_BAC: Array, examples: Examples) -> Array:
        """The score of outputs (B, A, C) over the answers that count; NaN where one is no number.

        Of classes it is the share that is right; of numbers the share of their variance that is
        explained, one minus the mean squared error over the variance.
        """
        if self.classes:
            right_BA = (out_BAC.argmax(-1) == examples.y_BA).astype(jnp.float32)
        else:
            right_BA = 1 - jnp.square(out_BAC[..., 0] - examples.y_BA) / self.variance
        # argmax takes NaN for the largest, which would look like an answer.
        right_BA = jnp.where(jnp.isfinite(out_BAC).all(-1), right_BA, jnp.nan)
        return right_BA.mean(where=examples.mask_BA)


def adding(key: Array, rows: int, length: int) -> Examples:
    """Numbers in [0, 1) and marks, E = 2: the sum of the two marked numbers, at the end.

    One mark is in the first half, one in the second, anywhere in it.
    """
    number, first, second = jax.random.split(key, 3)
    number_BT = jax.random.uniform(number, (rows, length))
    half = length // 2
    first_B = jax.random.randint(first, (rows,), 0, half)
    second_B = jax.random.randint(second, (rows,), half, length)
    mark_BT = jax.nn.one_hot(first_B, length) + jax.nn.one_hot(second_B, length)
    y_BA = (number_BT * mark_BT).sum(-1, keepdims=True)
    return Examples(jnp.stack([number_BT, mark_BT], axis=-1), y_BA, jnp.ones((rows, 1), bool))


def recall(key: Array, rows: int, length: int) -> Examples:
    """Symbols, then blanks, then, from a "now" on, the symbols in their order.

    A step reads one of E = 10: eight symbols, blank, now. "Now" stands at the step that the first
    symbol is due at, so each is asked for ``length - 4`` steps after it was read.
    """
    symbol_BA = jax.random.randint(key, (rows, RECALLED), 0, SYMBOLS)
    rest_t = jnp.full(length - RECALLED, SYMBOLS).at[-RECALLED].set(SYMBOLS + 1)
    rest_Bt = jnp.broadcast_to(rest_t, (rows, length - RECALLED))
    x_BTE = jax.nn.one_hot(jnp.concatenate([symbol_BA, rest_Bt], axis=1), SYMBOLS + 2)
    return Examples(x_BTE, symbol_BA, jnp.ones_like(symbol_BA, bool))


def parity(key: Array, rows: int, length: int) -> Examples:
    """Bits, E = 1: at every step, whether the ones so far are odd in number.

    All steps are taught, for the last one alone teaches gradient descent nothing; it alone counts.
    """
    bit_BT = jax.random.bernoulli(key, 0.5, (rows, length))
    last_BT = jnp.broadcast_to(jnp.arange(length) == length - 1, (rows, length))
    x_BTE = bit_BT[..., None].astype(jnp.float32)
    return Examples(x_BTE, jnp.cumsum(bit_BT, axis=1, dtype=jnp.int32) % 2, last_BT)


@functools.cache
def images() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's 1,797 digits in its order: float32 (N, 64) in [0, 1], row by row; int32 (N,).

    They are the test part of Alpaydin & Kaynak's handwritten digits (UCI, 1998).
    """
    from sklearn.datasets import load_digits

    held = load_digits()
    return (held.data / 16).astype(np.float32), held.target.astype(np.int32)


def digits(key: Array, rows: int, length: int) -> Examples:
    """Images of digits, drawn with repetition from those to train on; see :func:`_read`."""
    x_NP, y_N = images()
    row_B = jax.random.randint(key, (rows,), 0, len(y_N) - HELD_OUT)
    return _read(jnp.asarray(x_NP)[row_B], jnp.asarray(y_N)[row_B], length)


def held_out_digits(key: Array, rows: int, length: int) -> Examples:
    """The images held out, all of them, whatever key and rows are."""
    del key, rows
    x_NP, y_N = images()
    return _read(jnp.asarray(x_NP[-HELD_OUT:]), jnp.asarray(y_N[-HELD_OUT:]), length)


def _read(x_BP: Array, y_B: Array, length: int) -> Examples:
    """From 64 steps on a pixel a step, then nothing; in fewer, as many pixels a step as it takes.

    Eight steps read an image row by row.
    """
    x_BTE = x_BP.reshape(len(x_BP), min(length, PIXELS), -1)
    x_BTE = jnp.pad(x_BTE, ((0, 0), (0, length - x_BTE.shape[1]), (0, 0)))
    return Examples(x_BTE, y_B[:, None], jnp.ones((len(x_BP), 1), bool))


TASKS: dict[str, Task] = {
    "adding": Task(
        title="adding",
        what="a number and a mark a step; at the end, the sum of the two marked numbers, one of "
        "each half",
        score="share of the sum's variance that is explained",
        source="Hochreiter & Schmidhuber (1997), numbers and chance as in Le, Jaitly & Hinton "
        "(arXiv:1504.00941); solved: a mean squared error of 0.01 or less, at which the former "
        "stop (on a target half as wide)",
        draw=adding,
        held_out=adding,
        chance=0.0,
        solved=0.94,  # one minus 0.01 over 1/6
        variance=1 / 6,
    ),
    "recall": Task(
        title="recall",
        what=f"{RECALLED} of {SYMBOLS} symbols, then blanks; the symbols in order at the last "
        f"{RECALLED} steps",
        score="share of the symbols that are right",
        source="the copying memory of Arjovsky, Shah & Bengio (arXiv:1511.06464), there ten "
        "symbols; solved: ours",
        draw=recall,
        held_out=recall,
        chance=1 / SYMBOLS,
        solved=0.95,
        classes=SYMBOLS,
    ),
    "parity": Task(
        title="parity",
        what="a bit a step; after each, whether the ones so far are odd in number, of which the "
        "last answer counts",
        score="share of the last answers that are right",
        source="Bengio, Simard & Frasconi (1994), there taught at the last step only; taught at "
        "every step as in Merrill, Petty & Sabharwal (arXiv:2404.08819); solved: ours",
        draw=parity,
        held_out=parity,
        chance=0.5,
        solved=0.95,
        classes=2,
    ),
    "digits": Task(
        title="digits",
        what="an image of 8 x 8 pixels, from 64 steps on a pixel a step and then nothing, before "
        "that several pixels a step; at the end, which digit it is",
        score=f"share of the {HELD_OUT} images held out that are classified right",
        source="scikit-learn's copy of Alpaydin & Kaynak's digits (UCI, 1998), read by pixels as "
        "Le, Jaitly & Hinton (arXiv:1504.00941) read MNIST; solved: ours, what a logistic "
        "regression on all pixels comes to",
        draw=digits,
        held_out=held_out_digits,
        chance=0.1,
        solved=0.9,
        classes=DIGITS,
    ),
}
"""By the name that options take."""

SHORTEST = 2 * RECALLED
"""Steps of the shortest length that all tasks have; others are it times a power of two."""
