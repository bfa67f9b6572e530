"""The way of the data is the import order; heavy imports stay behind their fences."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "rnnsent"
RANK = {
    name: rank
    for rank, names in enumerate(
        (
            ("errors", "notebook", "console", "arrays", "devices", "reference", "interrupts"),
            ("locks", "commandline"),
            ("processes",),
            ("data", "cells", "optimizers"),
            ("kernels", "evaluation", "comparison", "epochs"),
            ("recurrence", "baseline", "provenance"),
            ("steps", "pooling"),
            ("layers",),
            ("deep",),
            ("model",),
            ("parameters",),
            ("recipes", "layout", "contract", "interop"),
            ("inference", "testing", "exported", "streaming"),
            ("training",),
            ("fitting", "checkpoints", "analysis"),
            ("divergence", "memory", "predictions", "readings"),
            ("runs",),
            ("claims", "compare", "benchmark", "probe", "sweep", "conversion"),
            ("report", "changes"),
            ("config", "session"),
            ("command",),
        )
    )
    for name in names
}
LINES = 300
"""That a module has at most: what has more is two things."""
FENCED = {
    "tensorflow_datasets": ("data",),
    "matplotlib": ("report",),
    "jinja2": ("report",),
    "markdown_it": (),
    "sklearn": ("evaluation", "baseline", "probe"),
    "torch": ("benchmark",),
    "keras": ("benchmark",),
    "tensorflow": ("benchmark",),
    "distributed": ("sweep",),
    "dask": ("sweep",),
    "pyarrow": ("sweep",),
    "flatbuffers": (),
    "h5py": ("interop",),
    "safetensors": ("interop",),
}


def imports(path: pathlib.Path) -> set[str]:
    """Every module a file imports, anywhere in it, with what it takes from it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def unit(path: pathlib.Path) -> str:
    """``cells`` of ``rnnsent/cells.py``, ``data`` of ``rnnsent/data/archive.py``."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(p for p in PACKAGE.rglob("*.py") if unit(p) != "__init__")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_import_only_what_stands_before_them(path):
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "rnnsent" and len(parts) > 1 and parts[1] != unit(path):
            assert RANK[parts[1]] < RANK[unit(path)], f"{path.name} imports {name}"
        if parts[0] in FENCED:
            assert unit(path) in FENCED[parts[0]], f"{path.name} imports {name}"
        assert parts[0] != "experiments"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_module_is_long(path):
    assert len(path.read_text().splitlines()) <= LINES


def test_the_readme_has_every_module_in_this_order():
    table = (ROOT / "README.md").read_text().split("| file | what it does |")[1].split("\n\n")[0]
    rows = [re.findall(r"`(?:rnnsent/)?(\w+)", row.split("|")[1]) for row in table.splitlines()[2:]]
    assert sorted(name for row in rows for name in row) == sorted(RANK)
    ranks = [RANK[name] for row in rows for name in row]
    assert ranks == sorted(ranks)


def test_experiments_do_not_import_one_another():
    for path in (ROOT / "experiments").glob("*.py"):
        assert not [name for name in imports(path) if name.startswith("experiments")]


def test_nothing_heavy_and_no_backend_at_import():
    modules = [
        "rnnsent." + ".".join(p.relative_to(PACKAGE).with_suffix("").parts)
        for p in FILES
        if unit(p) != "benchmark" and p.name not in ("__init__.py", "builder.py")
    ]
    script = (
        f"import importlib, sys\nfor name in {modules}: importlib.import_module(name)\n"
        "heavy = {'tensorflow', 'keras', 'torch', 'distributed', 'h5py', 'safetensors'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "import jax\njax.config.update('jax_num_cpu_devices', 3)\n"  # fails once a backend is up
        "assert jax.local_device_count() == 3\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
