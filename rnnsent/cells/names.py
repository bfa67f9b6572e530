"""A cell by its name: one of ours, or ``module:Class`` of the user's own."""

import dataclasses
import importlib
import inspect
import sys
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from rnnsent.cells.cell import Cell
from rnnsent.cells.classic import GRUCell, LSTMCell, SimpleRNNCell
from rnnsent.cells.gated import IndRNNCell, MGUCell, PeepholeLSTMCell
from rnnsent.cells.linear import LRUCell, MinGRUCell, MinLSTMCell
from rnnsent.cells.matrix import MLSTMCell
from rnnsent.errors import UserError

CELLS: dict[str, type[Cell]] = {
    "simple_rnn": SimpleRNNCell,
    "lstm": LSTMCell,
    "gru": GRUCell,
    "peephole_lstm": PeepholeLSTMCell,
    "mgu": MGUCell,
    "ind_rnn": IndRNNCell,
    "mlstm": MLSTMCell,
    "min_gru": MinGRUCell,
    "min_lstm": MinLSTMCell,
    "lru": LRUCell,
}

CLASSIC = ("simple_rnn", "lstm", "gru")
"""Those that Keras, PyTorch and Flax have too."""

ADVICE = f"Give one of {', '.join(CELLS)}, or module:Class from a folder that Python finds."
"""What to do where a name stands for no cell."""


def find(name: str) -> type[Cell]:
    """The cell that a name stands for: one of ``CELLS``, or ``module:Class`` of the user's own.

    Raises:
      UserError: if there is none, or it is no cell.
    """
    if name in CELLS:
        return CELLS[name]
    module, colon, attribute = name.partition(":")
    if not colon:
        raise UserError(f"There is no cell {name!r}. {ADVICE}")
    try:
        cell = getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # a user's module may fail in any way
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"There is no cell {name!r} ({why}). {ADVICE}") from error
    if not (inspect.isclass(cell) and issubclass(cell, Cell)):
        raise UserError(f"{name} is no subclass of rnnsent.cells.Cell. {ADVICE}")
    return cell


def create(name: str, features: int, options: Mapping[str, Any]) -> Cell:
    """A cell of a name and width with its hyper-parameters.

    Raises:
      UserError: for a hyper-parameter that the cell does not have, or of another type.
    """
    cell = find(name)
    kinds = {field.name: field.type for field in dataclasses.fields(cell)}
    known = set(kinds) - {"parent", "name", "features"}
    if unknown := set(options) - known:
        raise UserError(
            f"{name} has no option {', '.join(sorted(unknown))}; "
            f"it has {', '.join(sorted(known)) or 'none'}."
        )
    for option, value in options.items():
        kind: Any = _PLAIN.get(
            kinds[option], kinds[option]
        )  # a text where annotations are postponed
        if kind not in _PLAIN.values():
            continue
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            expected = f"expected {kind.__name__}"
            raise UserError(f"{name}: {option} is {value!r}, {expected}.") from error
    return cell(features=features, **options)


_PLAIN: dict[Any, type] = {kind.__name__: kind for kind in (bool, int, float, str)}


def title(name: str) -> str:
    """A cell's name in a table, without importing anything."""
    class_name = CELLS[name].__name__ if name in CELLS else name.rpartition(":")[2]
    return class_name.removesuffix("Cell")


def is_trusted(name: str, named: Collection[str]) -> bool:
    """Whether a cell that a file names may be imported: ours, the caller's, or imported already.

    Args:
      name: as the file has it, which may come from anyone.
      named: cells that the caller names.
    """
    return name in CELLS or name in named or name.partition(":")[0] in sys.modules


def check_trusted(name: str, named: Collection[str], where: str) -> None:
    """Raises ``UserError`` unless :func:`is_trusted`; ``where`` the name was found."""
    if name not in CELLS and ":" not in name:
        raise UserError(f"{where} names the cell {name!r}, and there is no cell {name!r}. {ADVICE}")
    if not is_trusted(name, named):
        raise UserError(
            f"{where} was trained with the cell {name!r}, which is no part of rnnsent: reading it "
            f"runs that module. If you trust it, add --cell {name}"
        )
