"""What a person sees while a program runs: live progress on a terminal, little anywhere else."""

import contextlib
import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn


def say(text: str) -> None:
    """One line to the person, on stderr: stdout carries results only."""
    print(steady(text), file=sys.stderr, flush=True)


def steady(text: str) -> str:
    """A text without characters that steer a terminal; lines, and what stands for bytes, stay.

    A title or a name may come from a file of others: U+FFFD stands for a control character and for
    one that changes the direction of writing.
    """
    kept = (c.isprintable() or c in "\n\t" or "\ud800" <= c <= "\udfff" for c in text)
    return "".join(c if keep else "\ufffd" for c, keep in zip(text, kept, strict=True))


def open_output() -> None:
    """Makes stdout and stderr take any text: what they cannot encode is written as an escape.

    One that was closed when the program started takes all and keeps nothing, so that no file which
    is opened later gets its place.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def output_fails() -> bool:
    """Whether nothing can be printed, for nobody reads it or there is no room; for after an error.

    It has to be tried: of what once failed, Python may keep nothing that would fail again.
    """
    try:
        print(flush=True)
    except OSError:
        return True
    return False


def drop_output() -> None:
    """Forgets what could not be written; it would fail once more as Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def bar(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yields ``advance(n)``, which moves a bar of ``total`` by n. Silent without a terminal."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(description, total=total)
        yield lambda n: progress.advance(task, n)


@contextlib.contextmanager
def whole_progress(total: float, console: Console | None = None) -> Iterator["Tell"]:
    """A bar over all of some work, with the time left.

    Where stderr is no terminal, it says a line at each end of a part instead.

    Args:
      total: the work, in any unit.
      console: where to draw.

    Yields:
      A function that is told how it goes.
    """
    console = console or Console(stderr=True)
    pace = _Pace()

    if not console.is_terminal:

        def line(done: float, text: str, ended: bool, begun: bool = False) -> None:
            pace.note(done, begun)
            if ended:
                say(f"{text}; {done / total:.0%} done, {pace.left(total - done)} left")

        yield line
        return
    left_column = TextColumn("{task.fields[left]} left")
    columns = (BarColumn(20), TaskProgressColumn(), TimeElapsedColumn(), left_column)
    with Progress(*columns, TextColumn("{task.description}", markup=False), console=console) as bar:
        task = bar.add_task("starting", total=total, left="?")

        def update(done: float, text: str, ended: bool, begun: bool = False) -> None:
            pace.note(done, begun)
            left = pace.left(total - done)
            bar.update(task, completed=done, description=steady(text), left=left)

        yield update


class Tell(Protocol):
    """Told of some work as it goes."""

    def __call__(self, done: float, text: str, ended: bool, begun: bool = False) -> None:
        """Takes in how far it is.

        Args:
          done: of all the work.
          text: what is done just now.
          ended: whether a part has ended.
          begun: whether a part has begun since the last call. What it had done already, and the
            time until now, compilation for one, then say nothing of the pace.
        """


class _Pace:
    """How long work takes, by all that was done but for the beginnings of its parts."""

    def __init__(self) -> None:
        self.at, self.done = time.perf_counter(), 0.0
        self.seconds = self.work = 0.0

    def note(self, done: float, begun: bool) -> None:
        now = time.perf_counter()
        if not begun:
            self.seconds += now - self.at
            self.work += done - self.done
        self.at, self.done = now, done

    def left(self, work: float) -> str:
        """The time that so much work will take."""
        if not work:
            return duration(0)
        return duration(self.seconds * work / self.work) if self.work else "?"


def duration(seconds: float) -> str:
    """A duration as one says it, in seconds or minutes."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
