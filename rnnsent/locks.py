"""One process at a time in a folder."""

import contextlib
import fcntl
import pathlib
from collections.abc import Iterator

from rnnsent import console
from rnnsent.errors import UserError

NAME = ".lock"
"""The file in a locked folder; it stays, empty, when the lock is gone."""


@contextlib.contextmanager
def alone(folder: pathlib.Path) -> Iterator[None]:
    """Holds an existing folder for this process; the system frees it when the process dies.

    Where the file system knows no locks, a line says so and the folder is not held.

    Raises:
      UserError: if another process holds it.
    """
    with contextlib.ExitStack() as held:
        try:
            file = held.enter_context((folder / NAME).open("a"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"Another process works on {folder}. Wait for its end, or choose another folder."
            ) from None
        except OSError as error:
            why = f"{folder} cannot be locked ({error.strerror})"
            console.say(f"{why}: let no other process work on it meanwhile.")
        yield
