"""Ctrl-C and SIGTERM: raised at once, or noted until the work can stop without a loss.

Only the main thread of a process can be told; elsewhere the system's way stands. Signals that
whoever started the process had ignored stay ignored.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

_STOPPING = b"\nStopping after the steps under way; once more ends it at once.\n"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Terminated(KeyboardInterrupt):
    """SIGTERM, which asks a process to end."""


def raise_of(number: int, frame: Any = None) -> None:
    """Raises what a signal is to the program; a handler."""
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


def code(error: KeyboardInterrupt) -> int:
    """The exit code of a process that an interruption ends, as shells have it: 128 + signal."""
    return 128 + (signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT)


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """In here, SIGTERM raises ``Terminated`` as Ctrl-C raises ``KeyboardInterrupt``."""
    with _handled(raise_of):
        yield


class Noted:
    """Whether a signal has asked this process to end."""

    def __init__(self) -> None:
        self.number = 0

    @property
    def asked(self) -> bool:
        """Whether one has."""
        return self.number > 0

    def now(self) -> None:
        """Raises what it is to the program, if there was one."""
        if self.asked:
            raise_of(self.number)

    def note(self, number: int, frame: Any) -> None:
        """Takes the first signal, and leaves the next to the system, which ends the process."""
        self.number = number
        for one in _SIGNALS:
            signal.signal(one, signal.SIG_DFL)
        # Not by print: it may have come in the middle of one.
        with contextlib.suppress(OSError, ValueError, AttributeError):  # there may be no stderr
            os.write(sys.stderr.fileno(), _STOPPING)


@contextlib.contextmanager
def noted() -> Iterator[Noted]:
    """In here, a first signal is only noted; a second one ends the process at once.

    What works in here asks for it between two pieces of work, and calls ``now`` where nothing is
    lost; if it has not, that is done as the context is left.
    """
    held = Noted()
    with _handled(held.note):
        yield held
    held.now()


@contextlib.contextmanager
def _handled(handler: Callable[[int, Any], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {one: signal.getsignal(one) for one in _SIGNALS}
    for one, old in before.items():
        if old is not signal.SIG_IGN:
            signal.signal(one, handler)
    try:
        yield
    finally:
        for one, old in before.items():
            signal.signal(one, old)
