"""What makes two recipes the same: their fields, and the source of a cell that is the user's."""

import ast
import hashlib
import importlib.util
import pathlib
import warnings
from collections.abc import Iterator

import msgspec

from rnnsent import cells
from rnnsent.errors import UserError
from rnnsent.model import OPTIONS
from rnnsent.recipes.recipe import Recipe

INSTALLED = ("site-packages", "dist-packages")
"""Folders of installed packages: what lies beside a cell there is not of one making with it."""


_LATER = {f.name: f.default for f in msgspec.structs.fields(Recipe) if f.name in OPTIONS}
"""Fields that recipes did not always have: at these values they do not count, as if not there, so
that a run from before is of the same recipe."""


def digest(recipe: Recipe) -> str:
    """What makes two recipes the same, as a SHA-256: every field but the name.

    Of a cell that is not shipped, the source counts too: a changed cell is another recipe.
    """
    held = {name: value for name, value in recipe.fields().items() if value != _LATER.get(name)}
    fields = msgspec.json.encode([held, _source(recipe.cell)], order="sorted")
    return hashlib.sha256(fields).hexdigest()


def _source(cell: str) -> str | None:
    """Digest of a guest cell's module and of what it imports; None of a shipped cell.

    Those of the user's own modules count that :func:`sources` finds. Nothing is imported for it.
    """
    module, colon, _ = cell.partition(":")
    if not colon:
        return None
    try:
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            raise ImportError(f"{module} is not found as a file")
        found = sources(module, pathlib.Path(spec.origin))
    except (AttributeError, ImportError, LookupError, OSError, TypeError, ValueError) as error:
        raise UserError(
            f"The cell {cell} has no source file that could be found. {cells.ADVICE}"
        ) from error
    whole = hashlib.sha256(found.pop(module))  # alone where it imports none of the user's
    for name, content in sorted(found.items()):
        whole.update(f"\0{name}\0{hashlib.sha256(content).hexdigest()}".encode())
    return whole.hexdigest()


def sources(module: str, path: pathlib.Path) -> dict[str, bytes]:
    """By name, the content of a module's file and of the modules it imports, and they in turn.

    Only what lies in the folder tree that the module is found in counts: neither installed packages
    nor rnnsent itself. Of an installed module it is its own package's tree. What is imported by a
    name that is only known as the program runs is not seen.

    Args:
      module: full name, as it is imported.
      path: its file.

    Raises:
      OSError: if a file cannot be read.
    """
    package = path.name == "__init__.py"
    root = path.parents[module.count(".") + package]
    found: dict[str, bytes] = {}
    waiting = _files(root, module, module) | {module: path}
    while waiting:
        name, file = waiting.popitem()
        if name not in found:
            found[name] = file.read_bytes()
            for imported in _imports(name, file.name == "__init__.py", found[name]):
                waiting |= _files(root, imported, module)
    return found


def _files(root: pathlib.Path, name: str, guest: str) -> dict[str, pathlib.Path]:
    """By name, the files in a tree that importing a module runs: its own and its packages'."""
    parts = name.split(".")
    own = parts[0] == guest.split(".")[0]
    if parts[0] == "rnnsent" or (root.name in INSTALLED and not own):
        return {}
    files = {}
    for end in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:end])
        for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if file.is_file():
                files[".".join(parts[:end])] = file
                break
    return files


def _imports(name: str, package: bool, content: bytes) -> Iterator[str]:
    """Full names of what a module imports, and of what it takes from there, modules or not."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of what the user's code does
            tree = ast.parse(content)
    except (RecursionError, SyntaxError, ValueError):  # for example a compiled module
        return
    home = name.split(".") if package else name.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = home[: len(home) - node.level + 1] if node.level else []
            base = [*above, *filter(None, [node.module])]
            yield from (".".join([*base, alias.name]) for alias in node.names)
