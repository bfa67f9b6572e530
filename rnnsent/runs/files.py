"""The one way to write and read a run folder's JSON.

A file that is missing, damaged or of another version is one line to the user.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec
import numpy as np

from rnnsent.errors import UserError

FORMAT = 3
"""Of a run folder; earlier ones had no number."""

PARTIAL = ".partial"
"""What the name of a file ends in that is being written."""

Kind = TypeVar("Kind")


def write_json(path: pathlib.Path, content: Any) -> None:
    """Writes all of a JSON file or nothing of it; a number that is not finite becomes null."""
    text = msgspec.json.format(msgspec.json.encode(content, enc_hook=_plain), indent=2)
    _write(path, text + b"\n")


def write_lines(path: pathlib.Path, items: Iterable[Any]) -> None:
    """Writes all of a file of lines of JSON or nothing of it."""
    _write(path, b"".join(map(_line_of, items)))


def append_line(path: pathlib.Path, item: Any) -> None:
    """One more line of JSON; it is in the file when this returns."""
    with path.open("ab") as file:
        file.write(_line_of(item))


def _line_of(item: Any) -> bytes:
    return msgspec.json.encode(item, enc_hook=_plain) + b"\n"


def _write(path: pathlib.Path, content: bytes) -> None:
    partial = path.with_suffix(path.suffix + PARTIAL)
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return str(value)


def unreadable(path: pathlib.Path, reason: object) -> UserError:
    """What to raise of a file that is not as this program leaves it."""
    return UserError(f"{path} cannot be read ({_line(reason)}). Give the folder of a finished run.")


def damaged(path: pathlib.Path, reason: object) -> UserError:
    """What to raise of a file in the folder of a training, which can be trained again."""
    return UserError(
        f"The training in {path.parent} is damaged ({path.name}: {_line(reason)}). Delete that "
        "folder; it is trained again when the run goes on."
    )


def _line(reason: object) -> str:
    return " ".join(str(reason).split())  # a field in it may have any name


def read_json(
    path: pathlib.Path,
    kind: type[Kind],
    failed: Callable[[pathlib.Path, object], UserError] = unreadable,
    *,
    anew: str = "Train anew, without --run.",
) -> Kind:
    """The content of a file of a run folder.

    Args:
      path: of the file.
      kind: what it must hold.
      failed: what is raised where it does not.
      anew: what to do where it is of another version.

    Raises:
      UserError: if the file is missing, damaged or of an earlier version.
    """
    try:
        content = path.read_bytes()
        if "format" in getattr(kind, "__struct_fields__", ()):
            _check_format(path, content, anew)
        return msgspec.json.decode(content, type=kind)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise failed(path, getattr(error, "strerror", None) or error) from error


def read_lines(path: pathlib.Path, kind: type[Kind]) -> list[Kind]:
    """What :func:`append_line` wrote; an ``OSError`` or ``ValueError`` where it is damaged."""
    return msgspec.json.Decoder(kind).decode_lines(path.read_bytes())


def _check_format(path: pathlib.Path, content: bytes, anew: str) -> None:
    fields = msgspec.json.decode(content)
    held = fields.get("format", 1) if isinstance(fields, dict) else FORMAT
    if held != FORMAT:
        earlier = isinstance(held, int) and held < FORMAT
        version = "an earlier" if earlier else "another"
        raise UserError(
            f"{path} is of {version} version of rnnsent, which this one does not read. {anew}"
        )
