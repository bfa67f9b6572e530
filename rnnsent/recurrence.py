"""The masked recurrence over time: one function, one contract, any cell.

The contract of a masked step, on every path:

* it keeps the carry, wherever it stands (left, right, between real steps), and its output
  repeats the last one (the initial carry's before the first real step) or, by argument, is zero;
* a row with no real step returns its initial carry exactly;
* what stands in padding, NaN included, reaches neither outputs nor any gradient.

Masks are bool ``(B, T)``, True where a step is real.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from rnnsent.cells import Array, Carry, Cell, Params, Step
from rnnsent.kernels import cudnn, packing, ragged

IMPLEMENTATIONS = ("auto", "scan", "packed", "cudnn")


def scan(
    step: Step,
    params: Params,
    carry: Carry,
    x_BTE: Array,
    mask_BT: Array | None = None,
    *,
    sequences: bool = True,
    zero_masked: bool = False,
    reverse: bool = False,
    implementation: str = "scan",
    right_padded: bool = False,
    recompute: bool = True,
    unroll: int = 1,
    workspace: Any = None,
) -> tuple[Carry, Array | None]:
    """Runs ``step`` over time under a mask; the contract is the module's.

    Args:
      step: ``step(params, carry, x_BE) -> carry``; ``carry[0]`` is the output.
      params: what the step needs that does not change over time, any pytree.
      carry: the initial carry, arrays with leading axis B.
      x_BTE: inputs.
      mask_BT: bool, True = real; ``None`` means every step is.
      sequences: whether to return the output of every step; without it the second result is None.
      zero_masked: masked steps output zeros instead of repeating the last output.
      reverse: run from the last step to the first; outputs stay in the order of the inputs.
      implementation: ``scan`` is ``lax.scan``, differentiable in every way. ``packed`` moves each
        row's real steps together and runs only as many steps as the longest row has; it has no
        forward mode of its own (second derivatives work). ``cudnn`` is for CUDA GPUs and for the
        LSTM without recurrent dropout; it runs layer after layer, in reverse mode only. ``auto`` is
        what was measured fastest on the backend.
      right_padded: a promise that every row's real steps come first, which spares the packing.
      recompute: (``scan`` only) keep only the carries for the backward pass and recompute the rest
        of each step there, for the least memory. ``packed`` keeps what is dear to compute again.
      unroll: (``scan`` only) steps in one iteration of the compiled loop.
      workspace: (``packed`` only) memory for the backward pass, used again from call to call; see
        :func:`rnnsent.kernels.ragged.scan`.

    Returns:
      The final carry and the outputs (B, T, H), or None.

    Raises:
      ValueError: if the mask is not a bool array of the inputs' (B, T), for an unknown
        implementation, or for what an implementation cannot do.
    """
    implementation = resolve(implementation)
    if mask_BT is not None:
        _check_mask(mask_BT, x_BTE)
        x_BTE = jnp.where(mask_BT[..., None], x_BTE, 0)
    if reverse:
        x_BTE, mask_BT = jax.tree.map(lambda a: a[:, ::-1], (x_BTE, mask_BT))
        right_padded = False
    if implementation == "cudnn":
        run = functools.partial(cudnn.scan, right_padded=right_padded)
        carry, y_BTH = _by_layer(run, step, params, carry, x_BTE, mask_BT, sequences)
    elif implementation == "packed" and mask_BT is not None:
        carry, y_BTH = _packed(
            step, params, carry, x_BTE, mask_BT, sequences, right_padded, workspace
        )
    else:
        carry, y_BTH = _scanned(step, params, carry, x_BTE, mask_BT, sequences, recompute, unroll)
    if y_BTH is not None and zero_masked and mask_BT is not None:
        y_BTH = jnp.where(mask_BT[..., None], y_BTH, 0)
    return carry, y_BTH[:, ::-1] if sequences and reverse else y_BTH


def resolve(implementation: str) -> str:
    """The implementation that ``auto`` stands for on the present backend; others as they are."""
    if implementation not in IMPLEMENTATIONS:
        raise ValueError(
            f"unknown implementation {implementation!r}; expected one of "
            + ", ".join(IMPLEMENTATIONS)
        )
    if implementation != "auto":
        return implementation
    return "packed" if jax.default_backend() == "cpu" else "scan"


def _scanned(step, params, carry, x_BTE, mask_BT, sequences, recompute, unroll):
    def body(carry, x_and_mask):
        x_BE, mask_B = x_and_mask
        new = step(params, carry, x_BE)
        if mask_B is not None:
            new = packing.where(mask_B, new, carry)
        return new, new[0] if sequences else None

    if recompute:
        # The loop already keeps the compiler from merging the two computations.
        body = jax.checkpoint(body, prevent_cse=False)
    over_time = jax.tree.map(_time_first, (x_BTE, mask_BT))
    carry, y_TBH = jax.lax.scan(body, carry, over_time, unroll=unroll)
    return carry, _time_first(y_TBH) if sequences else None


def _packed(step, params, carry, x_BTE, mask_BT, sequences, right_padded, workspace):
    first_BH, length_B = carry[0], mask_BT.sum(1, dtype=jnp.int32)
    if not right_padded:
        x_BTE, length_B = packing.pack(x_BTE, mask_BT)
    x_TBE = _time_first(x_BTE)
    carry, y_TBH = ragged.scan(step, params, carry, x_TBE, length_B, sequences, workspace)
    return carry, packing.unpack(_time_first(y_TBH), first_BH, mask_BT) if sequences else None


def _by_layer(kernel, step, params, carry, x_BTE, mask_BT, sequences):
    """One layer after another, each by a kernel, which must know the cell and its weights."""
    if not isinstance(step, _Stacked):
        step, params = _Stacked((step,), (len(carry),)), [params]
    layers = zip(step.steps, params, _split(carry, step.sizes), strict=True)
    finals = []
    for each, each_params, first in layers:
        dropout_BH = None
        if isinstance(each, _Dropped):
            each_params, input_dropout_BE, dropout_BH = each_params
            if input_dropout_BE is not None:
                x_BTE = x_BTE * input_dropout_BE[:, None]
            each = each.step
        top = len(finals) == len(step.steps) - 1
        final, x_BTE = kernel(
            each, each_params, first, x_BTE, mask_BT, dropout_BH, sequences=sequences or not top
        )
        finals.append(final)
    return sum(reversed(finals), ()), x_BTE


def _time_first(a: Array) -> Array:
    """(B, T, ...) to (T, B, ...), and back."""
    return jnp.swapaxes(a, 0, 1)


def _check_mask(mask_BT: Array, x_BTE: Array) -> None:
    if mask_BT.dtype != jnp.bool_ or mask_BT.shape != x_BTE.shape[:2]:
        raise ValueError(
            f"mask is {mask_BT.dtype}{list(mask_BT.shape)}, expected bool{list(x_BTE.shape[:2])}: "
            "one flag per row and step of the inputs, True where the step is real"
        )


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
    step = _Stacked(tuple(layer.step for layer in layers), _sizes(layers))
    carry = sum((layer.carry for layer in reversed(layers)), ())
    return Layer(step, [layer.params for layer in layers], carry)


@dataclasses.dataclass(frozen=True)
class _Stacked:
    """The step of :func:`stack`, which can be taken apart again."""

    steps: tuple[Step, ...]
    sizes: tuple[int, ...]

    def __call__(self, params: Sequence[Params], carry: Carry, x_BE: Array) -> Carry:
        carries = []
        for step, own, before in zip(self.steps, params, _split(carry, self.sizes), strict=True):
            carries.append(step(own, before, x_BE))
            x_BE = carries[-1][0]
        return sum(reversed(carries), ())


def unstack_carry(carry: Carry, layers: Sequence[Layer]) -> list[Carry]:
    """The carry of :func:`stack` as one carry per layer, the lowest first."""
    return _split(carry, _sizes(layers))


def _sizes(layers: Sequence[Layer]) -> tuple[int, ...]:
    return tuple(len(layer.carry) for layer in layers)


def _split(carry: Carry, sizes: Sequence[int]) -> list[Carry]:
    parts, end = [], len(carry)
    for size in sizes:
        parts.append(tuple(carry[end - size : end]))
        end -= size
    return parts


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

    Raises:
      ValueError: for recurrent dropout with a cell that is not a ``rnnsent.cells.Cell``.
    """
    if isinstance(cell, Cell):
        step, dropout_step = type(cell).step, type(cell).dropout_step
        params, carry = cell.declare(x_BE.shape[-1]), cell.initialize_carry(None, x_BE.shape)
    elif recurrent_dropout_BH is not None:
        raise ValueError(
            f"{type(cell).__name__} takes no recurrent dropout; set it to 0 or write the cell as a "
            "rnnsent.cells.Cell"
        )
    else:
        step, params, carry = _flax_step(cell, x_BE)
        dropout_step = None

    params = (params, input_dropout_BE, recurrent_dropout_BH)
    return Layer(_Dropped(step, dropout_step), params, carry)


