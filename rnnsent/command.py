"""Scripts as one command: the one that is asked for is imported, and no other."""

import ast
import contextlib
import dataclasses
import difflib
import importlib
import importlib.resources
import io
import os
import pkgutil
import re
import sys
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union

import tyro

import rnnsent
from rnnsent import commandline
from rnnsent.commandline import Flag
from rnnsent.errors import UserError

PROG = "rnnsent"

CONFIG = (*commandline.CONFIG, tyro.conf.OmitSubcommandPrefixes)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Switches:
    """Recurrent cells read movie reviews. Each command has a --help of its own."""

    version: Flag = False
    """Show the version."""
    print_completion: Annotated[Literal["bash", "zsh"] | None, commandline.value("SHELL")] = None
    """Show the script by which bash or zsh completes commands and options."""


@dataclasses.dataclass(frozen=True)
class Unread:
    """Stands for the options of a script that is not imported."""


def run(package: str, argv: Sequence[str] | None = None) -> None:
    """Runs the script of a package that the first argument names, as ``python -m`` would.

    Args:
      package: whose modules are scripts, each with a ``main`` that takes ``options``.
      argv: the arguments; None for those of this process.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    with commandline.ending():
        if argv and not argv[0].startswith("-"):
            _run(package, *argv)
        else:
            _answer(package, argv)


def _run(package: str, name: str, *argv: str) -> None:
    known = names(package)
    if name not in known:
        close = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}."
        raise UserError(f"There is no command {commandline.short(name)}; {hint} See --help.")
    look_here()
    script = _script(package, name)

    from rnnsent import config  # imports JAX

    config.cli(script.main, _options(script), list(argv), f"{PROG} {name}")


def _answer(package: str, argv: list[str]) -> None:
    """What needs no script."""
    if {"-h", "--help"} & set(argv):
        pages = {name: (description(package, name), Unread) for name in names(package)}
        tyro.cli(_whole(pages), prog=PROG, args=["--help"], config=CONFIG)  # ends here
    switches = commandline.parse(Switches, argv, PROG, None)
    if switches.version:
        print(f"{PROG} {rnnsent.__version__}")
    elif switches.print_completion:
        print(completion(package, switches.print_completion))
    else:
        raise UserError(f"A command is missing: {', '.join(names(package))}. See --help.")


def names(package: str) -> list[str]:
    """The scripts of a package, sorted."""
    path = importlib.import_module(package).__path__
    return sorted(one.name for one in pkgutil.iter_modules(path) if not one.name.startswith("_"))


def description(package: str, name: str) -> str:
    """What a script does: the first line of its ``main``'s docstring. Nothing is imported."""
    source = (importlib.resources.files(package) / f"{name}.py").read_text(encoding="utf-8")
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    (main,) = [function for function in functions if function.name == "main"]
    return (ast.get_docstring(main) or "").partition("\n")[0]


def completion(package: str, shell: str) -> str:
    """The script by which a shell completes; for this alone every script is imported."""
    commands = {
        name: (description(package, name), _options(_script(package, name)))
        for name in names(package)
    }
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        tyro.cli(
            _whole(commands), prog=PROG, args=["--tyro-print-completion", shell], config=CONFIG
        )
    # Where an option may be left out tyro offers None, which it does not take.
    return re.sub(r"'None', |, 'None'(?=\])", "", said.getvalue().rstrip())


def look_here() -> None:
    """Lets a cell in the current folder be found, as ``python -m`` does.

    But after all else that Python finds: a file of the folder stands for no installed module, here
    or in a process that this one starts. Where Python was told to leave the folder alone
    (``PYTHONSAFEPATH``), it does.
    """
    here = os.getcwd()
    if not sys.flags.safe_path and here not in sys.path:
        sys.path.append(here)
    os.environ["PYTHONSAFEPATH"] = "1"  # those find it where this one does, by its sys.path


def _script(package: str, name: str) -> Any:
    return importlib.import_module(f"{package}.{name}")


def _options(script: Any) -> type:
    return typing.get_type_hints(script.main)["options"]


def _whole(commands: Mapping[str, tuple[str, type]]) -> Any:
    """The switches and the commands, each a description and its options, as tyro reads them."""
    kinds = [
        Annotated[Any, tyro.conf.subcommand(name, description=told, constructor=options)]
        for name, (told, options) in commands.items()
    ]
    field = ("command", Union[tuple(kinds)])  # noqa: UP007  # of as many as there are
    whole = dataclasses.make_dataclass(
        "Whole", [field], bases=(Switches,), frozen=True, kw_only=True
    )
    whole.__doc__ = Switches.__doc__
    return whole
