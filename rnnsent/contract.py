"""The contract of a cell, checked on a few rows before anything trains.

Every failure is one line that names the method and what was expected of it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnnsent import cells
from rnnsent.arrays import Array, Carry, Params
from rnnsent.errors import UserError
from rnnsent.model import SentimentClassifier

ROWS = 3


def check(model: SentimentClassifier) -> None:
    """Checks a guest's cell at the widths of every layer; the shipped ones are tested.

    Raises:
      UserError: for the first promise that is broken.
    """
    widths = (model.embedding_size, *model.features)
    for inputs, features in zip(widths, model.features, strict=False):
        cells.create(model.cell, features, dict(model.cell_options))
        if model.cell not in cells.CELLS:
            check_cell(model.cell, dict(model.cell_options), inputs, features)
    if model.recurrent_dropout and not cells.find(model.cell).drops_recurrence():
        _refuse(
            f"{model.cell}.step",
            "has no argument h_BH that says where recurrent dropout acts; set recurrent_dropout to "
            "0, or write step(self, params, carry, x_BE, h_BH)",
        )


def check_cell(name: str, options: Mapping[str, Any], inputs: int, features: int) -> None:
    """Checks one cell, ``inputs`` wide (E) and ``features`` wide (H); see :func:`check`."""
    cell = cells.create(name, features, options)
    params = _parameters(name, cell, inputs)
    carry = _initial_carry(name, cell, inputs)
    x_BE = jax.random.normal(jax.random.key(1), (ROWS, inputs))
    _check_shapes(name, cell, params, carry, x_BE)
    _check_purity(name, cell, params, carry, x_BE)
    _check_rows(name, cell, params, carry, x_BE)
    _check_padding(name, cell, params, carry, jnp.zeros_like(x_BE))


def _refuse(method: str, what: str) -> None:
    raise UserError(f"{method} {what}.")


def _called(method: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """What a user's method returns; its failure in one line."""
    try:
        return function(*arguments)
    except UserError:
        raise
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        raise UserError(f"{method} fails: {type(error).__name__}: {first}") from error


def _parameters(name: str, cell: cells.Cell, inputs: int) -> Params:
    """Fresh parameters as ``step`` gets them."""
    method, key = f"{name}.weights", jax.random.key(0)
    declare = jax.jit(lambda key: cell.init_with_output(key, inputs, method="declare"))
    params, declared = _called(method, declare, key)
    declared = declared.get("params", {})
    for path, leaf in jax.tree_util.tree_leaves_with_path(declared):
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            _refuse(
                method,
                f"declares {jax.tree_util.keystr(path)} as {leaf.dtype}, expected floats, for "
                "parameters are trained; return an index table without declaring it",
            )
    if declared and params is None:
        _refuse(method, "declares parameters and returns None; return what step needs of them")
    return params


def _initial_carry(name: str, cell: cells.Cell, inputs: int) -> Carry:
    method = f"{name}.initialize_carry"
    carry = _called(method, cell.initialize_carry, None, (ROWS, inputs))
    arrays = isinstance(carry, tuple) and carry and all(hasattr(a, "dtype") for a in carry)
    if not arrays or any(a.ndim == 0 or len(a) != ROWS for a in carry):
        _refuse(method, "must return a tuple of arrays with leading axis B, one row for each")
    return tuple(map(jnp.asarray, carry))


def _check_shapes(name: str, cell: cells.Cell, params: Params, carry: Carry, x_BE: Array) -> None:
    new = _called(f"{name}.step", jax.eval_shape, cell.advance, params, carry, x_BE)
    before, after = (_described(tree) for tree in (carry, new))
    if before != after:
        _refuse(f"{name}.step", f"turns the carry {before} into {after}, expected the same")
    y_BH = _called(f"{name}.output", jax.eval_shape, cell.output, params, carry, x_BE)
    expected = f"float[{ROWS}, {cell.features}]"
    shape = getattr(y_BH, "shape", None)
    if shape != (ROWS, cell.features) or not jnp.issubdtype(y_BH.dtype, jnp.floating):
        what = "step" if type(cell).output is cells.Cell.output else "output"
        _refuse(f"{name}.{what}", f"gives outputs {_described(y_BH)}, expected {expected}")


