"""Running a script as a user does, in a process of its own."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]

# Compiles in half the time; the tests' own process runs what users run.
UNOPTIMISED = {"XLA_FLAGS": "--xla_backend_optimization_level=0"}


def run(*arguments: str, cwd: pathlib.Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """What ``python -m *arguments`` did in ``cwd``; it must end with ``code``, no traceback.

    Where a script hangs, the test fails instead of the whole suite.
    """
    env = os.environ | UNOPTIMISED | {"PYTHONPATH": str(ROOT)}
    env.pop("RNNSENT_IMDB_ARCHIVE", None)
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=900)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done
