"""One process at a time in a folder."""

import contextlib
import fcntl
import pathlib
from collections.abc import Iterator
from typing import IO

from rnnsent import console
from rnnsent.errors import UserError

NAME = ".lock"
"""The file in a locked folder; it stays, empty, when the lock is gone."""


@contextlib.contextmanager
def alone(folder: pathlib.Path, wait: str = "") -> Iterator[None]:
    """Holds an existing folder for this process; the system frees it when the process dies.

    Where the file system knows no locks, a line says so and the folder is not held.

    Args:
      folder: to be held.
      wait: if another process holds it, this line is said, and its end waited for.

    Raises:
      UserError: if another process holds it and is not waited for.
    """
    with contextlib.ExitStack() as held:
        try:
            file = held.enter_context((folder / NAME).open("a"))
            _hold(file, wait)
        except BlockingIOError:
            raise UserError(
                f"Another process works on {folder}. Wait for its end, or choose another folder."
            ) from None
        except OSError as error:
            why = f"{folder} cannot be locked ({error.strerror})"
            console.say(f"{why}: let no other process work on it meanwhile.")
        yield


def _hold(file: IO[str], wait: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if not wait:
            raise
        console.say(wait)
        fcntl.flock(file, fcntl.LOCK_EX)
