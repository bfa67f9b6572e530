"""Cells as steps over time: with their parameters and dropout, one above another, nudged."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from rnnsent.arrays import Array, Carry, Pairs, Params, Step
from rnnsent.cells import Cell


class Layer(NamedTuple):
    """One recurrent layer as plain data.

    Attributes:
      step: ``step(params, carry, x_BE) -> carry`` (static).
      params: of that step, dropout masks included.
      carry: the initial carry.
    """

    step: Step
    params: Params
    carry: Carry


def stack(layers: Sequence[Layer]) -> Layer:
    """Layers one above another as one layer: all of them advance in the same pass over time.

    One pass keeps the outputs of the lower layers in cache instead of writing (B, T, H) between
    layers. The carry is flat, the top layer's first, so ``carry[0]`` is the stack's output.
    """
    step = _Stacked(tuple(layer.step for layer in layers), tuple(len(la.carry) for la in layers))
    carry = sum((layer.carry for layer in reversed(layers)), ())
    return Layer(step, [layer.params for layer in layers], carry)


@dataclasses.dataclass(frozen=True)
class _Stacked:
    """The step of :func:`stack`."""

    steps: tuple[Step, ...]
    sizes: tuple[int, ...]

    def __call__(self, params: Sequence[Params], carry: Carry, x_BE: Array) -> Carry:
        carries, end = [], len(carry)
        for i, (step, size) in enumerate(zip(self.steps, self.sizes, strict=True)):
            with jax.named_scope(f"layer_{i}"):
                carries.append(step(params[i], carry[end - size : end], x_BE))
            end, x_BE = end - size, carries[-1][0]
        return sum(reversed(carries), ())


def dropout_mask(key: Array, rows_B: Array, width: int, rate: float) -> Array:
    """A scaled keep-mask (B, width): one draw per row for the whole sequence (Gal & Ghahramani).

    Source: arXiv:1512.05287, as Keras applies it. Each row's draw depends on the key and the row's
    number alone, so splitting a batch over devices or micro-batches changes nothing.

    Args:
      key: PRNG key.
      rows_B: int32, the number of each row in the whole batch.
      width: of the masked features.
      rate: the share dropped, in [0, 1).

    Returns:
      float32, 0 where dropped and 1 / (1 - rate) where kept.
    """

    def row(number):
        return jax.random.bernoulli(jax.random.fold_in(key, number), 1 - rate, (width,))

    return jnp.where(jax.vmap(row)(rows_B), 1 / (1 - rate), 0.0)


def cell_layer(
    cell: nn.RNNCellBase,
    x_BE: Array,
    *,
    input_dropout_BE: Array | None = None,
    recurrent_dropout_BH: Array | None = None,
) -> Layer:
    """A bound cell, ours or one of Flax's, as a layer; ``x_BE`` gives the shape of its inputs.

    A cell whose output is not ``carry[0]`` has that output put before its carry.

    Raises:
      ValueError: for recurrent dropout with a cell that does not say where it acts.
    """
    step: Step
    if isinstance(cell, Cell):
        params, carry = cell.declare(x_BE.shape[-1]), cell.initialize_carry(None, x_BE.shape)
        cell = cell.clone(parent=None, name=None)
        step = own = _CellStep(cell, type(cell).output is not Cell.output)
        if own.has_output:
            y_BH = jax.eval_shape(cell.output, params, carry, x_BE)
            carry = (jnp.zeros(y_BH.shape, y_BH.dtype), *carry)
    elif recurrent_dropout_BH is not None:
        raise ValueError(
            f"{type(cell).__name__} takes no recurrent dropout; set it to 0 or write the cell as a "
            "rnnsent.cells.Cell"
        )
    else:
        step, params, carry = _flax_step(cell, x_BE)
    return Layer(step, (params, input_dropout_BE, recurrent_dropout_BH), carry)


@dataclasses.dataclass(frozen=True)
class _CellStep:
    """A cell's step with dropout; its params are the cell's and the two masks, or None.

    ``affine`` and ``complete`` are those of :mod:`rnnsent.kernels.associative`.
    """

    cell: Cell
    has_output: bool

    @property
    def affine(self) -> Any:
        return self._affine if self.cell.affine is not None else None

    def _affine(self, all_params: Params, x_BE: Array) -> Pairs:
        params, input_dropout_BE, _ = all_params
        assert self.cell.affine is not None
        return self.cell.affine(params, _dropped(x_BE, input_dropout_BE))

    def complete(self, all_params: Params, inner: Carry, x_BE: Array) -> Carry:
        params, input_dropout_BE, _ = all_params
        if not self.has_output:
            return inner
        return (self.cell.output(params, inner, _dropped(x_BE, input_dropout_BE)), *inner)

    def __call__(self, all_params: Params, carry: Carry, x_BE: Array) -> Carry:
        params, input_dropout_BE, recurrent_dropout_BH = all_params
        x_dropped_BE = _dropped(x_BE, input_dropout_BE)
        inner = carry[1:] if self.has_output else carry
        inner = self.cell.advance(params, inner, x_dropped_BE, recurrent_dropout_BH)
        return self.complete(all_params, inner, x_BE)


def _dropped(x_BE: Array, dropout_BE: Array | None) -> Array:
    return x_BE if dropout_BE is None else x_BE * dropout_BE


def _flax_step(cell: nn.RNNCellBase, x_BE: Array) -> tuple[Step, Params, Carry]:
    """Flax's ``cell(carry, x) -> carry, y`` as a step whose carry is ``(y, *Flax's carry)``."""
    carry = cell.initialize_carry(jax.random.key(0), x_BE.shape)
    leaves, treedef = jax.tree.flatten(carry)
    _, y_BH = cell(carry, x_BE)  # declares the parameters
    unbound, variables = cell.clone(parent=None), cell.variables

    def step(all_params, carry, x_BE):
        params, input_dropout_BE, _ = all_params
        x_BE = _dropped(x_BE, input_dropout_BE)
        inner, y_BH = unbound.apply(params, jax.tree.unflatten(treedef, carry[1:]), x_BE)
        return (y_BH, *jax.tree.leaves(inner))

    return step, variables, (jnp.zeros_like(y_BH), *leaves)


@dataclasses.dataclass(frozen=True)
class Nudged:
    """A step that adds something to its carry."""

    step: Step

    def __call__(self, params: Params, carry: Carry, x_and_nudges: Any) -> Carry:
        x_BE, nudges = x_and_nudges
        carry = self.step(params, carry, x_BE)
        pairs = zip(carry, nudges, strict=True)
        return tuple(a if nudge is None else a + nudge for a, nudge in pairs)
