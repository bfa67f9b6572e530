"""Cells as users write them, one for each thing that a cell may do and ours do not."""

import jax

from rnnsent.cells import Cell, glorot_uniform, jnp, matmul, nn


class MinimalCell(Cell):
    """h' = (1 - z) h + z tanh(x K), as the module docstring of ``rnnsent.cells`` writes it."""

    def weights(self, input_size):
        shape = (input_size, 2 * self.features)
        return {"kernel": self.param("kernel", glorot_uniform(), shape)}

    def step(self, params, carry, x_BE):
        (h_BH,) = carry
        z_BH, g_BH = jnp.split(matmul(x_BE, params["kernel"]), 2, axis=-1)
        z_BH = nn.sigmoid(z_BH)
        return ((1 - z_BH) * h_BH + z_BH * jnp.tanh(g_BH),)


class LeakyCell(Cell):
    """h' = h + leak (tanh(x K) - h); ``leak`` is no parameter."""

    leak: float = 0.1
    square: bool = False

    def weights(self, input_size):
        return self.param("kernel", glorot_uniform(), (input_size, self.features))

    def step(self, params, carry, x_BE):
        (h_BH,) = carry
        h_BH = h_BH + self.leak * (jnp.tanh(x_BE @ params) - h_BH)
        return (h_BH**2 if self.square else h_BH,)


class MatrixCell(Cell):
    """A matrix memory (B, H, H): M' = f M + v k^T, read as M' q (linear attention that forgets)."""

    def weights(self, input_size):
        kernel = self.param("kernel", glorot_uniform(), (input_size, 3 * self.features))
        return {"kernel": kernel, "forget": self.param("forget", nn.initializers.ones, ())}

    def initialize_carry(self, rng, input_shape):
        del rng
        return (jnp.zeros((*input_shape[:-1], self.features, self.features)),)

    def step(self, params, carry, x_BE):
        (memory_BHH,) = carry
        _, k_BH, v_BH = jnp.split(x_BE @ params["kernel"], 3, axis=-1)
        new_BHH = v_BH[..., :, None] * jnp.tanh(k_BH)[..., None, :]
        return (nn.sigmoid(params["forget"]) * memory_BHH + new_BHH,)

    def output(self, params, carry, x_BE):
        q_BH, _, _ = jnp.split(x_BE @ params["kernel"], 3, axis=-1)
        return jnp.tanh(jnp.einsum("...ij,...j->...i", carry[0], q_BH))


class CountingCell(Cell):
    """The mean of tanh(x K) over the steps so far, which an integer (B,) in the carry counts."""

    def weights(self, input_size):
        return {"kernel": self.param("kernel", glorot_uniform(), (input_size, self.features))}

    def initialize_carry(self, rng, input_shape):
        (h_BH,) = super().initialize_carry(rng, input_shape)
        return h_BH, jnp.zeros(input_shape[:-1], jnp.int32)

    def step(self, params, carry, x_BE):
        h_BH, count_B = carry
        count_B = count_B + 1
        new_BH = jnp.tanh(x_BE @ params["kernel"])
        return h_BH + (new_BH - h_BH) / count_B[..., None], count_B


class ShuffledCell(Cell):
    """h' = tanh(x K + 0.9 h[order]); the order is an index table among what a step gets."""

    def weights(self, input_size):
        kernel = self.param("kernel", glorot_uniform(), (input_size, self.features))
        return {"kernel": kernel, "order": jax.random.permutation(jax.random.key(7), self.features)}

    def step(self, params, carry, x_BE):
        (h_BH,) = carry
        return (jnp.tanh(x_BE @ params["kernel"] + 0.9 * h_BH[..., params["order"]]),)


class PositiveCell(Cell):
    """h' = tanh(x K) + exp(-exp(rate)) h from 0.3: a decay that no training can make negative."""

    def weights(self, input_size):
        kernel = self.param("kernel", glorot_uniform(), (input_size, self.features))
        rate = self.param("rate", nn.initializers.normal(1.0), (self.features,))
        return {"kernel": kernel, "decay": jnp.exp(-jnp.exp(rate))}

    def initialize_carry(self, rng, input_shape):
        (h_BH,) = super().initialize_carry(rng, input_shape)
        return (h_BH + 0.3,)

    def step(self, params, carry, x_BE):
        (h_BH,) = carry
        return (jnp.tanh(x_BE @ params["kernel"]) + params["decay"] * h_BH,)


class ConstantCell(Cell):
    """h' = (h + x's mean) / 2: a cell without parameters."""

    def weights(self, input_size):
        del input_size

    def step(self, params, carry, x_BE):
        assert params is None
        return ((carry[0] + x_BE.mean(-1, keepdims=True)) / 2,)


class LoopingCell(Cell):
    """h' = tanh(2 K h + x's mean), the product in a loop of its own."""

    def weights(self, input_size):
        del input_size
        return {"kernel": self.param("kernel", nn.initializers.orthogonal(), (self.features,) * 2)}

    def step(self, params, carry, x_BE):
        def body(_, sum_BH):
            return sum_BH + carry[0] @ params["kernel"]

        sum_BH = jax.lax.fori_loop(0, 2, body, jnp.zeros_like(carry[0]))
        return (jnp.tanh(sum_BH + x_BE.mean(-1, keepdims=True)),)


GUESTS = (MinimalCell, MatrixCell, CountingCell, ShuffledCell, PositiveCell, ConstantCell)
