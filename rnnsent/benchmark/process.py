"""A subject's process as the benchmark sees it: asked one thing at a time."""

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from rnnsent.benchmark.worker import environment


class Failed(RuntimeError):
    """A subject, the reference or the limit could not do what it was asked."""


def _search_path() -> str:
    """Where this process finds modules, a user's cell among them, for another one."""
    return os.pathsep.join(os.path.abspath(folder) for folder in sys.path)


class Process:
    """``python -m rnnsent.benchmark.worker NAME FOLDER``; to be closed."""

    def __init__(self, name: str, folder: str):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rnnsent.benchmark.worker", name, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=os.environ | environment(name) | {"PYTHONPATH": _search_path()},
        )
        assert self.process.stdin is not None and self.process.stdout is not None  # they are pipes
        self.requests, self.answers = self.process.stdin, self.process.stdout

    def ask(self, do: str, **arguments: Any) -> Any:
        """The answer to one request; :class:`Failed` with its last words where it died."""
        self.send(do, **arguments)
        return self.receive()

    def send(self, do: str, **arguments: Any) -> None:
        """Makes a request whose answer :meth:`receive` waits for."""
        try:
            self.requests.write(json.dumps({"do": do, **arguments}) + "\n")
            self.requests.flush()
        except BrokenPipeError:
            pass  # receive finds no answer

    def receive(self) -> Any:
        """The answer to the last request; :class:`Failed` with its last words where it died."""
        if answer := self.answers.readline():
            return json.loads(answer)
        self.errors.seek(0)
        raise Failed((self.errors.read().strip().splitlines() or ["it ended"])[-1])

    def end(self) -> None:
        """Makes no further request, upon which it ends in its own time."""
        try:
            self.requests.close()
        except BrokenPipeError:
            pass

    def close(self) -> None:
        """Returns once it ended."""
        self.end()
        self.answers.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()
