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

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from flax.linen.initializers import Initializer, glorot_uniform, orthogonal, zeros_init

from rnnsent.arrays import Array, Carry, Params, matmul
from rnnsent.errors import UserError

_PLAIN = ("step", "output", "initialize_carry")
"""Methods that see a cell's attributes only; Flax would wrap them for parameters and scopes."""


class Cell(nn.RNNCellBase):
    """Base of a cell: subclasses give ``weights`` and ``step``.

    A cell is a linen module, so attributes of the class with a type are hyper-parameters::

        class LeakyCell(Cell):
            leak: float = 0.1        # self.leak in step; never trained; ``cell_options`` sets it

    It is also a ``flax.linen.RNNCellBase``, so it runs in Flax's own ``nn.RNN``.

    Attributes:
      features: H, the width of the output.
      carry_size: how many arrays (B, H) of zeros the carry starts as, where
        ``initialize_carry`` says nothing else.
    """

    features: int
    carry_size = 1

    def __init_subclass__(cls, **kwargs: Any):
        for name in _PLAIN:
            if name in vars(cls):
                nn.nowrap(vars(cls)[name])
        super().__init_subclass__(**kwargs)

    def weights(self, input_size: int) -> Params:
        """Declares the parameters for inputs of width ``input_size`` (E).

        What it returns, any pytree, is what ``step`` gets: it may be a function of what was
        declared. A cell without parameters returns None.
        """
        raise NotImplementedError(f"{type(self).__name__} must define weights(self, input_size)")

    @nn.nowrap
    def step(self, params: Params, carry: Carry, x_BE: Array, *_: Any, **__: Any) -> Carry:
        """The next carry from the last one and one input, each row by itself.

        A step with one more argument, ``step(self, params, carry, x_BE, h_BH)``, says where
        recurrent dropout acts: ``h_BH`` is ``carry[0]`` as it enters the recurrent product, in
        training with units dropped. Without that argument recurrent dropout is refused.

        It must be finite and differentiable at ``x_BE`` = 0, which is how padding is read.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define step(self, params, carry, x_BE)"
        )

    @nn.nowrap
    def output(self, params: Params, carry: Carry, x_BE: Array) -> Array:
        """What a step gives to the layer above, (B, H), from the carry after it; ``carry[0]``.

        A cell that defines it has zeros for its output before a row's first real step.
        """
        del params, x_BE
        return carry[0]

    @nn.nowrap
    def initialize_carry(self, rng: Array | None, input_shape: tuple[int, ...]) -> Carry:
        """Zeros ``(..., H)`` for inputs of shape ``(..., E)``; ``rng`` is not used.

        A cell may return a tuple of arrays (B, ...) of any shapes and dtypes.
        """
        del rng
        zeros = jnp.zeros((*input_shape[:-1], self.features))
        return (zeros,) * self.carry_size

    @nn.compact
    def declare(self, input_size: int) -> Params:
        """``weights`` where Flax allows parameters to be declared; for callers of a bound cell."""
        return self.weights(input_size)

    def __call__(self, carry: Carry, x_BE: Array) -> tuple[Carry, Array]:
        params = self.declare(x_BE.shape[-1])
        carry = self.advance(params, carry, x_BE)
        return carry, self.output(params, carry, x_BE)

    @nn.nowrap
    def advance(
        self, params: Params, carry: Carry, x_BE: Array, dropout_BH: Array | None = None
    ) -> Carry:
        """``step`` with recurrent dropout: ``dropout_BH`` scales what enters the recurrent product.

        Raises:
          ValueError: for dropout with a cell whose step does not say where it acts.
        """
        if self.drops_recurrence():
            h_BH = carry[0] if dropout_BH is None else carry[0] * dropout_BH
            return self.step(params, carry, x_BE, h_BH)
        if dropout_BH is not None:
            raise ValueError(
                f"{type(self).__name__} takes no recurrent dropout: its step has no argument h_BH "
                "that says where it acts. Set recurrent_dropout to 0, or add the argument"
            )
        return self.step(params, carry, x_BE)

    @classmethod
    def drops_recurrence(cls) -> bool:
        """Whether the step says where recurrent dropout acts."""
        return "h_BH" in inspect.signature(cls.step).parameters

    @property
    def num_feature_axes(self) -> int:
        return 1

    @nn.nowrap
    def _gated_weights(
        self,
        input_size: int,
        gates: int,
        bias_init: Initializer = zeros_init(),  # noqa: B008
    ) -> Params:
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
    return matmul(jnp.concatenate([x_BE, h_BH], axis=-1), kernel) + params["bias"]


class SimpleRNNCell(Cell):
    """h' = tanh(x K + h R + b), as ``keras.layers.SimpleRNN`` (Elman, 1990)."""

    def weights(self, input_size: int) -> Params:
        return self._gated_weights(input_size, gates=1)

    def step(self, params: Params, carry: Carry, x_BE: Array, h_BH: Array) -> Carry:
        return (jnp.tanh(_preactivation(params, h_BH, x_BE)),)


