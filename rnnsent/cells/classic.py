"""The cells that Keras and PyTorch have too."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from flax.linen.initializers import zeros_init

from rnnsent.arrays import Array, Carry, Params, matmul
from rnnsent.cells.cell import Cell


def preactivation(params: Params, h_BH: Array, x_BE: Array) -> Array:
    """x K + h R + b, as one product of what stands side by side: fewer, larger products."""
    kernel = jnp.concatenate([params["kernel"], params["recurrent_kernel"]])
    return matmul(jnp.concatenate([x_BE, h_BH], axis=-1), kernel) + params["bias"]


class SimpleRNNCell(Cell):
    """h' = tanh(x K + h R + b), as ``keras.layers.SimpleRNN`` (Elman, 1990)."""

    def weights(self, input_size: int) -> Params:
        return self.gated_weights(input_size, gates=1)

    def step(self, params: Params, carry: Carry, x_BE: Array, h_BH: Array) -> Carry:
        return (jnp.tanh(preactivation(params, h_BH, x_BE)),)


class LSTMCell(Cell):
    """c' = f c + i g, h' = o tanh(c'), gates in the order i, f, g, o, as ``keras.layers.LSTM``.

    Hochreiter & Schmidhuber (1997) with the forget gate of Gers et al. (2000), its bias starting
    at one (Jozefowicz et al., 2015).
    """

    carry_size = 2

    def weights(self, input_size: int) -> Params:
        return self.gated_weights(input_size, gates=4, bias_init=unit_forget_bias)

    def step(self, params: Params, carry: Carry, x_BE: Array, h_BH: Array) -> Carry:
        _, c_BH = carry
        i_BH, f_BH, g_BH, o_BH = jnp.split(preactivation(params, h_BH, x_BE), 4, axis=-1)
        c_BH = nn.sigmoid(f_BH) * c_BH + nn.sigmoid(i_BH) * jnp.tanh(g_BH)
        return nn.sigmoid(o_BH) * jnp.tanh(c_BH), c_BH


def unit_forget_bias(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
    """One for the forget gate, zero for i, g and o."""
    del key
    i_H, f_H, g_H, o_H = jnp.split(jnp.zeros(shape, dtype), 4)
    return jnp.concatenate([i_H, f_H + 1, g_H, o_H])


class GRUCell(Cell):
    """The GRU of Cho et al. (2014) in Flax's form (the reset gate scales the product h R_n).

    r, z = sigmoid(x K + h R + b); n = tanh(x K_n + b_n + r (h R_n + b_hn)); h' = (1 - z) n + z h.
    Gates in the order r, z, n. Dropout acts on the products with h, not on the h that is kept.
    """

    def weights(self, input_size: int) -> Params:
        params = self.gated_weights(input_size, gates=3)
        return params | {"new_bias": self.param("new_bias", zeros_init(), (self.features,))}

    def step(self, params: Params, carry: Carry, x_BE: Array, h_BH: Array) -> Carry:
        (kept_BH,) = carry
        x_BG = matmul(x_BE, params["kernel"]) + params["bias"]
        xr_BH, xz_BH, xn_BH = jnp.split(x_BG, 3, axis=-1)
        hr_BH, hz_BH, hn_BH = jnp.split(matmul(h_BH, params["recurrent_kernel"]), 3, axis=-1)
        r_BH, z_BH = nn.sigmoid(xr_BH + hr_BH), nn.sigmoid(xz_BH + hz_BH)
        n_BH = jnp.tanh(xn_BH + r_BH * (hn_BH + params["new_bias"]))
        return ((1 - z_BH) * n_BH + z_BH * kept_BH,)
