"""The checks, each a function from a case to deviations by where they were found."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rnnsent.arrays import Array, Carry, Params, is_float
from rnnsent.recurrence import scan
from rnnsent.testing.case import HOLES, Case, is_affine, largest, loss, masks, normal

EXACT = "scan-stored"
"""Plain autodiff, which every other implementation must equal."""


Deviations = dict[str, float]


class DoesNotApply(Exception):
    """Why a check has nothing to look at."""


def _mask_semantics(case: Case) -> Deviations:
    """By one implementation: the others are held to it under the same masks."""
    (_, params, carry), x_BTE, run = case.layer, case.x_BTE, case.runs["scan"]
    found: Deviations = {}
    rubbish = np.resize(np.array([7.0, np.nan, np.inf, -np.inf], np.float32), x_BTE.shape)
    for at, mask_BT in masks().items():
        dirty, none_B = np.where(mask_BT[..., None], x_BTE, rubbish), ~mask_BT.any(1)
        clean = (final, y_BTH), (_, _, dx_BTE) = run(params, carry, x_BTE, mask_BT)
        before_BTH = np.concatenate([carry[0][:, None], y_BTH[:, :-1]], 1)
        found |= {
            f"what stands in padding, {at}": largest(run(params, carry, dirty, mask_BT), clean),
            f"the gradient of padding, {at}": largest(dx_BTE[~mask_BT], 0 * x_BTE[~mask_BT]),
            f"the output of a masked step, {at}": largest(y_BTH[~mask_BT], before_BTH[~mask_BT]),
            f"the carry of a row without a real step, {at}": largest(
                [a[none_B] for a in final], [a[none_B] for a in carry]
            ),
        }
    return found


def _gradients(case: Case) -> Deviations:
    """The slope along a random direction of each array, by autodiff and by a central difference.

    In float64, in a context of its own: in float32 a difference has too few digits left to tell a
    wrong gradient from rounding, and the process's own setting stays as it is.
    """
    with jax.enable_x64(True):
        widened = jax.tree.map(_float64, (case.declared, case.layer.carry, case.x_BTE))
        leaves, treedef = jax.tree_util.tree_flatten_with_path(widened)
        value, at = _loss_of_floats(case, treedef, [a for _, a in leaves])
        try:
            both = jax.jit(jax.value_and_grad(value))
            _, gradients = both(at)
        except (TypeError, ValueError) as error:
            first = str(error).strip().splitlines()[0]
            raise DoesNotApply(f"the step does not compute in float64: {first}") from error
        names = [jax.tree_util.keystr(path) for path, a in leaves if is_float(a)]
        return _slopes(
            lambda at: both(at)[0], at, gradients, [_PLACES[n[:3]] + n[3:] for n in names]
        )


_PLACES = {"[0]": "params", "[1]": "carry", "[2]": "inputs"}


def _float64(a: Any) -> Array:
    if not is_float(a):
        return jnp.asarray(a)
    return jnp.asarray(a, complex if jnp.iscomplexobj(a) else float)


def _loss_of_floats(case: Case, treedef: Any, leaves: list[Array]) -> tuple[Callable, list[Array]]:
    """The loss as a function of the arrays of floats among ``leaves``, and those."""
    mask_BT = jnp.asarray(masks()[HOLES])

    def value(floats):
        rest = iter(floats)
        declared, carry, x_BTE = treedef.unflatten(
            [next(rest) if is_float(a) else a for a in leaves]
        )
        given = case.cell.apply({"params": declared}, x_BTE.shape[-1], method="declare")
        params = (given, *case.layer.params[1:])
        return loss(*scan(case.layer.step, params, carry, x_BTE, mask_BT))

    return value, [a for a in leaves if is_float(a)]


def _slopes(value: Callable, at: list, gradients: list, names: list[str]) -> Deviations:
    found, step = {}, 1e-5
    for i, name in enumerate(names):
        along = _float64(normal(100 + i, *at[i].shape))
        along = along * (1 + 0.5j) if jnp.iscomplexobj(at[i]) else along
        ahead, behind = (value([*at[:i], at[i] + d * along, *at[i + 1 :]]) for d in (step, -step))
        slope = (gradients[i] * along).sum().real
        found[f"the gradient of {name}"] = largest(slope, (ahead - behind) / (2 * step))
    return found


def _rows(case: Case) -> Deviations:
    """Each row alone; the gradients of the parameters are the sums over the rows."""
    (_, *arrays), x_BTE, mask_BT = case.layer, case.x_BTE, masks()[HOLES]
    params, carry = arrays
    run, found, summed = case.runs["scan"], {}, None
    (whole, (d_params, *d_rows)) = run(params, carry, x_BTE, mask_BT)
    for row in range(len(x_BTE)):
        out, (d_alone, *d_row) = run(params, *_at((carry, x_BTE, mask_BT), np.s_[row : row + 1]))
        found[f"row {row}"] = largest((out, d_row), _at((whole, d_rows), np.s_[row : row + 1]))
        summed = d_alone if summed is None else jax.tree.map(np.add, summed, d_alone)
    return found | {"the gradient of the parameters": largest(summed, d_params)}


def _at(tree: Any, index: Any) -> Any:
    return jax.tree.map(lambda a: a[index], tree)


def _implementations(case: Case) -> Deviations:
    (_, *arrays), x_BTE = case.layer, case.x_BTE
    return {
        f"{name}, {kind}": largest(run(*arrays, x_BTE, mask_BT), want)
        for kind, mask_BT in masks().items()
        for want in [case.runs[EXACT](*arrays, x_BTE, mask_BT)]
        for name, run in case.runs.items()
    }


def _transformations(case: Case) -> Deviations:
    """Under ``vmap``, and one step outside of ``jit``."""
    (step, params, carry), x_BTE = case.layer, case.x_BTE
    both = jax.tree.map(lambda a: np.stack([a, a[::-1]]), (carry, x_BTE, masks()[HOLES]))
    run = functools.partial(scan, step)
    got = jax.device_get(jax.jit(jax.vmap(run, in_axes=(None, 0, 0, 0)))(params, *both))
    found = {
        f"vmap, part {i}": largest(_at(got, i), case.stream(params, *_at(both, i))) for i in (0, 1)
    }
    compiled, _ = case.stream(params, carry, x_BTE[:, :1], np.ones((len(x_BTE), 1), bool))
    on_device = jax.tree.map(jnp.asarray, (params, carry, x_BTE[:, 0]))
    return found | {"outside of jit": largest(step(*on_device), compiled)}


def _streaming(case: Case) -> Deviations:
    """One step at a time, each from the carry that the last one left, twice."""
    (_, params, first), x_BTE, found = case.layer, case.x_BTE, {}
    for kind, mask_BT in masks().items():
        whole = case.stream(params, first, x_BTE, mask_BT)
        carry, outputs = first, []
        for t in range(x_BTE.shape[1]):
            carry, y_B1H = case.stream(params, carry, x_BTE[:, t, None], mask_BT[:, t, None])
            outputs.append(y_B1H[:, 0])
        found[f"step by step, {kind}"] = largest((carry, np.stack(outputs, 1)), whole)
        found[f"a second time, {kind}"] = largest(case.stream(params, first, x_BTE, mask_BT), whole)
    return found


def _affine(case: Case) -> Deviations:
    if not is_affine(case.cell):
        raise DoesNotApply("the cell has no method affine")
    cell, params, x_BTE = case.cell, _given(case), case.x_BTE
    pairs, found = jax.jit(cell.affine)(params, x_BTE[:, 0]), {}  # type: ignore[arg-type]
    for scale in (1.0, -3.0):
        carry = tuple(scale * a for a in _own_carry(case))
        new = jax.jit(cell.advance)(params, carry, x_BTE[:, 0])
        for i, ((a, b), before, after) in enumerate(zip(pairs, carry, new, strict=True)):
            found[f"carry[{i}] from {scale:g} times a carry"] = largest(a * before + b, after)
    return found


def _given(case: Case) -> Params:
    """What the cell's own step gets, without the masks of dropout."""
    return case.layer.params[0]


