"""Recurrent layers with more around them: a norm, a skip connection, products in bfloat16, and
reading both ways.

A block's output is ``x + cell(norm(x))``, the pre-norm form (Xiong et al., arXiv:2002.04745), each
part where asked for; it is one step over time like any other, so that masks, stacking and every
implementation of the recurrence treat it like a cell.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import jax.numpy as jnp
from flax import linen as nn

from rnnsent.arrays import Array, Carry, Pairs, Params, Step
from rnnsent.kernels.bfloat16 import InBfloat16
from rnnsent.layers import Recurrent
from rnnsent.steps import Layer

Compute = Literal["float32", "bfloat16"]


class Deep(Recurrent):
    """:class:`Recurrent` whose layers are blocks; its carries, masks and options are the same.

    A block with a skip carries its output before the cell's carry: zeros until a row's first real
    step, as of any cell whose output is apart from its carry.

    Attributes:
      norms: a Flax norm of each layer's inputs; without any, none.
      skip_from: number of the lowest layer whose inputs are added to its outputs; None for none.
      skip_part: which share of those inputs that is, as (part, parts) of equal width.
      compute: what the cells' matrix products are taken in, see :mod:`rnnsent.kernels.bfloat16`.
    """

    norms: Sequence[nn.LayerNorm] = ()
    skip_from: int | None = None
    skip_part: tuple[int, int] = (0, 1)
    compute: Compute = "float32"

    @nn.nowrap
    def layers(
        self, x_BTE: Array, *, train: bool = False, rows_B: Array | None = None
    ) -> list[Layer]:
        """The blocks as :func:`rnnsent.steps.stack` takes them; of a bound module."""
        x_BE = jnp.zeros((x_BTE.shape[0], *x_BTE.shape[2:]), x_BTE.dtype)
        blocks = []
        for i, layer in enumerate(super().layers(x_BTE, train=train, rows_B=rows_B)):
            norm = self.norms[i] if self.norms else None
            skips = self.skip_from is not None and i >= self.skip_from
            if self.compute == "bfloat16":
                layer = layer._replace(step=InBfloat16(layer.step))
            blocks.append(block(layer, x_BE, norm, self.skip_part if skips else None))
            x_BE = jnp.zeros_like(layer.carry[0])
        return blocks


def block(
    layer: Layer, x_BE: Array, norm: nn.LayerNorm | None, skip: tuple[int, int] | None
) -> Layer:
    """A layer with the norm of its inputs before it, and that part of them added to its output.

    Raises:
      ValueError: where the widths do not agree.
    """
    params: Params = (layer.params, None)
    carry = layer.carry
    if norm is not None:
        norm(x_BE)  # declares the parameters
        params = (layer.params, norm.variables["params"])
    if skip is not None:
        if skip[1] * carry[0].shape[-1] != x_BE.shape[-1]:
            raise ValueError(
                f"a skip connection adds {x_BE.shape[-1]} inputs to {skip[1]} x "
                f"{carry[0].shape[-1]} outputs; the widths must be equal"
            )
        carry = (jnp.zeros_like(carry[0] + _part(x_BE, skip)), *carry)
    unbound = None if norm is None else norm.clone(parent=None, name=None)
    return Layer(_Block(layer.step, unbound, skip), params, carry)


def _part(x_BE: Array, skip: tuple[int, int]) -> Array:
    part, parts = skip
    return jnp.split(x_BE, parts, axis=-1)[part]


@dataclasses.dataclass(frozen=True)
class _Block:
    """The step of :func:`block`; ``affine`` and ``complete`` as the step's own."""

    step: Step
    norm: nn.LayerNorm | None
    skip: tuple[int, int] | None

    def __call__(self, params: Params, carry: Carry, x_BE: Array) -> Carry:
        inner = carry if self.skip is None else carry[1:]
        return self._out(self.step(params[0], inner, self._normed(params, x_BE)), x_BE)

    @property
    def affine(self) -> Any:
        return self._affine if getattr(self.step, "affine", None) is not None else None

    def _affine(self, params: Params, x_BE: Array) -> Pairs:
        return self.step.affine(params[0], self._normed(params, x_BE))  # type: ignore[attr-defined]

    def complete(self, params: Params, inner: Carry, x_BE: Array) -> Carry:
        x_normed_BE = self._normed(params, x_BE)
        completed = self.step.complete(params[0], inner, x_normed_BE)  # type: ignore[attr-defined]
        return self._out(completed, x_BE)

    def _normed(self, params: Params, x_BE: Array) -> Array:
        if self.norm is None:
            return x_BE
        normed_BE: Array = self.norm.apply({"params": params[1]}, x_BE)  # type: ignore[assignment]
        return normed_BE

    def _out(self, carry: Carry, x_BE: Array) -> Carry:
        return carry if self.skip is None else (carry[0] + _part(x_BE, self.skip), *carry)


class Bidirectional(nn.Module):
    """Layers that read both ways, one after another; each gives both outputs side by side.

    As ``keras.layers.Bidirectional`` and PyTorch's ``bidirectional=True`` under any mask: a masked
    step keeps the carry of both directions, and the backward one starts at its initial carry after
    the last step (Schuster & Paliwal, 1997).

    Attributes:
      ahead: one layer each, the lowest first.
      back: likewise, with ``reverse``.
    """

    ahead: Sequence[Recurrent]
    back: Sequence[Recurrent]

    def __call__(
        self, x_BTE: Array, mask: Array | None = None, *, sequences: bool = True, **options: Any
    ) -> tuple[Carry, Array | None]:
        """The top layer's last output in each direction, and its outputs.

        Args:
          x_BTE: inputs.
          mask: see :func:`rnnsent.recurrence.scan`.
          sequences: whether to return every step's output.
          **options: ``train`` and ``rows_B`` of :meth:`Recurrent.__call__`.

        Returns:
          A tuple of one array (B, 2H): the forward direction's output after a row's last real step,
          beside the backward direction's after its first; and outputs (B, T, 2H), or None.

        Raises:
          ValueError: for options that speak of the one carry between two steps.
        """
        given = {name for name, value in options.items() if value is not None}
        if others := sorted(given - {"train", "rows_B"}):
            raise ValueError(
                f"layers that read both ways take no {', '.join(others)}: there is no one carry "
                "between two steps"
            )
        carries: list[Array] = []
        for i, pair in enumerate(zip(self.ahead, self.back, strict=True)):
            options["sequences"] = sequences or i < len(self.ahead) - 1
            both: list[Any] = [one(x_BTE, mask, **options) for one in pair]
            carries = [carry[0] for carry, _ in both]
            if options["sequences"]:
                x_BTE = jnp.concatenate([y_BTH for _, y_BTH in both], axis=-1)
        return (jnp.concatenate(carries, axis=-1),), x_BTE if sequences else None
