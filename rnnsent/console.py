"""What a person sees while a program runs: live progress on a terminal, little anywhere else."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_MEANS = "loss {task.fields[loss]:.4f}  accuracy {task.fields[accuracy]:.4f}"
_RATE = "{task.fields[rate]:>7,.0f} reviews/s"


def say(text: str) -> None:
    """One line to the person, on stderr: stdout carries results only."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def bar(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yields ``advance(n)``, which moves a bar of ``total`` by n. Silent without a terminal."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(description, total=total)
        yield lambda n: progress.advance(task, n)


@contextlib.contextmanager
def training_progress(
    title: str, console: Console | None = None
) -> Iterator[Callable[[Any], None]]:
    """A bar over all epochs of one training; yields the callback for ``training.fit``.

    Where stderr is no terminal, it says one line per epoch instead.
    """
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield lambda now: _line(title, now)
        return
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TextColumn(_MEANS),
        TextColumn(_RATE),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=None, loss=float("nan"), accuracy=float("nan"), rate=0.0)
        first = None

        def update(now):
            nonlocal first
            first = now.epoch if first is None else first
            bar.update(
                task,
                description=f"{title} epoch {now.epoch}/{now.epochs} step {now.step}/{now.steps}",
                total=(now.epochs - first + 1) * now.steps,
                completed=(now.epoch - first) * now.steps + now.step,
                loss=now.loss,
                accuracy=now.accuracy,
                rate=now.rows / now.seconds,
            )

        yield update


def _line(title: str, now: Any) -> None:
    if now.step == now.steps:
        say(
            f"{title} epoch {now.epoch}/{now.epochs}: loss {now.loss:.4f}, accuracy "
            f"{now.accuracy:.4f}, {now.seconds:.1f} s, {now.rows / now.seconds:,.0f} reviews/s"
        )