def _own_carry(case: Case) -> Carry:
    """Without the output that a layer puts before the carry of a cell whose output is apart."""
    apart = case.layer.step.has_output  # type: ignore[attr-defined]
    return case.layer.carry[1:] if apart else case.layer.carry


def _dropout(case: Case) -> Deviations:
    cell, params, carry, x_BE = case.cell, _given(case), _own_carry(case), case.x_BTE[:, 0]
    if not cell.drops_recurrence():
        raise DoesNotApply("the step has no argument h_BH")
    advance, ones_BH = jax.jit(cell.advance), np.ones_like(carry[0])
    whole, none = advance(params, carry, x_BE), advance(params, carry, x_BE, 0 * ones_BH)
    found = {"a mask of ones": largest(advance(params, carry, x_BE, ones_BH), whole)}
    if largest(none, whole) == 0:
        found["a mask of zeros, which changes nothing: h_BH is not used"] = np.inf
    if "recurrent_kernel" in case.declared:
        declared = dict(case.declared)
        declared["recurrent_kernel"] = jnp.zeros_like(declared["recurrent_kernel"])
        zeroed = cell.apply({"params": declared}, x_BE.shape[-1], method="declare")
        at = "a mask of zeros beside a recurrent_kernel of zeros"
        found[at] = largest(none, advance(zeroed, carry, x_BE))
    return found


class Kind(NamedTuple):
    """A check.

    Attributes:
      deviations: largest deviations by where they were found.
      tolerance: what they may be.
      holds: what is so where they are not larger.
      cause: what is likely where they are.
    """

    deviations: Callable[[Case], Deviations]
    tolerance: float
    holds: str
    cause: str


KINDS = {
    "masks": Kind(
        _mask_semantics,
        0.0,
        "a masked step keeps the carry and repeats the output, and padding reaches nothing",
        "Padding is read as zeros: is the step finite and differentiable there, from any carry?",
    ),
    "gradients": Kind(
        _gradients,
        1e-6,
        "gradients are those of finite differences, in float64",
        "Is a custom gradient wrong, a gradient stopped, or the step not smooth there?",
    ),
    "rows": Kind(
        _rows,
        1e-5,
        "each row alone gives the same results and gradients as in a batch",
        "Does the step reduce, sort or normalise over the leading axis?",
    ),
    "implementations": Kind(
        _implementations,
        1e-5,
        "every implementation of the recurrence gives what plain autodiff gives",
        "Has a custom gradient a state, or does it read more than its arguments?",
    ),
    "transformations": Kind(
        _transformations,
        1e-5,
        "vmap, jit and neither give the same",
        "Does the step count on axes being absent, or on Python's values?",
    ),
    "streaming": Kind(
        _streaming,
        1e-5,
        "step by step, from the carry alone, gives what one pass over all steps gives",
        "Is something kept between calls that is not in the carry?",
    ),
    "affine": Kind(
        _affine,
        1e-5,
        "step is a * carry + b of the pairs that affine gives",
        "Have step and affine drifted apart, or does the step's slope depend on the carry?",
    ),
    "dropout": Kind(
        _dropout,
        1e-6,
        "dropped units are missing from the recurrent product and nowhere else",
        "h_BH belongs in the product with recurrent_kernel, carry[0] in all else.",
    ),
}
"""By name, in order."""
