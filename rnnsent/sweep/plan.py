"""From a sweep's TOML file to its members: the recipes that are to be trained, the base first.

For example, every combination of some values::

    base = "sound-lstm"        # a shipped recipe, or a recipe file beside this one
    seeds = [0, 1, 2]
    set = {epochs = 4}         # in all members, the base too

    [fields]
    learning_rate = {low = 3e-4, high = 1e-2, count = 4, log = true}
    features = [[64], [128, 64]]

and with a table ``random`` that many draws instead, where a range has no ``count``::

    random = {draws = 20, seed = 0}
"""

import dataclasses
import difflib
import itertools
import math
import pathlib
import random
import re
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from rnnsent import recipes
from rnnsent.errors import UserError
from rnnsent.recipes import Recipe

MOST = 10_000
"""Members that a sweep can have."""

DIGITS = 4
"""Significant digits of a number from a range: a recipe's name shows them."""

Seed = Annotated[int, Meta(ge=0, lt=2**31)]  # a key takes 32 bits of it


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers from ``low`` to ``high``, both included.

    Attributes:
      low: the smallest.
      high: the largest.
      count: evenly spaced values of a grid; a random search draws, and needs none.
      log: even on a logarithmic scale.
    """

    low: int | float
    high: int | float
    count: Annotated[int, Meta(ge=2, le=MOST)] | None = None
    log: bool = False

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(f"a range from {self.low} to {self.high} is none; low is below high")
        if self.log and self.low <= 0:
            raise ValueError(f"a range with log starts above 0, not at {self.low}")

    def at(self, share: float) -> float:
        """The number at this share of the way, in [0, 1]; between the ends of few digits."""
        if share in (0, 1):
            return self.high if share else self.low
        if self.log:
            value = self.low * (self.high / self.low) ** share
        else:
            value = self.low + (self.high - self.low) * share
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)


class Random(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A random search: so many draws, which follow from the seed; more draws go on with them."""

    draws: Annotated[int, Meta(ge=1, le=MOST)]
    seed: Annotated[int, Meta(ge=0)] = 0


Values = Annotated[list[Any], Meta(min_length=1)] | Range


class Sweep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file.

    Attributes:
      base: the recipe that every member is made of, and compared with.
      seeds: of every member.
      fields: by name of a recipe's field, the values it takes.
      set: fields that have one value in all members.
      random: draws instead of every combination.
    """

    base: str
    seeds: Annotated[tuple[Seed, ...], Meta(min_length=1)]
    fields: Annotated[dict[str, Values], Meta(min_length=1)]
    set: dict[str, Any] = {}
    random: Random | None = None

    def __post_init__(self) -> None:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds names one value twice")
        for name, values in self.fields.items():
            _check(name, values, self.random is not None)
        if both := sorted(self.fields.keys() & self.set.keys()):
            raise ValueError(f"{both[0]} stands in fields and in set; it can be in one of them")


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a sweep trains.

    Attributes:
      members: recipes, each another; the first is the base.
      seeds: of each member.
      varied: names of the fields that members differ in.
    """

    members: tuple[Recipe, ...]
    seeds: tuple[int, ...]
    varied: tuple[str, ...]


def read(path: pathlib.Path) -> Plan:
    """The plan of a file.

    Raises:
      UserError: if the file cannot be read, or says what no sweep can be.
    """
    try:
        sweep = msgspec.toml.decode(path.read_bytes(), type=Sweep)
    except OSError as error:
        raise UserError(f"The sweep {path} cannot be read: {error.strerror}.") from error
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: {_problem(str(error))}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"The sweep {path} is no valid TOML: {error}.") from error
    try:
        name = sweep.base
        base = recipes.find(str(path.parent / name) if name.endswith(".toml") else name)
        return plan(sweep, recipes.changed(base, sweep.set))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _problem(text: str) -> str:
    """One line on what msgspec found, with the field that was meant where a name is unknown."""
    what, _, place = text.partition(" - at `$")
    where = place.removesuffix("`").removeprefix(".")
    if unknown := re.search(r"unknown field `(.*)`", what):
        names = Range.__struct_fields__ if where else Sweep.__struct_fields__
        names = Random.__struct_fields__ if where == "random" else names
        inside = f" in {where}" if where else ""
        return f"there is no {unknown[1]}{inside}; expected {', '.join(names)}."
    what = what[0].lower() + what[1:].replace("`", "") + "." * (not what.endswith("?"))
    return f"{where}: {what}" if where else what


