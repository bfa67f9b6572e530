"""A recipe's cells with a readout of a task's kind in the place of embedding and head."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from flax.linen.initializers import glorot_uniform

from rnnsent import cells
from rnnsent.arrays import Array
from rnnsent.layers import Recurrent
from rnnsent.model import restarted
from rnnsent.recipes import Recipe


class Reader(nn.Module):
    """Recurrent layers as a recipe has them, and a linear readout of their outputs.

    Of the recipe's dropout only the recurrent one is here: a dropped input is a feature among many
    in a review, in these tasks it would be the question.

    Attributes:
      cell, cell_options, features, recurrent_dropout, recurrent_init, recurrent_gain: as of
        :class:`rnnsent.model.SentimentClassifier`.
      outputs: C, how many numbers an answer is read from.
      implementation: of the recurrence; its batches are small, so plain autodiff, which keeps
        all, is the fastest on a CPU, by a few percent.
    """

    cell: str
    outputs: int
    cell_options: tuple[tuple[str, Any], ...] = ()
    features: tuple[int, ...] = (64,)
    recurrent_dropout: float = 0.0
    recurrent_init: str = "own"
    recurrent_gain: float = 1.0
    implementation: str = "scan-stored"

    def setup(self) -> None:
        options = dict(self.cell_options)
        self.layer = [cells.create(self.cell, width, options) for width in self.features]
        self.recurrent = Recurrent(
            self.layer, 0.0, self.recurrent_dropout, implementation=self.implementation
        )
        self.readout = nn.Dense(self.outputs, kernel_init=glorot_uniform())

    def __call__(self, x_BTE: Array, answers: int, *, train: bool = False) -> Array:
        """Outputs (B, A, C) of the last ``answers`` steps of inputs without padding.

        Args:
          x_BTE: float32, every step real.
          answers: A, at least one.
          train: apply recurrent dropout, with the random stream ``dropout``.
        """
        carry, y_BTH = self.recurrent(x_BTE, sequences=answers > 1, train=train)
        h_BAH = carry[0][:, None] if y_BTH is None else y_BTH[:, -answers:]
        return self.readout(h_BAH)


def reader(recipe: Recipe, outputs: int) -> Reader:
    """The model of a recipe for answers read from ``outputs`` numbers."""
    return Reader(
        cell=recipe.cell,
        outputs=outputs,
        cell_options=tuple(sorted(recipe.cell_options.items())),
        features=recipe.features,
        recurrent_dropout=recipe.recurrent_dropout,
        recurrent_init=recipe.recurrent_init,
        recurrent_gain=recipe.recurrent_gain,
    )


def init(model: Reader, key: Array, width: int) -> dict:
    """Fresh parameters for inputs of ``width`` (E), the recurrent ones started as the recipe says.

    Raises:
      ValueError: if they shall start in a way that the cell's cannot.
    """
    params = model.init(key, jnp.zeros((1, 1, width)), 1)["params"]
    return restarted(params, key, model)