@dataclasses.dataclass(frozen=True)
class _Dropped:
    """A cell's step with dropout; its params are the cell's and the two masks, or None."""

    step: Step
    dropout_step: Callable[..., Carry] | None

    def __call__(self, all_params: Params, carry: Carry, x_BE: Array) -> Carry:
        params, input_dropout_BE, recurrent_dropout_BH = all_params
        if input_dropout_BE is not None:
            x_BE = x_BE * input_dropout_BE
        if recurrent_dropout_BH is not None:
            return self.dropout_step(params, carry, x_BE, recurrent_dropout_BH)
        return self.step(params, carry, x_BE)


def _flax_step(cell: nn.RNNCellBase, x_BE: Array) -> tuple[Step, Params, Carry]:
    """Flax's ``cell(carry, x) -> carry, y`` as a step whose carry is ``(y, *Flax's carry)``."""
    carry = cell.initialize_carry(jax.random.key(0), x_BE.shape)
    leaves, treedef = jax.tree.flatten(carry)
    _, y_BH = cell(carry, x_BE)  # declares the parameters
    unbound, variables = cell.clone(parent=None), cell.variables

    def step(params, carry, x_BE):
        inner, y_BH = unbound.apply(params, jax.tree.unflatten(treedef, carry[1:]), x_BE)
        return (y_BH, *jax.tree.leaves(inner))

    return step, variables, (jnp.zeros_like(y_BH), *leaves)


