"""One way to read and to write a model's file, whose name says what it is."""

import glob
import os
import pathlib
import uuid
from collections.abc import Callable, Collection

from rnnsent.errors import UserError
from rnnsent.interop import keras_file, tensors
from rnnsent.interop.portable import Portable

_ENCODE: dict[str, Callable[[Portable], bytes]] = {
    ".keras": keras_file.encode,
    ".weights.h5": keras_file.encode_weights,
    ".safetensors": tensors.encode,
}

SUFFIXES = tuple(_ENCODE)
"""What a model's file may be called."""


def suffix(path: pathlib.Path) -> str:
    """The one of ``SUFFIXES`` that a name ends in; ``UserError`` where it ends in none."""
    for one in SUFFIXES:
        if path.name.endswith(one):
            return one
    raise UserError(f"{path} is no model's file by its name; expected {', '.join(SUFFIXES)}.")


def load(path: pathlib.Path, cells: Collection[str] = ()) -> Portable:
    """The model in a file of Keras's (``.keras``, ``.weights.h5``) or ours (``.safetensors``).

    Args:
      path: of the file.
      cells: that may be imported, as ``module:Class``, besides the shipped ones.

    Returns:
      The model and its parameters as NumPy's arrays, with what its predictions assume.

    Raises:
      UserError: if it is missing, damaged, hostile, or of another architecture.
    """
    kind = suffix(path)
    if kind == ".keras":
        return keras_file.load(path)
    if kind == ".weights.h5":
        return keras_file.load_weights(path)
    return tensors.load(path, cells)


def check_target(path: pathlib.Path, force: bool) -> None:
    """Raises ``UserError`` if a model cannot be written there; for asking before any work."""
    suffix(path)
    check_place(path, force)


def check_place(path: pathlib.Path, force: bool) -> None:
    """Raises ``UserError`` if a file, of any name, cannot be written there."""
    if os.path.lexists(path) and not force:
        raise _exists(path)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UserError(f"{path} is no file in a folder that exists. Choose another place.")


def save(path: pathlib.Path, portable: Portable, *, force: bool = False) -> None:
    """Writes all of a model's file or nothing of it.

    Args:
      path: its name says what kind of file.
      portable: the model.
      force: write it over one that exists.

    Raises:
      UserError: if the file exists or cannot be written, or cannot hold such a model.
    """
    check_target(path, force)
    write(path, _ENCODE[suffix(path)](portable), force)


def write(path: pathlib.Path, content: bytes, force: bool = False) -> None:
    """Writes all of a file or nothing of it; raises as :func:`save`, whatever its name."""
    check_place(path, force)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        _remove_left(path)
        partial.write_bytes(content)
        if force:
            os.replace(partial, path)
        else:
            os.link(partial, path)  # unlike a renaming, it fails where another file has the name
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}. Choose another place.") from error
    finally:
        partial.unlink(missing_ok=True)


def _remove_left(path: pathlib.Path) -> None:
    """What processes left that were killed as they wrote this file; one that still does is told."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 8}.partial"):
        left.unlink(missing_ok=True)


def _exists(path: pathlib.Path) -> UserError:
    return UserError(f"{path} exists already. Choose another name, or write over it with --force.")
