"""Recurrent cells: declared parameters and one pure step each.

A new cell is one class, in a file of one's own::

    from rnnsent.cells import Cell, glorot_uniform, jnp, matmul, nn

    class MinimalCell(Cell):                                  # h' = (1 - z) h + z tanh(x K)
        def weights(self, input_size):
            shape = (input_size, 2 * self.features)
            return {"kernel": self.param("kernel", glorot_uniform(), shape)}

        def step(self, params, carry, x_BE):
            (h_BH,) = carry
            z_BH, g_BH = jnp.split(matmul(x_BE, params["kernel"]), 2, axis=-1)
            z_BH = nn.sigmoid(z_BH)
            return ((1 - z_BH) * h_BH + z_BH * jnp.tanh(g_BH),)

``my_cells:MinimalCell`` then names it in every script and recipe. Masks, dropout, stacking, the
memory-lean gradient, sharding, analysis and the benchmark work for it unasked.
"""

import jax.numpy as jnp
from flax import linen as nn
from flax.linen.initializers import glorot_uniform, orthogonal, zeros_init

from rnnsent.arrays import matmul
from rnnsent.cells.cell import Cell
from rnnsent.cells.classic import GRUCell, LSTMCell, SimpleRNNCell
from rnnsent.cells.gated import IndRNNCell, MGUCell, PeepholeLSTMCell
from rnnsent.cells.linear import LRUCell, MinGRUCell, MinLSTMCell
from rnnsent.cells.matrix import MLSTMCell
from rnnsent.cells.names import (
    ADVICE,
    CELLS,
    CLASSIC,
    check_trusted,
    create,
    find,
    is_trusted,
    title,
)

__all__ = [
    "ADVICE",
    "CELLS",
    "CLASSIC",
    "Cell",
    "GRUCell",
    "IndRNNCell",
    "LRUCell",
    "LSTMCell",
    "MGUCell",
    "MLSTMCell",
    "MinGRUCell",
    "MinLSTMCell",
    "PeepholeLSTMCell",
    "SimpleRNNCell",
    "check_trusted",
    "create",
    "find",
    "glorot_uniform",
    "is_trusted",
    "jnp",
    "matmul",
    "nn",
    "orthogonal",
    "title",
    "zeros_init",
]
