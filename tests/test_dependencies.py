import functools
import importlib.metadata
import re

import dependencies
import pytest
from scripts import ROOT

NOW = functools.cache(dependencies.page)
PAGE = (ROOT / "docs" / "dependencies.md").read_text()
DIRECT = [(e, one) for e, many in dependencies.declared().items() for one in many]


def part(page: str, extra: str) -> str:
    """A group's part of a page."""
    title = dependencies.GROUPS.get(extra, f"`{extra}`")
    return page.split(f"## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("extra, requirement", DIRECT, ids=str)
def test_what_is_declared_stands_in_the_page_with_its_reason(extra, requirement):
    """The page in the repository, and one that is made now."""
    name, *_ = dependencies.parsed(requirement)
    for page in (PAGE, NOW()):
        text = part(page, extra)
        assert f"`{requirement}`" in text
        assert re.search(rf"^\| \*\*{name}\*\* \|[^|]+\|[^|]*\| {dependencies.WHY[name]} \|$",
                         text, re.M)  # fmt: skip


def test_nothing_stands_in_it_that_is_no_longer_declared():
    bold = set(re.findall(r"^\| \*\*([\w-]+)\*\*", PAGE, re.M))
    assert bold == set(dependencies.WHY) == {dependencies.parsed(one)[0] for _, one in DIRECT}


def test_what_a_dependency_needs_is_found():
    whole = dependencies.closure(["flax>=0.1"])
    assert whole["flax"] == set() and "flax" in whole["optax"] and "jax" in whole["jaxlib"]
    version = importlib.metadata.version("jaxlib")
    assert re.search(rf"^\| jaxlib \| {re.escape(version)} \|[^|]+\| needed by .*jax",
                     NOW(), re.M)  # fmt: skip


@pytest.mark.parametrize(
    "requirement, expected",
    [
        ("A_b.c>=1", ("a-b-c", (), "")),
        ("jax[cuda13]", ("jax", ("cuda13",), "")),
        ("x[a, B] ; extra == 'y'", ("x", ("a", "b"), " extra == 'y'")),
    ],
)
def test_a_requirement_is_read(requirement, expected):
    assert dependencies.parsed(requirement) == expected
