"""The contract of a cell, checked on a few rows before anything trains.

Every failure is one line that names the method and what was expected of it.
"""

import pathlib
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnnsent import cells
from rnnsent.arrays import Array, Carry, Params, described, is_float
from rnnsent.errors import UserError
from rnnsent.model import SentimentClassifier

ROWS = 3


def check(model: SentimentClassifier) -> None:
    """Checks a guest's cell at the widths of every layer; the shipped ones are tested.

    Raises:
      UserError: for the first promise that is broken.
    """
    options, outputs = dict(model.cell_options), 2 if model.bidirectional else 1
    widths = (model.embedding_size, *(outputs * width for width in model.features))
    for inputs, features in zip(widths, model.features, strict=False):
        dropped = model.recurrent_dropout > 0
        if model.cell in cells.CELLS:
            cell = cells.create(model.cell, features, options)
            if dropped:
                _check_dropout(model.cell, cell, cell.initialize_carry(None, (ROWS, inputs)))
        else:
            check_cell(model.cell, options, inputs, features, recurrent_dropout=dropped)


def check_cell(
    name: str,
    options: Mapping[str, Any],
    inputs: int,
    features: int,
    *,
    recurrent_dropout: bool = False,
) -> None:
    """Checks one cell, ``inputs`` wide (E) and ``features`` wide (H); see :func:`check`."""
    cell = _called(name, cells.create, name, features, options)
    check_created(name, cell, inputs, recurrent_dropout=recurrent_dropout)


def check_created(
    name: str, cell: cells.Cell, inputs: int, *, recurrent_dropout: bool = False
) -> None:
    """The same for a cell at hand; ``name`` is what messages call it, as ``module:Class``."""
    params = _parameters(name, cell, inputs)
    carry = _initial_carry(name, cell, inputs)
    x_BE = jax.random.normal(jax.random.key(1), (ROWS, inputs))
    _check_shapes(name, cell, params, carry, x_BE)
    if recurrent_dropout:
        _check_dropout(name, cell, carry)
    later = _called(f"{name}.step", jax.jit(cell.advance), params, carry, x_BE)
    for method, function in _functions(name, cell).items():
        _check_purity(method, function, params, carry, x_BE)
        _check_rows(method, function, params, later, x_BE[:, ::-1])
        _check_padding(method, function, params, carry, jnp.zeros_like(x_BE))


def _refuse(method: str, what: str) -> None:
    raise UserError(f"{method} {what}.")


def _called(method: str, function: Callable, *arguments: Any) -> Any:
    """What a user's method returns; its failure in one line."""
    try:
        return function(*arguments)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        first = (str(error).strip().splitlines() or ["no message"])[0]
        what = f"{method} fails{_place(method, error)}: {type(error).__name__}: {first}"
        raise UserError(what) from error


def _place(method: str, error: BaseException) -> str:
    """Where in the user's own file an error arose; empty if it did not."""
    source = getattr(sys.modules.get(method.partition(":")[0]), "__file__", None) or ""
    frames = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in frames if frame.f_code.co_filename == source]
    return f" in line {lines[-1]} of {pathlib.Path(source).name}" if lines else ""


def _parameters(name: str, cell: cells.Cell, inputs: int) -> Params:
    """Fresh parameters as ``step`` gets them."""
    method, key = f"{name}.weights", jax.random.key(0)
    declare = jax.jit(lambda key: cell.init_with_output(key, inputs, method="declare"))
    params, variables = _called(method, declare, key)
    if others := sorted(set(variables) - {"params"}):
        _refuse(method, f"declares variables ({', '.join(others)}); only self.param is kept")
    declared = variables.get("params", {})
    for path, leaf in jax.tree_util.tree_leaves_with_path(declared):
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            _refuse(
                method,
                f"declares {jax.tree_util.keystr(path)} as {leaf.dtype}, expected floats, for "
                "parameters are trained; return an index table without declaring it",
            )
    if declared and params is None:
        _refuse(method, "declares parameters and returns None; return what step needs of them")

    def again(declared):
        return cell.apply({"params": declared}, inputs, method="declare")

    _check_purity(method, again, declared)
    return params


def _initial_carry(name: str, cell: cells.Cell, inputs: int) -> Carry:
    method = f"{name}.initialize_carry"
    carries = {}
    for rows in (1, ROWS):
        carry = carries[rows] = _called(method, cell.initialize_carry, None, (rows, inputs))
        arrays = isinstance(carry, tuple) and carry and all(hasattr(a, "dtype") for a in carry)
        if not arrays or any(a.ndim == 0 or len(a) != rows for a in carry):
            _refuse(method, "must return a tuple of arrays with leading axis B, one row for each")
    one, carry = (tuple(map(jnp.asarray, carry)) for carry in carries.values())
    if described(one) != described(tuple(a[:1] for a in carry)) or not all(
        np.array_equal(np.repeat(a, ROWS, axis=0), b, equal_nan=True)
        for a, b in zip(one, carry, strict=True)
    ):
        _refuse(method, "must start every row alike, in every call and for any number of rows")
    return carry


