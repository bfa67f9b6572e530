"""What is wrong with an input, and the one line that is to say so."""

import dataclasses
import pathlib
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Bad:
    """A bad input.

    Attributes:
      name: of the case.
      make: makes it, in the working directory.
      says: part of what the script must say.
      command: what is run; a test may have a command of its own for all.
    """

    name: str
    make: Callable[[pathlib.Path], None]
    says: str
    command: str = ""


def nothing(_: pathlib.Path) -> None:
    """Makes nothing: the command itself is bad."""
