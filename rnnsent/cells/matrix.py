"""A cell that remembers in a matrix: pairs of key and value, read by a query."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from flax.linen.initializers import glorot_uniform, zeros_init

from rnnsent.arrays import Array, Carry, Params, matmul
from rnnsent.cells.cell import Cell

_LARGEST = 40.0
"""The square of e^-40, by which a quotient's gradient divides, is still a float32."""


class MLSTMCell(Cell):
    """The mLSTM of xLSTM (Beck et al., arXiv:2405.04517), one head without the block around it.

    C' = f C + i v k^T, n' = f n + i k, h' = o (C' q) / max(abs(n' q), 1) with q, k, v and the
    pre-activations of the gates affine in x: i = exp(i~), f = sigmoid(f~), both scalars, o =
    sigmoid(o~), and k scaled by 1 / sqrt(H). Nothing recurrent meets a kernel, so there is no
    recurrent dropout.

    The carry is (C, n, m) with C and n scaled by e^-m, (B, H, H), (B, H) and (B,). As in the paper
    m' = max(log f + m, i~) keeps exp from overflowing; here it is also at least zero, so that the
    bound of one, scaled e^-m, does not overflow where all gates are nearly shut. The outputs are
    the same for any m, but that the bound is never below e^-40. The forget gate's bias starts at 3,
    as in the authors' code.
    """

    def weights(self, input_size: int) -> Params:
        stored, read = 2 * self.features + 2, 2 * self.features
        return {
            "kernel": self.param("kernel", glorot_uniform(), (input_size, stored)),
            "bias": self.param("bias", _open_forget_gate, (stored,)),
            "read_kernel": self.param("read_kernel", glorot_uniform(), (input_size, read)),
            "read_bias": self.param("read_bias", zeros_init(), (read,)),
        }

    def initialize_carry(self, rng: Array | None, input_shape: tuple[int, ...]) -> Carry:
        del rng
        rows, width = input_shape[:-1], self.features
        return jnp.zeros((*rows, width, width)), jnp.zeros((*rows, width)), jnp.zeros(rows)

    def step(self, params: Params, carry: Carry, x_BE: Array) -> Carry:
        C_BHH, n_BH, m_B = carry
        kv_BG, gates_BG = jnp.split(_preactivation(params, "", x_BE), [2 * self.features], axis=-1)
        k_BH, v_BH = jnp.split(kv_BG, 2, axis=-1)
        k_BH = k_BH / self.features**0.5
        log_i_B, kept_B = gates_BG[..., 0], nn.log_sigmoid(gates_BG[..., 1]) + m_B
        m_B = jnp.maximum(jnp.maximum(kept_B, log_i_B), 0.0)
        i_B1, f_B1 = jnp.exp(log_i_B - m_B)[..., None], jnp.exp(kept_B - m_B)[..., None]
        new_BHH = (i_B1 * v_BH)[..., :, None] * k_BH[..., None, :]
        return f_B1[..., None] * C_BHH + new_BHH, f_B1 * n_BH + i_B1 * k_BH, m_B

    def output(self, params: Params, carry: Carry, x_BE: Array) -> Array:
        C_BHH, n_BH, m_B = carry
        q_BH, o_BH = jnp.split(_preactivation(params, "read_", x_BE), 2, axis=-1)
        read_BH = jnp.einsum("...vk,...k->...v", C_BHH, q_BH)
        found_B1 = jnp.abs((n_BH * q_BH).sum(-1, keepdims=True))
        bound_B1 = jnp.exp(-jnp.minimum(m_B, _LARGEST))[..., None]
        return nn.sigmoid(o_BH) * read_BH / jnp.maximum(found_B1, bound_B1)


def _preactivation(params: Params, name: str, x_BE: Array) -> Array:
    return matmul(x_BE, params[f"{name}kernel"]) + params[f"{name}bias"]


def _open_forget_gate(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
    """3 for f, which stands last; zero for k, v and i."""
    del key
    return jnp.zeros(shape, dtype).at[-1].set(3.0)