def _check_shapes(name: str, cell: cells.Cell, params: Params, carry: Carry, x_BE: Array) -> None:
    new = _called(f"{name}.step", jax.eval_shape, cell.advance, params, carry, x_BE)
    before, after = (described(tree) for tree in (carry, new))
    if before != after:
        _refuse(f"{name}.step", f"turns the carry {before} into {after}, expected the same")
    y_BH = _called(f"{name}.output", jax.eval_shape, cell.output, params, carry, x_BE)
    if not _is_output(y_BH, cell.features):
        what = "output" if _has_output(cell) else "step"
        expected = f"float[{ROWS}, {cell.features}]"
        _refuse(f"{name}.{what}", f"gives outputs {described(y_BH)}, expected {expected}")


def _is_output(y_BH: Any, features: int) -> bool:
    shape = getattr(y_BH, "shape", None)
    return shape == (ROWS, features) and jnp.issubdtype(y_BH.dtype, jnp.floating)


def _has_output(cell: cells.Cell) -> bool:
    return type(cell).output is not cells.Cell.output


def _check_dropout(name: str, cell: cells.Cell, carry: Carry) -> None:
    if not cell.drops_recurrence():
        _refuse(
            f"{name}.step",
            "has no argument h_BH that says where recurrent dropout acts; set recurrent_dropout "
            "to 0, or write step(self, params, carry, x_BE, h_BH)",
        )
    if not _is_output(carry[0], cell.features):
        _refuse(
            f"{name}.initialize_carry",
            f"gives {described(carry[0])} as carry[0], expected float[{ROWS}, {cell.features}], "
            "on which recurrent dropout acts; set recurrent_dropout to 0",
        )


def _functions(name: str, cell: cells.Cell) -> dict[str, Callable]:
    """What is to be looked at, by the method that is to blame once those before it are right."""

    def output(params, carry, x_BE):
        return cell.output(params, cell.advance(params, carry, x_BE), x_BE)

    step = {f"{name}.step": cell.advance}
    return step | {f"{name}.output": output} if _has_output(cell) else step


def _check_purity(method: str, function: Callable, *arguments: Any) -> None:
    """Two traces must be one program: what is drawn or counted outside of JAX differs in them."""

    def trace():
        # A function of its own for each trace, or the second would be remembered.
        return _called(method, jax.make_jaxpr(lambda *arguments: function(*arguments)), *arguments)

    first, second = trace(), trace()
    same = len(first.consts) == len(second.consts) and all(
        np.array_equal(a, b) for a, b in zip(first.consts, second.consts, strict=True)
    )
    if str(first.jaxpr) != str(second.jaxpr) or not same:
        _refuse(
            method,
            "gives another program each time it is traced; it must follow from its arguments and "
            "the cell's attributes alone",
        )


def _check_rows(method: str, function: Callable, params: Params, carry: Carry, x_BE: Array) -> None:
    """Rows of a batch must not meet: packing brings other rows together, and so do devices."""

    @jax.jit
    def both(params, carry, x_BE):
        def alone(row):
            row = jax.tree.map(lambda a: a[None], row)
            return jax.tree.map(lambda a: a[0], function(params, *row))

        return function(params, carry, x_BE), jax.lax.map(alone, (carry, x_BE))

    results = _called(f"{method} on a row alone", both, params, carry, x_BE)
    for whole, single in zip(*map(jax.tree.leaves, results), strict=True):
        if not np.allclose(whole, single, rtol=1e-4, atol=1e-5, equal_nan=True):
            _refuse(
                method,
                "lets the rows of a batch meet: a row alone gives another result; every row must "
                "be treated by itself",
            )


def _check_padding(
    method: str, function: Callable, params: Params, carry: Carry, x_BE: Array
) -> None:
    """Padding is read as zeros, and 0 times a gradient that is not finite is not zero."""
    floats, rebuild = _float_leaves((params, x_BE))

    def total(floats):
        params, x_BE = rebuild(floats)
        leaves = jax.tree.leaves(function(params, carry, x_BE))
        return sum((a.sum().real for a in leaves if is_float(a)), 0.0)

    found = _called(f"{method}'s gradient", jax.jit(jax.value_and_grad(total)), floats)
    if not all(np.isfinite(a).all() for a in jax.tree.leaves(found)):
        _refuse(
            method,
            "is not finite or not differentiable at zero inputs, which is how padding is read",
        )


def _float_leaves(tree: Any) -> tuple[list[Array], Any]:
    """A tree's arrays of floats, and the function that puts such ones back in their places."""
    leaves, treedef = jax.tree.flatten(tree)
    places = [i for i, a in enumerate(leaves) if is_float(a)]

    def rebuild(floats):
        filled = list(leaves)
        for place, a in zip(places, floats, strict=True):
            filled[place] = a
        return jax.tree.unflatten(treedef, filled)

    return [leaves[i] for i in places], rebuild
