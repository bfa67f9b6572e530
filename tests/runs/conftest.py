import shutil

import pytest

from rnnsent import data, runs
from rnnsent.recipes import Recipe
from rnnsent.runs import last

TINY = Recipe(name="tiny", cell="simple_rnn", features=(8,), head=4, embedding_size=4, epochs=2)


@pytest.fixture(scope="session")
def toy():
    return data.load("toy", data.Encoding(num_words=60, maxlen=12))


@pytest.fixture
def recipe():
    return TINY


@pytest.fixture(scope="session")
def finished(toy, tmp_path_factory):
    """A folder with one training; tests that change it take a copy."""
    run = tmp_path_factory.mktemp("finished")
    runs.train(run, TINY, [3], toy)
    return run


@pytest.fixture
def folder(finished, tmp_path):
    """A finished training that may be damaged."""
    shutil.copytree(finished, tmp_path / "run")
    return runs.seed_folder(tmp_path / "run", "tiny", 3)


@pytest.fixture
def no_waiting(monkeypatch):
    """Every checkpoint that is due is written, though the one before still is."""
    due = last.Saver.due
    monkeypatch.setattr(last.Saver, "due", lambda self, *at: self.wait() or due(self, *at))
