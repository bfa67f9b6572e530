"""What the checks look at: a cell's layer on a few rows and steps, and how far results differ."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rnnsent.arrays import Array, Carry, Params, Step, is_float
from rnnsent.cells import Cell
from rnnsent.layers import Recurrent
from rnnsent.recurrence import IMPLEMENTATIONS, scan
from rnnsent.steps import Layer

ROWS, STEPS = 3, 3
HOLES = "masked steps inside"


class Case(NamedTuple):
    """What the checks look at.

    Attributes:
      cell: unbound.
      declared: its parameters, as Flax has them.
      layer: the cell as the model runs it, from a carry that it reached itself.
      x_BTE: inputs.
      stream: ``stream(params, carry, x_BTE, mask_BT) -> carry, y_BTH``.
      runs: by implementation, ``run(params, carry, x_BTE, mask_BT)`` that returns the final carry,
        the outputs and the gradients of a loss of both.

    Arrays are NumPy's: what is compared is on the host, where nothing has to be compiled for it.
    """

    cell: Cell
    declared: Params
    layer: Layer
    x_BTE: np.ndarray
    stream: Callable[..., Any]
    runs: dict[str, Callable[..., Any]]


def case_of(cell: Cell, input_size: int) -> Case:
    """A cell at hand with inputs of that width; the first use of each program compiles it."""
    model, x_BTE = Recurrent([cell]), normal(0, ROWS, STEPS, input_size)
    variables = _moved(jax.jit(model.init)(jax.random.key(0), x_BTE))
    (layer,) = model.bind(variables).layers(jnp.asarray(x_BTE))
    stream = _on_host(jax.jit(functools.partial(scan, layer.step)))
    params, carry = jax.device_get((layer.params, layer.carry))
    for t in (-1, -2):
        carry, _ = stream(params, carry, x_BTE[:, t, None], np.ones((ROWS, 1), bool))
    names = [n for n in IMPLEMENTATIONS if n != "associative" or is_affine(cell)]
    runs = {n: jax.jit(functools.partial(_value_and_gradients, layer.step, n)) for n in names}
    return Case(
        cell,
        variables.get("params", {}).get("cells_0", {}),
        Layer(layer.step, params, carry),
        x_BTE,
        stream,
        {name: _on_host(run) for name, run in runs.items()},
    )


def _moved(variables: Params) -> Params:
    """A little away from where they start, as training moves them: zeros hide mistakes."""
    leaves, treedef = jax.tree.flatten(dict(variables))
    moved = [
        np.asarray(a) + (normal(1 + i, *a.shape) / 10).astype(a.dtype) for i, a in enumerate(leaves)
    ]
    return jax.tree.unflatten(treedef, moved)


def _on_host(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments: jax.device_get(function(*arguments))


def normal(seed: int, *shape: int) -> np.ndarray:
    """Float32 draws."""
    return np.asarray(np.random.default_rng(seed).standard_normal(shape), np.float32)


def is_affine(cell: Cell) -> bool:
    """Whether the cell says that its step is affine in the carry."""
    return cell.affine is not None


def loss(carry: Carry, y_BTH: Array | None) -> Array:
    """In which everything counts, each entry of a row differently and all rows alike."""

    def total(a):
        weights = jnp.cos(jnp.arange(a[0].size)).reshape(a.shape[1:])
        return (weights * (a.real + (a * a.conj()).real / 2)).sum()

    return sum(map(total, filter(is_float, carry)), total(y_BTH))


def _value_and_gradients(
    step: Step, implementation: str, params: Params, carry: Carry, x_BTE: Array, mask_BT: Array
) -> tuple[Any, Any]:
    """(carry, y_BTH), and gradients of (params, carry, x_BTE): None for what has none."""

    def whole(params, carry, x_BTE):
        out = scan(step, params, carry, x_BTE, mask_BT, implementation=implementation)
        return loss(*out), out

    gradient = jax.grad(whole, argnums=(0, 1, 2), has_aux=True, allow_int=True)
    gradients, out = gradient(params, carry, x_BTE)
    return out, jax.tree.map(lambda a: a if is_float(a) else None, gradients)


def masks() -> dict[str, np.ndarray]:
    """Every pattern of a mask (B, T), by what it is called."""
    at_T, length_B1 = np.arange(STEPS), np.array([[STEPS], [2], [1]])
    left_BT, holes_BT = at_T >= STEPS - length_B1, (at_T + np.arange(ROWS)[:, None]) % 2 == 0
    return {
        "nothing masked": np.ones((ROWS, STEPS), bool),
        "padding on the left": left_BT,
        "padding on the right": at_T < length_B1,
        HOLES: holes_BT,
        "an empty row": holes_BT & (np.arange(ROWS) != 1)[:, None],
        "all masked": np.zeros((ROWS, STEPS), bool),
    }


def largest(got: Any, want: Any) -> float:
    """How far two trees of arrays differ; infinite where one is not finite.

    It is the largest difference, as a share of the largest entry where that is above one.
    """
    worst = 0.0
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        a, b = (np.asarray(c).astype(complex if np.iscomplexobj(c) else float) for c in (a, b))
        with np.errstate(all="ignore"):
            difference = np.abs(a - b).max(initial=0) / max(1.0, np.abs(b).max(initial=0))
        worst = max(worst, difference if np.isfinite(difference) else np.inf)
    return float(worst)
