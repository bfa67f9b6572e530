"""The fields of a recipe as options of a command line, each of which may be left out."""

import dataclasses
import typing
from typing import Annotated, Any, Literal

import msgspec
import tyro
from msgspec import Meta

from rnnsent.errors import UserError
from rnnsent.recipes import Recipe


def _fields() -> list[tuple[str, Any, Any]]:
    """Every field of a recipe but its name, as an option that may be left out."""
    hints = typing.get_type_hints(Recipe, include_extras=True)
    del hints["name"]
    return [(name, _option(hint), dataclasses.field(default=None)) for name, hint in hints.items()]


def _option(hint: Any) -> Any:
    """Type and help of the option for a field."""
    kind = _bare(hint)
    text = next(one.description for one in hint.__metadata__ if isinstance(one, Meta))
    if typing.get_origin(kind) is dict:
        kind, metavar = tuple[str, ...], "NAME=VALUE …"
    elif typing.get_origin(kind) is tuple:
        metavar = f"{typing.get_args(kind)[0].__name__.upper()} …"
    else:
        if kind is bool:  # as in TOML; a switch could not be turned off
            kind = Literal[tuple(_TRUTH)]  # type: ignore[valid-type]  # a table
        choices = typing.get_args(kind)
        metavar = f"{{{','.join(map(str, choices))}}}" if choices else kind.__name__.upper()
    told = tyro.conf.arg(help=text, metavar=metavar, help_behavior_hint="")
    return Annotated[kind | None, told]


def _switches() -> set[str]:
    """The fields that are yes or no."""
    return {name for name, kind in typing.get_type_hints(Recipe).items() if kind is bool}


_TRUTH = {"true": True, "false": False}


def _bare(hint: Any) -> Any:
    """A field's type without its constraints."""
    return typing.get_type_hints(dataclasses.make_dataclass("_", [("x", hint)]))["x"]


Changes = dataclasses.make_dataclass("Changes", _fields(), frozen=True)
Changes.__doc__ = "Fields to set in every recipe that is named; its name then says so."


def given(changes: Any) -> dict[str, Any]:
    """The fields that are set, of a :class:`Changes`.

    Raises:
      UserError: for a hyper-parameter of the cell that is no ``NAME=VALUE``.
    """
    held = {f.name: getattr(changes, f.name) for f in dataclasses.fields(changes)}
    held = {name: value for name, value in held.items() if value is not None}
    for name in held.keys() & _switches():
        held[name] = _TRUTH[held[name]]
    if "cell_options" in held:
        held["cell_options"] = dict(map(_pair, held["cell_options"]))
    return held


def _pair(text: str) -> tuple[str, Any]:
    """Name and value of ``NAME=VALUE``: a number, true or false, or else a text."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise UserError(f"--cell-options has {text!r}; expected NAME=VALUE.")
    try:
        return name, msgspec.json.decode(value.lower(), type=bool | int | float)
    except msgspec.DecodeError:
        return name, value
