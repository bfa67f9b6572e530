"""The contract of a recurrent cell: declared parameters and one pure step."""

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import jax.numpy as jnp
from flax import linen as nn
from flax.linen.initializers import Initializer, glorot_uniform, orthogonal, zeros_init

from rnnsent.arrays import Array, Carry, Pairs, Params, applied

_PLAIN = ("step", "affine", "output", "initialize_carry")
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

        A cell that defines ``affine`` need not define it.
        """
        if self.affine is None:
            raise NotImplementedError(
                f"{type(self).__name__} must define step(self, params, carry, x_BE)"
            )
        return applied(self.affine(params, x_BE), carry)

    affine: ClassVar[Callable[..., Pairs] | None] = None
    """Of a cell that is affine in its carry ``affine(self, params, x_BE)``: for each array c of the
    carry a pair (a, b) of the step c' = a c + b, element by element; ``a`` has b's number of axes
    and broadcasts. Such a cell also runs on ``lax.associative_scan``."""

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
    def gated_weights(
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
