"""Recipes by name, from a user's file, and with some of their fields set."""

import difflib
import os
import pathlib
import re
import typing
from collections.abc import Mapping
from typing import Any

import msgspec

from rnnsent.errors import UserError
from rnnsent.recipes.recipe import SHIPPED, Recipe


def find(name: str) -> Recipe:
    """The shipped recipe of that name, or the one in that TOML file.

    Raises:
      UserError: if there is none, or the file does not hold one.
    """
    if name in SHIPPED:
        return SHIPPED[name]
    if not name.endswith(".toml"):
        if os.path.isfile(f"{name}.toml"):
            raise UserError(f"There is no recipe {name}; did you mean {name}.toml?")
        raise UserError(f"There is no recipe {name}{_alike(name)} Or give a TOML file.")
    path = pathlib.Path(name)
    try:
        fields = msgspec.toml.decode(path.read_bytes())
    except OSError as error:
        raise UserError(f"The recipe {path} cannot be read: {error.strerror}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"The recipe {path} is no valid TOML: {error}.") from error
    if "name" in fields:
        raise UserError(f"{path}: name is {fields['name']!r}; a recipe is named by its file.")
    recipe = _recipe(str(path), {**_extended(path, fields), "name": path.stem})
    if path.stem in SHIPPED and not recipe.shipped:
        raise UserError(f"{path} changes the shipped recipe {path.stem}; give it another name.")
    return recipe


def _alike(name: str) -> str:
    close = difflib.get_close_matches(name, SHIPPED, 1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(SHIPPED)}."


def _extended(path: pathlib.Path, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a file over those of the shipped recipe that it extends, if any."""
    own = {name: value for name, value in fields.items() if name != "extends"}
    if "extends" not in fields:
        return own
    base = fields["extends"]
    if base not in (names := list(SHIPPED)):
        raise UserError(f"{path}: extends is {base!r}; expected one of {', '.join(names)}.")
    return SHIPPED[base].fields() | own


def changed(recipe: Recipe, fields: Mapping[str, Any]) -> Recipe:
    """A recipe with some fields set; the name says which of them differ from what they were.

    What is changed twice has the name of both changes at once: of a shipped recipe all that differs
    from it, of another one the last value of each field.

    Raises:
      UserError: for values that no recipe can have.
    """
    new = _recipe(recipe.name, {**msgspec.to_builtins(recipe), **fields})
    if new == recipe:
        return recipe
    start = SHIPPED.get(recipe.base, recipe)
    old = start.fields()
    texts = {n: f"{n}={_text(v)}" for n, v in new.fields().items() if v != old[n]}
    base, *parts = start.name.split("+")
    kept = [part for part in parts if part.partition("=")[0] not in texts]
    return msgspec.structs.replace(new, name="+".join((base, *kept, *texts.values())))


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, dict):
        return ",".join(f"{name}={_text(one)}" for name, one in sorted(value.items()))
    return str(value)


def _recipe(where: str, fields: dict[str, Any]) -> Recipe:
    """The recipe with these fields; ``UserError`` naming the one that it cannot have."""
    try:
        return msgspec.convert(fields, Recipe)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$.")
        if unknown := re.search(r"unknown field `(.*)`", what):
            close = difflib.get_close_matches(unknown[1], Recipe.__struct_fields__, 1)
            hint = f"did you mean {close[0]}?" if close else "see --help for those there are."
            raise UserError(f"{where}: there is no field {unknown[1]}; {hint}") from error
        if missing := re.search(r"missing required field `(.*)`", what):
            raise UserError(f"{where}: {missing[1]} is missing; give one, or extends.") from error
        field = re.split(r"\W", place, maxsplit=1)[0]
        value = f"{field} is {fields[field]!r}; " if field in fields else ""
        expected = what[0].lower() + what[1:].replace("`", "")
        if what.startswith("Invalid enum"):
            choices = typing.get_args(typing.get_type_hints(Recipe)[field])
            expected = f"expected one of {', '.join(choices)}"
        elif what.startswith("Expected `array`, got"):
            expected = "give a list, for example [64]"
        raise UserError(f"{where}: {value}{expected}.") from error
