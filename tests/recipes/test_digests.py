import hashlib
import shutil
import sys

import msgspec
import pytest

from rnnsent.errors import UserError
from rnnsent.model import OPTIONS
from rnnsent.recipes import SHIPPED, Recipe, digest
from rnnsent.recipes.digests import sources


def test_sameness_is_every_field_but_the_name():
    # Which a gain goes with, and which a skip connection does.
    start = {"recurrent_init": "orthogonal", "features": (16, 16)}
    recipe = msgspec.structs.replace(SHIPPED["notebook-lstm"], **start)
    assert digest(msgspec.structs.replace(recipe, name="other")) == digest(recipe)
    assert len({digest(recipe) for recipe in SHIPPED.values()}) == len(SHIPPED)
    texts = {"cell": "gru", "recurrent_init": "identity", "schedule": "cosine"}
    texts |= {"pooling": "max", "compute": "bfloat16"}
    values = texts | {"cell_options": {"a": 1}, "features": (8,), "averaging": 0.9}
    for name, value in recipe.fields().items():
        new = values[name] if name in values else value + (1 if isinstance(value, int) else 0.5)
        assert digest(msgspec.structs.replace(recipe, **{name: new})) != digest(recipe), name


def test_a_field_that_came_later_does_not_count_at_its_default():
    recipe = SHIPPED["notebook-lstm"]
    before = msgspec.json.encode([counted(recipe), None], order="sorted")
    assert digest(recipe) == hashlib.sha256(before).hexdigest()


def counted(recipe):
    """The fields of a recipe that has no other options."""
    return {name: value for name, value in recipe.fields().items() if name not in OPTIONS}


def test_sameness_of_a_guests_cell_is_its_source_too(write, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(tmp_path)
    recipe = Recipe(name="mine", cell="guest_of_recipes:Cell")
    with pytest.raises(UserError, match="guest_of_recipes:Cell has no source.* module:Class"):
        digest(recipe)
    write("raise RuntimeError", "guest_of_recipes.py")
    before = digest(recipe)
    write("raise ValueError", "guest_of_recipes.py")
    assert digest(recipe) != before
    assert "guest_of_recipes" not in sys.modules
    assert digest(msgspec.structs.replace(recipe, name="other")) == digest(recipe)


GUEST = """
import json, numpy as np
import helpers.wide as wide
from parts import gate
from rnnsent.cells import Cell
"""
TREE = {
    "guest_of_digests.py": GUEST,
    "helpers/__init__.py": "",
    "helpers/wide.py": "def f():\n    from .deep import *\n    from .. import above",
    "helpers/deep.py": "from helpers import wide",
    "helpers/unused.py": "",
    "parts/gate.py": "import numpy.linalg, helpers",  # of a folder without an __init__
    "parts/other.py": "",
    "json/__main__.py": "",
    "rnnsent/cells.py": "",
}
USED = ("guest_of_digests.py", "helpers/__init__.py", "helpers/wide.py", "helpers/deep.py")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """The folder of a guest's cell, with modules it imports and others."""
    for name, content in TREE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_sameness_of_a_guests_cell_is_that_of_its_own_helpers_too(tree):
    recipe = Recipe(name="mine", cell="guest_of_digests:Cell")
    before = digest(recipe)
    used = (*USED, "parts/gate.py")
    for name in TREE:
        path = tree / name
        path.write_text(TREE[name] + "\n# changed")
        assert (digest(recipe) != before) == (name in used), name
        path.write_text(TREE[name])
    (tree / "nobody.py").write_text("")
    assert digest(recipe) == before
    (tree / "parts" / "__init__.py").write_text("")
    assert digest(recipe) != before


def test_where_a_guests_tree_lies_does_not_matter(tree, tmp_path_factory):
    found = sources("guest_of_digests", tree / "guest_of_digests.py")
    other = tmp_path_factory.mktemp("other") / "tree"
    shutil.copytree(tree, other)
    assert sources("guest_of_digests", other / "guest_of_digests.py") == found
    assert set(found) == {"guest_of_digests", "helpers", "helpers.wide", "helpers.deep"} | {
        "parts.gate"
    }


def test_of_an_installed_cell_only_its_own_package_counts(tree):
    installed = tree / "site-packages"
    shutil.copytree(tree / "helpers", installed / "helpers")
    (installed / "other.py").write_text("")
    (installed / "helpers" / "wide.py").write_text("import other\nfrom . import deep")
    path = installed / "helpers" / "wide.py"
    assert set(sources("helpers.wide", path)) == {"helpers", "helpers.wide", "helpers.deep"}


def test_a_cell_without_helpers_has_the_digest_of_its_file(write, monkeypatch, tmp_path):
    """What cannot be parsed counts as it is."""
    for content in ("x = 1", "def (", "x = '\\d'"):
        write(content, "alone.py")
        whole = msgspec.json.encode(
            [
                counted(Recipe(name="a", cell="alone:Cell")),
                hashlib.sha256(content.encode()).hexdigest(),
            ],
            order="sorted",
        )
        monkeypatch.syspath_prepend(tmp_path)
        assert digest(Recipe(name="a", cell="alone:Cell")) == hashlib.sha256(whole).hexdigest()
