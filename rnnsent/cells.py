"""Recurrent cells: declared parameters and one pure step each.

A new cell is one class::

    class MinimalCell(Cell):                                  # h' = (1 - z) h + z tanh(x K)
        def weights(self, input_size):
            return {
                "kernel": self.param("kernel", glorot_uniform(), (input_size, 2 * self.features)),
            }

        @staticmethod
        def step(params, carry, x_BE):
            (h_BH,) = carry
            z_BH, g_BH = jnp.split(x_BE @ params["kernel"], 2, axis=-1)
            z_BH = nn.sigmoid(z_BH)
            return ((1 - z_BH) * h_BH + z_BH * jnp.tanh(g_BH),)

Masks, dropout, stacking, the memory-lean gradient, sharding and the benchmark then work for it.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen.initializers import glorot_uniform, orthogonal, zeros_init

Array = jax.Array
Params = Any
Carry = tuple[Array, ...]
Step = Callable[[Params, Carry, Array], Carry]


class Cell(nn.RNNCellBase):
    """Base of a cell: subclasses give ``weights`` and ``step``.

    It is also a ``flax.linen.RNNCellBase``, so it runs in Flax's own ``nn.RNN``.

    Attributes:
      features: H, the width of the output ``carry[0]``.
      carry_size: how many ``(B, H)`` arrays the carry holds.
    """

    features: int
    carry_size = 1

    def weights(self, input_size: int) -> Params:
        """Declares the parameters for inputs of width ``input_size`` (E); returns them."""
        raise NotImplementedError(f"{type(self).__name__} must define weights(input_size)")

    @staticmethod
    def step(params: Params, carry: Carry, x_BE: Array) -> Carry:
        """Next carry from the last one and one input; ``carry[0]`` (B, H) is the output."""
        raise NotImplementedError("a cell must define the static method step(params, carry, x_BE)")

    @classmethod
    def dropout_step(cls, params: Params, carry: Carry, x_BE: Array, dropout_BH: Array) -> Carry:
        """``step`` with recurrent dropout: ``dropout_BH`` scales what enters the recurrent product.

        Scaling ``carry[0]`` is right wherever the output is used in that product only. A cell that
        also interpolates with it, as a GRU does, overrides this.
        """
        h_BH, *rest = carry
        return cls.step(params, (h_BH * dropout_BH, *rest), x_BE)

    @nn.compact
    def declare(self, input_size: int) -> Params:
        """``weights`` where Flax allows parameters to be declared; for callers of a bound cell."""
        return self.weights(input_size)

    def __call__(self, carry: Carry, x_BE: Array) -> tuple[Carry, Array]:
        carry = self.step(self.declare(x_BE.shape[-1]), carry, x_BE)
        return carry, carry[0]

    @nn.nowrap
    def initialize_carry(self, rng: Array | None, input_shape: tuple[int, ...]) -> Carry:
        """Zeros ``(..., H)`` for inputs of shape ``(..., E)``; ``rng`` is not used."""
        del rng
        zeros = jnp.zeros((*input_shape[:-1], self.features))
        return (zeros,) * self.carry_size

    @property
    def num_feature_axes(self) -> int:
        return 1

    def _gated_weights(self, input_size: int, gates: int, bias_init=zeros_init()) -> Params:  # noqa: B008
        """Keras's layout: kernel (E, G), recurrent_kernel (H, G), bias (G,) with G = gates * H."""
        width = gates * self.features
        return {
            "kernel": self.param("kernel", glorot_uniform(), (input_size, width)),
            "recurrent_kernel": self.param(
                "recurrent_kernel", orthogonal(), (self.features, width)
            ),
            "bias": self.param("bias", bias_init, (width,)),
        }


def _preactivation(params: Params, h_BH: Array, x_BE: Array) -> Array:
    """x K + h R + b, as one product of what stands side by side: fewer, larger products."""
    kernel = jnp.concatenate([params["kernel"], params["recurrent_kernel"]])
    return jnp.concatenate([x_BE, h_BH], axis=-1) @ kernel + params["bias"]


class SimpleRNNCell(Cell):
    """h' = tanh(x K + h R + b), as ``keras.layers.SimpleRNN`` (Elman, 1990)."""

    def weights(self, input_size: int) -> Params:
        return self._gated_weights(input_size, gates=1)

    @staticmethod
    def step(params: Params, carry: Carry, x_BE: Array) -> Carry:
        (h_BH,) = carry
        return (jnp.tanh(_preactivation(params, h_BH, x_BE)),)


class LSTMCell(Cell):
    """c' = f c + i g, h' = o tanh(c'), gates in the order i, f, g, o, as ``keras.layers.LSTM``.

    Hochreiter & Schmidhuber (1997) with the forget gate of Gers et al. (2000), its bias starting
    at one (Jozefowicz et al., 2015).
    """

    carry_size = 2

    def weights(self, input_size: int) -> Params:
        return self._gated_weights(input_size, gates=4, bias_init=_unit_forget_bias)

    @staticmethod
    def step(params: Params, carry: Carry, x_BE: Array) -> Carry:
        h_BH, c_BH = carry
        i_BH, f_BH, g_BH, o_BH = jnp.split(_preactivation(params, h_BH, x_BE), 4, axis=-1)
        c_BH = nn.sigmoid(f_BH) * c_BH + nn.sigmoid(i_BH) * jnp.tanh(g_BH)
        return nn.sigmoid(o_BH) * jnp.tanh(c_BH), c_BH


def _unit_forget_bias(key: Array, shape: tuple[int, ...], dtype=jnp.float32) -> Array:
    del key
    i_H, f_H, g_H, o_H = jnp.split(jnp.zeros(shape, dtype), 4)
    return jnp.concatenate([i_H, f_H + 1, g_H, o_H])


class GRUCell(Cell):
    """The GRU of Cho et al. (2014) in Flax's form (the reset gate scales the product h R_n).

    r, z = sigmoid(x K + h R + b); n = tanh(x K_n + b_n + r (h R_n + b_hn)); h' = (1 - z) n + z h.
    Gates in the order r, z, n. A guest: it shows what a cell with its own dropout rule looks like.
    """

    def weights(self, input_size: int) -> Params:
        params = self._gated_weights(input_size, gates=3)
        return params | {"new_bias": self.param("new_bias", zeros_init(), (self.features,))}

    @staticmethod
    def step(params: Params, carry: Carry, x_BE: Array) -> Carry:
        return GRUCell.dropout_step(params, carry, x_BE, 1.0)

    @classmethod
    def dropout_step(cls, params: Params, carry: Carry, x_BE: Array, dropout_BH) -> Carry:
        (h_BH,) = carry
        xr_BH, xz_BH, xn_BH = jnp.split(x_BE @ params["kernel"] + params["bias"], 3, axis=-1)
        hr_BH, hz_BH, hn_BH = jnp.split(h_BH * dropout_BH @ params["recurrent_kernel"], 3, axis=-1)
        r_BH, z_BH = nn.sigmoid(xr_BH + hr_BH), nn.sigmoid(xz_BH + hz_BH)
        n_BH = jnp.tanh(xn_BH + r_BH * (hn_BH + params["new_bias"]))
        return ((1 - z_BH) * n_BH + z_BH * h_BH,)


CELLS: dict[str, type[Cell]] = {"simple_rnn": SimpleRNNCell, "lstm": LSTMCell, "gru": GRUCell}
