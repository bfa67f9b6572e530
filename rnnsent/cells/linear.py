"""Cells that are affine in their carry, so that ``lax.associative_scan`` can run them too."""

import functools
import math

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen.initializers import glorot_uniform, variance_scaling, zeros_init

from rnnsent.arrays import Array, Carry, Pairs, Params, matmul
from rnnsent.cells.cell import Cell


class _Minimal(Cell):
    """Gates from the input alone, side by side in one kernel (E, G) and bias (G,)."""

    gates = 2

    def weights(self, input_size: int) -> Params:
        width = self.gates * self.features
        return {
            "kernel": self.param("kernel", glorot_uniform(), (input_size, width)),
            "bias": self.param("bias", zeros_init(), (width,)),
        }

    @nn.nowrap
    def _gates(self, params: Params, x_BE: Array) -> list[Array]:
        return jnp.split(matmul(x_BE, params["kernel"]) + params["bias"], self.gates, axis=-1)


class MinGRUCell(_Minimal):
    """h' = (1 - z) h + z n with z = sigmoid(x K_z + b_z), n = x K_n + b_n; gates z, n.

    The minGRU of Feng et al., "Were RNNs all we needed?" (arXiv:2410.01201), section 3.1. The form
    in log space of its appendix B makes n positive first and is another cell.
    """

    def affine(self, params: Params, x_BE: Array) -> Pairs:  # type: ignore[override]
        z_BH, n_BH = self._gates(params, x_BE)
        # sigmoid(-z) keeps the digits that 1 - sigmoid(z) would lose.
        return ((nn.sigmoid(-z_BH), nn.sigmoid(z_BH) * n_BH),)


class MinLSTMCell(_Minimal):
    """h' = f' h + i' n with f' = f / (f + i), i' = i / (f + i), gates i, f, n, as LSTM's sigmoids.

    The minLSTM of Feng et al. (arXiv:2410.01201), section 3.2, its gates normalised to sum to one;
    as with minGRU not the form of appendix B.
    """

    gates = 3

    def affine(self, params: Params, x_BE: Array) -> Pairs:  # type: ignore[override]
        i_BH, f_BH, n_BH = self._gates(params, x_BE)
        # f / (f + i) is sigmoid(log f - log i), which cannot divide zero by zero.
        odds_BH = nn.log_sigmoid(f_BH) - nn.log_sigmoid(i_BH)
        return ((nn.sigmoid(odds_BH), nn.sigmoid(-odds_BH) * n_BH),)


_normal = functools.partial(variance_scaling, mode="fan_in", distribution="normal")


class LRUCell(Cell):
    """s' = lambda s + gamma (x B), y = Re(s' C) + x D, with a complex diagonal lambda inside the
    unit circle: lambda = exp(-exp(nu) + i exp(theta)), gamma = sqrt(1 - |lambda|^2).

    The linear recurrent unit of Orvieto et al. (arXiv:2303.06349), without the layers around it.
    There gamma only starts at this and is learned, and D is a vector, as its inputs are as wide as
    its outputs.

    Attributes:
      r_min: |lambda| starts between this,
      r_max: and this, uniformly over the ring.
      max_phase: the phase starts uniformly between 0 and this, in radians.
    """

    r_min: float = 0.0
    r_max: float = 1.0
    max_phase: float = 2 * math.pi

    def weights(self, input_size: int) -> Params:
        def nu(key: Array, shape: tuple[int, ...]) -> Array:
            low, high = self.r_min**2, self.r_max**2
            squared = jax.random.uniform(key, shape, minval=low, maxval=high)
            return jnp.log(-0.5 * jnp.log(jnp.maximum(squared, jnp.finfo(squared.dtype).tiny)))

        def theta(key: Array, shape: tuple[int, ...]) -> Array:
            return jnp.log(self.max_phase * jax.random.uniform(key, shape, minval=1e-6))

        H = self.features
        return {
            "nu": self.param("nu", nu, (H,)),
            "theta": self.param("theta", theta, (H,)),
            # B and C, real and imaginary parts side by side, each part as the paper draws it.
            "kernel": self.param("kernel", _normal(0.5), (input_size, 2 * H)),
            "readout": self.param("readout", _normal(2.0), (2 * H, H)),
            "skip": self.param("skip", _normal(1.0), (input_size, H)),
        }

    @nn.nowrap
    def initialize_carry(self, rng: Array | None, input_shape: tuple[int, ...]) -> Carry:
        del rng
        return (jnp.zeros((*input_shape[:-1], self.features), jnp.result_type(complex)),)

    def affine(self, params: Params, x_BE: Array) -> Pairs:  # type: ignore[override]
        rate_H = -jnp.exp(params["nu"])
        lambda_H = jnp.exp(jax.lax.complex(rate_H, jnp.exp(params["theta"])))
        gamma_H = jnp.sqrt(-jnp.expm1(2 * rate_H))  # 1 - |lambda|^2 without cancellation
        real_BH, imaginary_BH = jnp.split(matmul(x_BE, params["kernel"]), 2, axis=-1)
        b_BH = jax.lax.complex(gamma_H * real_BH, gamma_H * imaginary_BH)
        return ((jnp.broadcast_to(lambda_H, b_BH.shape), b_BH),)

    def output(self, params: Params, carry: Carry, x_BE: Array) -> Array:
        (s_BH,) = carry
        parts = jnp.concatenate([s_BH.real, -s_BH.imag], axis=-1)  # Re(s C) as one real product
        return matmul(parts, params["readout"]) + matmul(x_BE, params["skip"])