class Recurrent(nn.Module):
    """Recurrent layers over time, one per cell; like ``nn.RNN``, for any mask and any depth.

    Attributes:
      cells: ours or Flax's, the lowest first.
      dropout: share of each layer's inputs dropped, the same units at every step.
      recurrent_dropout: share of the state dropped where it enters the recurrent product.
      options: more keyword arguments of :func:`scan` (``implementation``, ``reverse``, …).
    """

    cells: Sequence[nn.RNNCellBase]
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @nn.compact
    def __call__(
        self,
        x_BTE: Array,
        mask_BT: Array | None = None,
        *,
        carry: Carry | None = None,
        sequences: bool = True,
        right_padded: bool = False,
        train: bool = False,
        rows_B: Array | None = None,
        workspace: Any = None,
    ) -> tuple[Carry, Array | None]:
        """Runs the layers; returns the stack's final carry and the top outputs (see :func:`scan`).

        Args:
          x_BTE: inputs.
          mask_BT: bool, True = real.
          carry: the initial carry, zeros where None: a stack's is flat, the top layer's first.
          sequences: whether to return every step's output.
          right_padded: a promise that every row's real steps come first.
          train: apply dropout, with the random stream ``dropout``.
          rows_B: each row's number in the whole batch, where this is a part of one.
          workspace: from :meth:`workspace`, or None.
        """
        stacked = stack(self._layers(x_BTE, train, rows_B))
        return scan(
            stacked.step,
            stacked.params,
            stacked.carry if carry is None else carry,
            x_BTE,
            mask_BT,
            sequences=sequences,
            right_padded=right_padded,
            workspace=workspace,
            **self.options,
        )

    def workspace(self, x_BTE: Array, *, train: bool = False) -> Any:
        """Memory for one backward pass over inputs of this shape, or None where it has no use.

        A loop of training steps that hands it on allocates and clears it once. ``train`` as in the
        call it is for; only shapes count.
        """
        if resolve(self.options.get("implementation", "scan")) != "packed":
            return None
        stacked = stack(self._layers(x_BTE, train, None))
        return ragged.workspace(*stacked, _time_first(x_BTE))

    def _layers(self, x_BTE: Array, train: bool, rows_B: Array | None) -> list[Layer]:
        rows_B = jnp.arange(x_BTE.shape[0]) if rows_B is None else rows_B
        layers, x_BE = [], jnp.zeros_like(x_BTE[:, 0])

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
