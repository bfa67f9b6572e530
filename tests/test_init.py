"""What ``import rnnsent`` offers, and that it costs nothing until it is used."""

import importlib
import subprocess
import sys
import tomllib

import pytest
from scripts import ROOT

import rnnsent

HEAVY = ("jax", "flax", "optax", "numpy", "orbax", "matplotlib", "tensorflow_datasets")


def test_every_public_name_is_there():
    assert dir(rnnsent) == rnnsent.__all__ == sorted(set(rnnsent.__all__))
    for name in rnnsent.__all__:
        assert getattr(rnnsent, name) is not None, name
    assert rnnsent.cells is importlib.import_module("rnnsent.cells")
    assert rnnsent.Cell is rnnsent.cells.Cell and rnnsent.recipes.Recipe is rnnsent.Recipe


def test_no_other_name_is():
    with pytest.raises(AttributeError, match="^module 'rnnsent' has no attribute 'Sell'$"):
        rnnsent.Sell  # noqa: B018
    with pytest.raises(ImportError, match="Sell"):
        from rnnsent import Sell  # noqa: F401


def test_the_version_is_the_projects():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert rnnsent.__version__ == project["version"]


def test_nothing_is_imported_before_it_is_used():
    script = (
        "import sys, rnnsent\n"
        "rnnsent.__version__, dir(rnnsent), hasattr(rnnsent, 'Sell')\n"
        f"early = [name for name in {HEAVY} if name in sys.modules]\n"
        "assert not early, early\n"
        "rnnsent.Cell\n"
        "assert 'jax' in sys.modules and 'rnnsent.training' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
