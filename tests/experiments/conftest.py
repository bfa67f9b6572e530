"""A comparison on the toy task, run once for all scripts that go on from one."""

import pytest
from scripts import COMPARED, run


@pytest.fixture(scope="session")
def compared(tmp_path_factory):
    """Where it ran, and what it printed; tests that change the folder take a copy."""
    cwd = tmp_path_factory.mktemp("work")
    return cwd, run("experiments.compare", *COMPARED, cwd=cwd)
