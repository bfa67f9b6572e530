"""Recurrent layers: cells of any depth and with dropout, run by the recurrence."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from rnnsent.arrays import Array, Carry, is_float
from rnnsent.recurrence import Implementation, implementation_of, scan
from rnnsent.steps import Layer, Nudged, cell_layer, dropout_mask, stack


class Recurrent(nn.Module):
    """Recurrent layers over time, one per cell; like ``nn.RNN``, for any mask and any depth.

    Its variable collection ``scratch`` is memory for the backward pass, made by a call with
    ``mutable=["scratch"]``. A loop of training steps that differentiates with respect to it and
    hands the result on allocates and clears it once; without it every step has memory of its own.

    Attributes:
      cells: ours or Flax's, the lowest first.
      dropout: share of each layer's inputs dropped, the same units at every step.
      recurrent_dropout: share of the state dropped where it enters the recurrent product.
      implementation: see :func:`scan`.
      reverse: see :func:`scan`.
    """

    cells: Sequence[nn.RNNCellBase]
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    implementation: str | Implementation = "scan"
    reverse: bool = False

    @nn.compact
    def __call__(
        self,
        x_BTE: Array,
        mask: Array | None = None,
        *,
        resets_BT: Array | None = None,
        carry: Carry | None = None,
        sequences: bool = True,
        train: bool = False,
        rows_B: Array | None = None,
        nudges: Sequence[Array | None] | None = None,
    ) -> tuple[Carry, Array | None]:
        """Runs the layers; returns the stack's final carry and the top outputs (see :func:`scan`).

        Args:
          x_BTE: inputs.
          mask: see :func:`scan`.
          resets_BT: bool, where the cells' own initial carry returns, see :func:`scan`.
          carry: the initial carry, the cells' own where None: a stack's is flat, the top layer's
            first.
          sequences: whether to return every step's output.
          train: apply dropout, with the random stream ``dropout``.
          rows_B: each row's number in the whole batch, where this is a part of one.
          nudges: for each array of the stack's carry a (B, T, ...) that is added to it after each
            real step, or None: a gradient with respect to one is that of what is carried.
        """
        layers = self.layers(x_BTE, train=train, rows_B=rows_B)
        options: dict[str, Any] = {"reverse": self.reverse, "implementation": self.implementation}
        if not implementation_of(self.implementation).stacks:
            if nudges is not None:
                raise ValueError(f"{self.implementation} takes no nudges; use scan")
            return _in_turn(layers, x_BTE, mask, resets_BT, carry, sequences, options)
        step, params, first = stack(layers)
        inputs: Any = x_BTE
        if nudges is not None:
            step, inputs = Nudged(step), (x_BTE, tuple(nudges))
        carry = first if carry is None else carry
        resets = None if resets_BT is None else (resets_BT, first)
        if resets is None:
            options["implementation"] = self._with_scratch(step, params, carry, inputs)
        return scan(
            step, params, carry, inputs, mask, resets=resets, sequences=sequences, **options
        )

    @nn.nowrap
    def layers(
        self, x_BTE: Array, *, train: bool = False, rows_B: Array | None = None
    ) -> list[Layer]:
        """The layers as :func:`rnnsent.steps.stack` takes them; of a bound module."""
        rows_B = jnp.arange(x_BTE.shape[0]) if rows_B is None else rows_B
        layers, x_BE = [], jnp.zeros((x_BTE.shape[0], *x_BTE.shape[2:]), x_BTE.dtype)

        def mask(rate: float, width: int) -> Array | None:
            if not (train and rate):
                return None
            return dropout_mask(self.make_rng("dropout"), rows_B, width, rate)

        for cell in self.cells:
            layer = cell_layer(
                cell,
                x_BE,
                input_dropout_BE=mask(self.dropout, x_BE.shape[-1]),
                recurrent_dropout_BH=mask(self.recurrent_dropout, cell.features),
            )
            layers.append(layer)
            x_BE = jnp.zeros_like(layer.carry[0])
        return layers

    @nn.nowrap
    def _with_scratch(self, *arguments: Any) -> Implementation:
        """With memory for a pass over these arguments, made where the caller lets it be kept."""
        implementation = implementation_of(self.implementation)
        if implementation.scratch is None or self.is_initializing():
            return implementation
        if self.is_mutable_collection("scratch"):
            memory = implementation.scratch(*arguments)
            # A gradient hands the memory on, and only floats have one.
            if all(map(is_float, jax.tree.leaves(memory))):
                self.variable("scratch", "memory", lambda: memory)
        return implementation.using(self.get_variable("scratch", "memory"))


def _in_turn(
    layers: Sequence[Layer],
    x_BTE: Any,
    mask: Array | None,
    resets_BT: Array | None,
    carry: Carry | None,
    sequences: bool,
    options: dict[str, Any],
) -> tuple[Carry, Array | None]:
    """One layer after another over all of time; the carries are those of their stack."""
    after: Carry = ()
    for i, layer in enumerate(layers):
        first, top = layer.carry, i == len(layers) - 1
        if carry is not None:
            carry, first = carry[: -len(first)], carry[-len(first) :]
        resets = None if resets_BT is None else (resets_BT, layer.carry)
        with jax.named_scope(f"layer_{i}"):
            carry_i, x_BTE = scan(
                layer.step,
                layer.params,
                first,
                x_BTE,
                mask,
                resets=resets,
                sequences=sequences or not top,
                **options,
            )
        after = carry_i + after
    return after, x_BTE
