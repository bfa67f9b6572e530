"""What the README shows as code, done as it says, on the toy task."""

import ast
import inspect
import os
import subprocess
import sys

import guests
import pytest
from scripts import ROOT, block, run, write_files

from rnnsent import cells

SMALL = "--features 8 4 --embedding-size 4 --head 4 --maxlen 24 --epochs 1".split()


def minimal_cell(source: str) -> list[str]:
    """Its ``MinimalCell``, method by method as Python reads it, whatever the layout and remarks."""
    nodes = ast.parse(source).body
    (cell,) = [node for node in nodes if getattr(node, "name", "") == "MinimalCell"]
    return [ast.dump(node) for node in cell.body if isinstance(node, ast.FunctionDef)]


def test_one_cell_is_shown_everywhere_and_tested():
    docstring = inspect.getdoc(cells)
    shown = inspect.cleandoc(docstring.partition("own::\n\n")[2].partition("\n\n``my_cells:")[0])
    readme, tested = block("python", "# my_cells.py"), inspect.getsource(guests)
    assert len(minimal_cell(readme)) == 2
    assert minimal_cell(shown) == minimal_cell(readme) == minimal_cell(tested)
    for source in (shown, readme, tested):
        assert "from rnnsent.cells import Cell, glorot_uniform, jnp, matmul, nn\n" in source


@pytest.mark.slow
def test_the_example_in_python_runs():
    source = block("python", "import rnnsent\n")
    for old, new in (('"imdb-train"', '"toy"'), ("epochs=recipe.epochs", "epochs=1")):
        assert source.count(old) == 1
        source = source.replace(old, new)
    source += "print(logits_NT.shape == (1, 132), len(history[0]))\n"
    command = [sys.executable, "-W", "error", "-c", source]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    accuracy, *rest = done.stdout.split()
    assert 0 <= float(accuracy) <= 1 and rest == ["True", "1"]


@pytest.fixture(scope="module")
def guest(tmp_path_factory):
    """A folder with the two files that the README has one write, and the run made in it."""
    cwd = tmp_path_factory.mktemp("guest")
    write_files(cwd)
    recipes = ("--recipes", "notebook-lstm", "my.toml", "--data", "toy", "--quick")
    run("experiments.compare", *recipes, *SMALL, cwd=cwd)
    (folder,) = (cwd / "runs").iterdir()
    return cwd, folder


@pytest.mark.slow
def test_the_cell_of_ones_own_is_trained_beside_another(guest):
    cwd, folder = guest
    assert {path.name for path in cwd.iterdir()} <= {
        "my_cells.py",
        "my.toml",
        "runs",
        "__pycache__",
    }
    results = sorted(path.parent.parent.name for path in folder.glob("*/seed-0/result.json"))
    assert [name.partition("+")[0] for name in results] == ["my", "notebook-lstm"]
    assert "my+" in (folder / "report.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [("evaluate", "RUN"), ("predict", "a good film"), ("inspect", "RUN", "--review", "3")],
    ids=lambda command: command[0],
)
def test_its_run_is_read_where_the_cell_is_named(guest, command):
    cwd, folder = guest
    name, *arguments = (str(folder) if word == "RUN" else word for word in command)
    done = run(f"experiments.{name}", *arguments, "--cell", "my_cells:MinimalCell", cwd=cwd)
    assert "my+" in done.stdout and "notebook-lstm+" in done.stdout