def plan(sweep: Sweep, base: Recipe) -> Plan:
    """All members: the base, and what each combination or draw makes of it, each once.

    Raises:
      UserError: for values that no recipe can have, and for too many.
    """
    members = {base.folder: base}
    for fields in _drawn(sweep) if sweep.random else _grid(sweep):
        member = recipes.changed(base, fields)
        if members.setdefault(member.folder, member) != member:
            raise UserError(f"two members would be called {member.name}; leave one of them out.")
    if len(members) < 2:
        raise UserError("every member is the base itself; give fields other values.")
    varied = [name for name in base.fields() if name in sweep.fields]
    return Plan(tuple(members.values()), sweep.seeds, tuple(varied))


def _check(name: str, values: list[Any] | Range, drawn: bool) -> None:
    """Raises ``ValueError`` unless a recipe has such a field, which can take such values."""
    kinds = _kinds()
    if name not in kinds:
        close = difflib.get_close_matches(name, kinds, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(kinds)}"
        raise ValueError(f"a recipe has no field {name}; {hint}")
    if not isinstance(values, Range):
        return
    if kinds[name] not in (int, float):
        raise ValueError(f"{name} takes no range; give a list of values")
    if kinds[name] is int and not isinstance(values.low, int) & isinstance(values.high, int):
        raise ValueError(f"{name} is a whole number, and so are the ends of its range")
    if drawn == (values.count is not None):
        need = "has no count in a random search" if drawn else "needs a count in a grid"
        raise ValueError(f"the range of {name} {need}")


def _kinds() -> Mapping[str, Any]:
    """The fields that a sweep can vary, with their types."""
    hints = typing.get_type_hints(Recipe)
    return {name: kind for name, kind in hints.items() if name != "name"}


def _grid(sweep: Sweep) -> Iterator[dict[str, Any]]:
    """Every combination; the last field changes fastest."""
    choices = {name: _spaced(name, values) for name, values in sweep.fields.items()}
    if (count := math.prod(map(len, choices.values()))) > MOST:
        raise UserError(f"the grid has {count:,} members, more than {MOST:,}; draw at random.")
    for values in itertools.product(*choices.values()):
        yield dict(zip(choices, values, strict=True))


def _spaced(name: str, values: list[Any] | Range) -> list[Any]:
    if not isinstance(values, Range):
        return values
    assert values.count is not None, "checked as the file is read"
    ends = values.count - 1
    numbers = [values.at(step / ends) for step in range(values.count)]
    return [round(number) for number in numbers] if _kinds()[name] is int else numbers


def _drawn(sweep: Sweep) -> Iterator[dict[str, Any]]:
    """The draws, each field by itself; the order of the fields in the file does not count.

    Only ``random.Random.random`` is used, whose numbers Python keeps the same in every version.
    """
    assert sweep.random is not None
    numbers = random.Random(sweep.random.seed)
    for _ in range(sweep.random.draws):
        shares = {name: numbers.random() for name in sorted(sweep.fields)}
        yield {name: _taken(name, sweep.fields[name], shares[name]) for name in sweep.fields}


def _taken(name: str, values: list[Any] | Range, share: float) -> Any:
    """The value at a share of the way, in [0, 1)."""
    if not isinstance(values, Range):
        return values[int(share * len(values))]
    if _kinds()[name] is not int:
        return values.at(share)
    if values.log:  # each whole number has its part of the scale
        low, high = values.low - 0.5, values.high + 0.5
        return min(max(round(low * (high / low) ** share), values.low), values.high)
    return int(values.low) + int(share * (int(values.high) - int(values.low) + 1))