def _described(tree: Any) -> str:
    return str(jax.tree.map(lambda a: f"{jnp.result_type(a)}{list(jnp.shape(a))}", tree))


def _check_purity(name: str, cell: cells.Cell, params: Params, carry: Carry, x_BE: Array) -> None:
    """Two traces must be one program: what is drawn or counted outside of JAX differs in them."""

    def trace():
        # A function of its own for each trace, or the second would be remembered.
        return jax.make_jaxpr(lambda *arguments: _advanced(cell, *arguments))(params, carry, x_BE)

    first, second = trace(), trace()
    same = len(first.consts) == len(second.consts) and all(
        np.array_equal(a, b) for a, b in zip(first.consts, second.consts, strict=True)
    )
    if str(first.jaxpr) != str(second.jaxpr) or not same:
        _refuse(
            f"{name}.step",
            "gives another program each time it is traced; it must follow from its arguments and "
            "the cell's attributes alone",
        )


def _advanced(cell: cells.Cell, params: Params, carry: Carry, x_BE: Array) -> tuple[Carry, Array]:
    carry = cell.advance(params, carry, x_BE)
    return carry, cell.output(params, carry, x_BE)


def _check_rows(name: str, cell: cells.Cell, params: Params, carry: Carry, x_BE: Array) -> None:
    """Rows of a batch must not meet: packing brings other rows together, and so do devices."""

    @jax.jit
    def both(params, carry, x_BE):
        carry, _ = _advanced(cell, params, carry, x_BE)
        together = _advanced(cell, params, carry, x_BE[:, ::-1])

        def alone(row):
            row = jax.tree.map(lambda a: a[None], row)
            return jax.tree.map(lambda a: a[0], _advanced(cell, params, *row))

        return together, jax.vmap(alone)((carry, x_BE[:, ::-1]))

    for whole, single in zip(*map(jax.tree.leaves, both(params, carry, x_BE)), strict=True):
        if not np.allclose(whole, single, rtol=1e-4, atol=1e-5, equal_nan=True):
            _refuse(
                f"{name}.step",
                "lets the rows of a batch meet: a row alone gives another result; every row must "
                "be treated by itself",
            )


def _check_padding(name: str, cell: cells.Cell, params: Params, carry: Carry, x_BE: Array) -> None:
    """Padding is read as zeros, and 0 times a gradient that is not finite is not zero."""
    floats, rebuild = _float_leaves((params, x_BE))

    def total(floats):
        params, x_BE = rebuild(floats)
        leaves = jax.tree.leaves(_advanced(cell, params, carry, x_BE))
        return sum(a.sum() for a in leaves if jnp.issubdtype(a.dtype, jnp.inexact))

    if not all(
        np.isfinite(a).all() for a in jax.tree.leaves(jax.jit(jax.value_and_grad(total))(floats))
    ):
        _refuse(
            f"{name}.step",
            "is not finite or not differentiable at zero inputs, which is how padding is read",
        )


def _float_leaves(tree: Any) -> tuple[list[Array], Any]:
    """A tree's arrays of floats, and the function that puts such ones back in their places."""
    leaves, treedef = jax.tree.flatten(tree)
    places = [i for i, a in enumerate(leaves) if jnp.issubdtype(jnp.result_type(a), jnp.inexact)]

    def rebuild(floats):
        filled = list(leaves)
        for place, a in zip(places, floats, strict=True):
            filled[place] = a
        return jax.tree.unflatten(treedef, filled)

    return [leaves[i] for i in places], rebuild
