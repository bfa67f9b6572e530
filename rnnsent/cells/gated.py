"""Variants of the LSTM, the GRU and the SimpleRNN to compare with."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen.initializers import glorot_uniform, zeros_init

from rnnsent.arrays import Array, Carry, Params, matmul
from rnnsent.cells.cell import Cell
from rnnsent.cells.classic import preactivation, unit_forget_bias


class PeepholeLSTMCell(Cell):
    """An LSTM whose gates see the cell state: i and f the last c, o the new one.

    Gers & Schmidhuber (2000), "Recurrent nets that time and count": i = sigmoid(x K_i + h R_i +
    p_i c + b_i), f likewise, c' = f c + i g, o = sigmoid(x K_o + h R_o + p_o c' + b_o),
    h' = o tanh(c'). The peepholes, in the order i, f, o, start at zero, that is as an LSTM.
    """

    carry_size = 2

    def weights(self, input_size: int) -> Params:
        params = self.gated_weights(input_size, gates=4, bias_init=unit_forget_bias)
        return params | {"peephole": self.param("peephole", zeros_init(), (3 * self.features,))}

    def step(self, params: Params, carry: Carry, x_BE: Array, h_BH: Array) -> Carry:
        _, c_BH = carry
        i_BH, f_BH, g_BH, o_BH = jnp.split(preactivation(params, h_BH, x_BE), 4, axis=-1)
        pi_H, pf_H, po_H = jnp.split(params["peephole"], 3)
        i_BH, f_BH = nn.sigmoid(i_BH + pi_H * c_BH), nn.sigmoid(f_BH + pf_H * c_BH)
        c_BH = f_BH * c_BH + i_BH * jnp.tanh(g_BH)
        return nn.sigmoid(o_BH + po_H * c_BH) * jnp.tanh(c_BH), c_BH


class MGUCell(Cell):
    """The minimal gated unit: a GRU whose one gate f both resets and updates.

    Zhou et al. (arXiv:1603.09420): f = sigmoid(x K_f + h R_f + b_f), n = tanh(x K_n + (f h) R_n +
    b_n), h' = (1 - f) h + f n. Gates in the order f, n. Flax's ``MGUCell`` is another: there f
    scales the product h R_n and keeps h. Dropout acts on the products with h, not on the h that is
    kept.
    """

    def weights(self, input_size: int) -> Params:
        return self.gated_weights(input_size, gates=2)

    def step(self, params: Params, carry: Carry, x_BE: Array, h_BH: Array) -> Carry:
        (kept_BH,) = carry
        forget_HH, new_HH = jnp.split(params["recurrent_kernel"], 2, axis=-1)
        f_BH, n_BH = jnp.split(matmul(x_BE, params["kernel"]) + params["bias"], 2, axis=-1)
        f_BH = nn.sigmoid(f_BH + matmul(h_BH, forget_HH))
        n_BH = jnp.tanh(n_BH + matmul(f_BH * h_BH, new_HH))
        return ((1 - f_BH) * kept_BH + f_BH * n_BH,)


class IndRNNCell(Cell):
    """h' = relu(x K + u h + b): each unit remembers by itself, through one weight of u (H,).

    Li et al. (arXiv:1803.04831). Over T steps a unit's gradient is scaled by u ** T, so the paper
    keeps abs(u) within gamma ** (1 / T) for relu, which bounds that scale by gamma, and draws u
    evenly from zero to there. Here the limit is ``recurrent_max``: 1 bounds it for every T;
    gamma = 2 at the notebook's 132 steps is 1.0053. The step gets u clipped to the limit, so that
    a weight beyond it has no gradient.

    Attributes:
      recurrent_max: the largest abs(u).
    """

    recurrent_max: float = 1.0

    def weights(self, input_size: int) -> Params:
        def evenly(key: Array, shape: tuple[int, ...], dtype: Any = float) -> Array:
            return jax.random.uniform(key, shape, dtype, maxval=self.recurrent_max)

        u_H = self.param("recurrent_kernel", evenly, (self.features,))
        return {
            "kernel": self.param("kernel", glorot_uniform(), (input_size, self.features)),
            "recurrent_kernel": jnp.clip(u_H, -self.recurrent_max, self.recurrent_max),
            "bias": self.param("bias", zeros_init(), (self.features,)),
        }

    def step(self, params: Params, carry: Carry, x_BE: Array, h_BH: Array) -> Carry:
        x_BH = matmul(x_BE, params["kernel"]) + params["bias"]
        return (nn.relu(x_BH + params["recurrent_kernel"] * h_BH),)