class LSTMCell(Cell):
    """c' = f c + i g, h' = o tanh(c'), gates in the order i, f, g, o, as ``keras.layers.LSTM``.

    Hochreiter & Schmidhuber (1997) with the forget gate of Gers et al. (2000), its bias starting
    at one (Jozefowicz et al., 2015).
    """

    carry_size = 2

    def weights(self, input_size: int) -> Params:
        return self._gated_weights(input_size, gates=4, bias_init=_unit_forget_bias)

    def step(self, params: Params, carry: Carry, x_BE: Array, h_BH: Array) -> Carry:
        _, c_BH = carry
        i_BH, f_BH, g_BH, o_BH = jnp.split(_preactivation(params, h_BH, x_BE), 4, axis=-1)
        c_BH = nn.sigmoid(f_BH) * c_BH + nn.sigmoid(i_BH) * jnp.tanh(g_BH)
        return nn.sigmoid(o_BH) * jnp.tanh(c_BH), c_BH


def _unit_forget_bias(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
    del key
    i_H, f_H, g_H, o_H = jnp.split(jnp.zeros(shape, dtype), 4)
    return jnp.concatenate([i_H, f_H + 1, g_H, o_H])


class GRUCell(Cell):
    """The GRU of Cho et al. (2014) in Flax's form (the reset gate scales the product h R_n).

    r, z = sigmoid(x K + h R + b); n = tanh(x K_n + b_n + r (h R_n + b_hn)); h' = (1 - z) n + z h.
    Gates in the order r, z, n. Dropout acts on the products with h, not on the h that is kept.
    """

    def weights(self, input_size: int) -> Params:
        params = self._gated_weights(input_size, gates=3)
        return params | {"new_bias": self.param("new_bias", zeros_init(), (self.features,))}

    def step(self, params: Params, carry: Carry, x_BE: Array, h_BH: Array) -> Carry:
        (kept_BH,) = carry
        x_BG = matmul(x_BE, params["kernel"]) + params["bias"]
        xr_BH, xz_BH, xn_BH = jnp.split(x_BG, 3, axis=-1)
        hr_BH, hz_BH, hn_BH = jnp.split(matmul(h_BH, params["recurrent_kernel"]), 3, axis=-1)
        r_BH, z_BH = nn.sigmoid(xr_BH + hr_BH), nn.sigmoid(xz_BH + hz_BH)
        n_BH = jnp.tanh(xn_BH + r_BH * (hn_BH + params["new_bias"]))
        return ((1 - z_BH) * n_BH + z_BH * kept_BH,)


CELLS: dict[str, type[Cell]] = {"simple_rnn": SimpleRNNCell, "lstm": LSTMCell, "gru": GRUCell}

ADVICE = f"Give one of {', '.join(CELLS)}, or module:Class from a folder that Python finds."
"""What to do where a name stands for no cell."""


def find(name: str) -> type[Cell]:
    """The cell that a name stands for: one of ``CELLS``, or ``module:Class`` of the user's own.

    Raises:
      UserError: if there is none, or it is no cell.
    """
    if name in CELLS:
        return CELLS[name]
    module, _, attribute = name.partition(":")
    try:
        cell = getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # a user's module may fail in any way
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"There is no cell {name!r} ({why}). {ADVICE}") from error
    if not (inspect.isclass(cell) and issubclass(cell, Cell)):
        raise UserError(f"{name} is no subclass of rnnsent.cells.Cell. {ADVICE}")
    return cell


def create(name: str, features: int, options: Mapping[str, Any]) -> Cell:
    """A cell of a name and width with its hyper-parameters.

    Raises:
      UserError: for a hyper-parameter that the cell does not have.
    """
    cell = find(name)
    known = set(cell.__dataclass_fields__) - {"parent", "name", "features"}
    if unknown := set(options) - known:
        raise UserError(
            f"{name} has no option {', '.join(sorted(unknown))}; "
            f"it has {', '.join(sorted(known)) or 'none'}."
        )
    return cell(features=features, **options)


def title(name: str) -> str:
    """A cell's name in a table, without importing anything."""
    class_name = CELLS[name].__name__ if name in CELLS else name.rpartition(":")[2]
    return class_name.removesuffix("Cell")
