"""The masked recurrence over time: one function, one contract, any cell.

The contract of a masked step, on every path:

* it keeps the carry, wherever it stands (left, right, between real steps), and its output
  repeats the last one (the initial carry's before the first real step) or, by argument, is zero;
* a row with no real step returns its initial carry exactly;
* what stands in padding, NaN included, reaches neither outputs nor any gradient. The step reads
  zeros there, so it must be finite and differentiable at zero inputs;
* before a step with a reset, masked or not, the carry returns to a first one, so that several
  sequences share a row: a mark stands at the first step of each, and nothing passes it. Run in
  reverse, the carry returns where a sequence is entered from its end.

A mask is bool ``(B, T)``, True where a step is real, or int32 ``(B,)``, the lengths of rows whose
real steps come first.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from rnnsent.arrays import Array, Carry, Params, Step, described
from rnnsent.kernels import associative, packed, packing, plain
from rnnsent.kernels.resets import backwards, resetting


@dataclasses.dataclass(frozen=True)
class Implementation:
    """A way to run a step over time; its own knobs are arguments of its ``run``.

    Attributes:
      run: ``run(step, params, carry, x_BT, mask, sequences) -> (carry, y_BTH or None)``, see
        :func:`rnnsent.kernels.plain.scan`.
      scratch: ``scratch(step, params, carry, x_BT)``, memory that ``run`` takes as ``scratch`` and
        a loop of calls can use again; None for one that has no use for it.
      stacks: whether several layers can advance in one pass; else they run one after another.
    """

    run: Callable[..., tuple[Carry, Array | None]]
    scratch: Callable[..., Any] | None = None
    stacks: bool = True

    def using(self, memory: Any) -> "Implementation":
        """The same in that memory for the backward pass; None leaves it to have its own."""
        if memory is None:
            return self
        return dataclasses.replace(self, run=functools.partial(self.run, scratch=memory))


IMPLEMENTATIONS: dict[str, Implementation] = {
    "scan": Implementation(plain.scan),
    "scan-unrolled": Implementation(functools.partial(plain.scan, unroll=8)),
    "scan-kept": Implementation(functools.partial(plain.scan, keep="expensive")),
    "scan-stored": Implementation(functools.partial(plain.scan, keep="all")),
    "packed": Implementation(packed.scan, packed.scratch),
    "associative": Implementation(associative.scan, stacks=False),
}
"""``scan`` is ``lax.scan`` that keeps the carries alone for the backward pass; ``scan-unrolled``
eight of its steps in one iteration; ``scan-kept`` keeps what is expensive to compute again;
``scan-stored`` is plain autodiff. ``packed`` runs only as many steps as the longest row has; it has
no forward mode of its own (second derivatives work). ``associative`` is ``lax.associative_scan``,
for steps that are affine in their carry."""


def resolve(implementation: str, *, affine: bool = False) -> str:
    """The implementation that ``auto`` stands for on the present backend; others as they are.

    What was measured fastest: on a CPU ``packed``, or ``scan`` where a cell is affine in its carry,
    whose steps are cheap; on a GPU (an H200) ``scan-unrolled``.

    Args:
      implementation: its name.
      affine: whether the cell is.

    Raises:
      ValueError: for an unknown one.
    """
    if implementation == "auto":
        if jax.default_backend() != "cpu":
            return "scan-unrolled"
        return "scan" if affine else "packed"
    if implementation not in IMPLEMENTATIONS:
        raise ValueError(
            f"unknown implementation {implementation!r}; expected auto or one of "
            + ", ".join(IMPLEMENTATIONS)
        )
    return implementation


def implementation_of(implementation: str | Implementation) -> Implementation:
    """The one of that name, see :func:`resolve`, or itself."""
    if isinstance(implementation, Implementation):
        return implementation
    return IMPLEMENTATIONS[resolve(implementation)]


def scan(
    step: Step,
    params: Params,
    carry: Carry,
    x_BTE: Any,
    mask: Array | None = None,
    *,
    resets: Array | tuple[Array, Carry] | None = None,
    sequences: bool = True,
    zero_masked: bool = False,
    reverse: bool = False,
    implementation: str | Implementation = "scan",
) -> tuple[Carry, Array | None]:
    """Runs ``step`` over time under a mask; the contract is the module's.

    Args:
      step: ``step(params, carry, x_BE) -> carry``, each row of the batch by itself; ``carry[0]`` is
        the output. It may close over no value that is being differentiated: pass that in params.
      params: what the step needs that does not change over time, any pytree.
      carry: the initial carry, a tuple of arrays with leading axis B.
      x_BTE: inputs; any pytree of (B, T, ...), of which the step gets (B, ...).
      mask: bool (B, T) or int32 (B,), see the module; None means every step is real.
      resets: bool (B, T), see the module: the carry returns to ``carry``, or to the second of a
        pair (resets, carry).
      sequences: whether to return the output of every step; without it the second result is None.
      zero_masked: masked steps output zeros instead of repeating the last output.
      reverse: run from the last step to the first; outputs stay in the order of the inputs.
      implementation: a name in ``IMPLEMENTATIONS``, ``auto``, see :func:`resolve`, or one of your
        own, as ``Implementation(functools.partial(plain.scan, unroll=4))``.

    Returns:
      The final carry and the outputs (B, T, ...), or None.

    Raises:
      ValueError: if mask, carry or step do not fit together, or for an unknown implementation.
    """
    rows, steps = jax.tree.leaves(x_BTE)[0].shape[:2]
    run = plain.scan if steps == 0 else implementation_of(implementation).run
    mask = _checked_mask(mask, rows, steps)
    _check_step(step, params, carry, x_BTE)
    mask_BT = packing.mask_of(mask, steps) if mask is not None and mask.ndim == 1 else mask
    if mask_BT is not None:
        x_BTE = packing.zero_padding(x_BTE, mask_BT)
    if resets is not None:
        reset_BT, first = _checked_resets(resets, carry, rows, steps)
        reset_BT = backwards(reset_BT) if reverse else reset_BT
        step, params, x_BTE, mask = resetting(step, params, first, x_BTE, reset_BT, mask_BT)
    if reverse:
        mask = mask if mask is None or mask.ndim == 2 else mask_BT
        x_BTE, mask = jax.tree.map(lambda a: a[:, ::-1], (x_BTE, mask))
    carry, y_BTH = run(step, params, carry, x_BTE, mask, sequences)
    if y_BTH is None:
        return carry, None
    y_BTH = y_BTH[:, ::-1] if reverse else y_BTH
    if zero_masked and mask_BT is not None:
        y_BTH = packing.where(mask_BT, y_BTH, jnp.zeros_like(y_BTH))
    return carry, y_BTH


def _checked_mask(mask: Any, rows: int, steps: int) -> Array | None:
    if mask is None:
        return None
    mask = jnp.asarray(mask)
    fits = mask.dtype == jnp.bool_ and mask.shape == (rows, steps)
    if not fits and not (mask.dtype == jnp.int32 and mask.shape == (rows,)):
        raise ValueError(
            f"mask is {mask.dtype}{list(mask.shape)}, expected bool{[rows, steps]}, True where a "
            f"step is real, or int32{[rows]}, the lengths of rows whose real steps come first"
        )
    return mask


def _checked_resets(resets: Any, carry: Carry, rows: int, steps: int) -> tuple[Array, Carry]:
    reset_BT, first = resets if isinstance(resets, tuple) else (resets, carry)
    reset_BT = jnp.asarray(reset_BT)
    if reset_BT.dtype != jnp.bool_ or reset_BT.shape != (rows, steps):
        raise ValueError(
            f"resets is {reset_BT.dtype}{list(reset_BT.shape)}, expected bool{[rows, steps]}, True "
            "where the carry returns to its first before the step"
        )
    if described(first) != described(carry):
        raise ValueError(
            f"resets return to the carry {described(first)}, expected {described(carry)}"
        )
    return reset_BT, first


def _check_step(step: Step, params: Params, carry: Carry, x_BTE: Any) -> None:
    """Raises ``ValueError`` unless a step's carry has the structure of the one before it."""
    if not isinstance(carry, tuple) or not carry:
        raise ValueError(f"the carry is a {type(carry).__name__}, expected a tuple of arrays")
    rows = jax.tree.leaves(x_BTE)[0].shape[0]
    if any(jnp.shape(a)[:1] != (rows,) for a in jax.tree.leaves(carry)):
        raise ValueError(
            f"the carry is {described(carry)}, expected arrays of {rows} rows, as the inputs have"
        )
    x_BE = jax.tree.map(lambda a: jax.ShapeDtypeStruct((a.shape[0], *a.shape[2:]), a.dtype), x_BTE)
    new = jax.eval_shape(step, params, carry, x_BE)
    before, after = (described(tree) for tree in (carry, new))
    if before != after:
        raise ValueError(f"the step turns the carry {before} into {after}, expected the same")
