"""A classifier as a program of XLA for any number of rows and steps, and what one may do."""

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax import export

from rnnsent.arrays import Array
from rnnsent.errors import UserError
from rnnsent.model import SentimentClassifier, still

PLATFORMS = ("cpu", "cuda")
"""That a model is exported for."""


def of(model: SentimentClassifier, params: Any) -> export.Exported:
    """Logits (b,), float32, of ids (b, t), int32, for any b and t from 1; weights are part of it.

    The recurrence is by ``lax.scan``, which is the same on every platform.

    Raises:
      UserError: for a cell whose step needs the number of rows to be known.
    """
    plain, params = still(model).clone(implementation="scan"), jax.device_get(params)

    def logits(ids_BT: Array) -> Array:
        return jnp.asarray(plain.apply({"params": params}, ids_BT), jnp.float32)

    ids = jax.ShapeDtypeStruct(export.symbolic_shape("b, t"), jnp.int32)
    try:
        with _no_locations():
            return export.export(jax.jit(logits), platforms=PLATFORMS)(ids)
    except Exception as error:  # a cell of the user's own may fail in any way
        why = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise UserError(
            f"A model of the cell {model.cell} cannot be exported for any number of rows and steps "
            f"({why}). Its step must not need them as numbers: use array.shape[0] in place of "
            "len(array)."
        ) from error


@contextlib.contextmanager
def _no_locations() -> Iterator[None]:
    """Keeps the names of this machine's files out of the program."""
    name = "jax_traceback_in_locations_limit"
    before = getattr(jax.config, name)
    jax.config.update(name, 0)
    try:
        yield
    finally:
        jax.config.update(name, before)


def check(found: export.Exported) -> None:
    """Raises ``ValueError`` unless it is logits of ids, and arithmetic alone.

    A program may call functions of the process by name or address; ours call none but the check of
    their shapes.
    """
    avals = (*found.in_avals, *found.out_avals)
    told = [f"{a.dtype}[{','.join(map(str, a.shape))}]" for a in avals]
    if told != ["int32[b,t]", "float32[b]"] or found.nr_devices != 1:
        raise ValueError(f"it is a program of {', '.join(told)}, on {found.nr_devices} devices")
    text = found.mlir_module()
    if text.count("custom_call") != text.count("custom_call @shape_assertion("):
        raise ValueError("it calls functions outside of itself")
