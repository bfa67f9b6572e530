"""A command line as a script's options: tyro's help, and one line for what it cannot take."""

import contextlib
import dataclasses
import difflib
import io
import itertools
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, TypeVar

import tyro

from rnnsent import console, interrupts
from rnnsent.errors import UserError

Options = TypeVar("Options")
Flag = Annotated[bool, tyro.conf.arg(help_behavior_hint="")]

CONFIG = (tyro.conf.DisallowNone, tyro.conf.FlagCreatePairsOff)
"""How tyro reads any command line here."""

EXPECTED = {
    "INT": "a whole number",
    "INT …": "whole numbers",
    "FLOAT": "a number",
}
"""What the help's short words for values mean in a sentence."""


def parse(
    options: type[Options], argv: Sequence[str] | None, prog: str | None, description: str | None
) -> Options:
    """The options that a command line gives; with ``--help`` tyro shows its page and ends.

    Args:
      options: a dataclass.
      argv: the arguments; None for those of this process.
      prog: how the script is called.
      description: what it does, above the options.

    Raises:
      UserError: a line on what cannot be taken.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    _check_empty(argv)
    if argv and argv[0].replace("_", "-").startswith("--tyro-"):  # of its own, for completion
        raise UserError(f"{_unknown(argv[0], options)} See --help.")
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            taken, unknown = tyro.cli(
                options,
                prog=prog,
                args=argv,
                description=description,
                return_unknown_args=True,
                config=CONFIG,
            )
    except SystemExit as end:
        if end.code == 2:
            raise UserError(f"{_line(said.getvalue(), argv)}. See --help.") from None
        raise
    if unknown:
        raise UserError(f"{_unknown(unknown[0], options)} See --help.")
    return taken


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """How a command ends: none shows a traceback.

    A mistake of the user's ends with its message on stderr and exit code 2, so does an output that
    cannot be written; Ctrl-C with 130, SIGTERM with 143. Where nobody reads the output any more, it
    ends with code 1.
    """
    console.open_output()
    try:
        with interrupts.raised():
            yield
        sys.stdout.flush()
    except UserError as error:
        console.say(f"error: {error}")
        raise SystemExit(2) from None
    except KeyboardInterrupt as error:
        print(str(error) or "interrupted", file=sys.stderr)
        raise SystemExit(interrupts.code(error)) from None
    except OSError as error:
        if not console.output_fails():
            raise
        console.drop_output()
        if isinstance(error, BrokenPipeError):
            raise SystemExit(1) from None
        print(f"error: The output cannot be written: {error.strerror}.", file=sys.stderr)
        raise SystemExit(2) from None


def _check_empty(arguments: Sequence[str]) -> None:
    """Of a path, nothing would mean the working directory."""
    for i, argument in enumerate(arguments):
        option, empty = (arguments[i - 1] if i else "", argument == "")
        if argument.startswith("--") and " " not in argument and argument.endswith("="):
            option, empty = argument[:-1], True
        name = option if option.startswith("--") else "an argument"
        if empty:
            raise UserError(f"The value of {name} is empty. Give one, or leave it out.")


def value(metavar: str) -> Any:
    """An option whose help says what it takes, and that "(default: None)" tells nothing of."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="")


def values(metavar: str) -> Any:
    """An option of several values, whose help says the default ones."""
    return tyro.conf.arg(metavar=f"{metavar} …")


def _line(box: str, argv: Sequence[str]) -> str:
    """What tyro says in a box of several lines, in one; as it is where the kind is not known."""
    _, *lines = [line.strip("│ ") for line in re.sub(r"\x1b\[[\d;]*m", "", box).splitlines()]
    lines = list(itertools.dropwhile(_rule, lines))  # below the title, where all is ASCII
    body = itertools.takewhile(lambda line: not _rule(line), lines)
    text = " ".join(" ".join(body).split()).rstrip(".")
    if found := re.match(r"Error parsing (--[\w-]+):", text):
        option = found[1]
        takes = next((s for s in lines if s.startswith(f"{option} ")), "").removeprefix(option)
        expected = EXPECTED.get(takes.strip(), takes.strip())
        return f"{option} has {short(_given(option, argv))}; expected {expected}"
    if found := re.match(r"Missing value for argument '(?:\(')?(--[\w-]+)'", text):
        return f"{found[1]} needs a value"
    if found := re.match(
        r"invalid choice (.+) for argument '(.+)'. Expected one of \((.+)\)", text
    ):
        choices = [one for one in re.findall(r"'(.+?)'", found[3]) if one != "None"]
        return f"{found[2]} has {found[1]}; expected one of {', '.join(choices)}"
    if found := re.match(r"Missing from .*?: (\S+) (.+)\. \(required\)", text):
        return f"{found[1]} is missing: {found[2][0].lower()}{found[2][1:]}"
    return text


def _rule(line: str) -> bool:
    return bool(line) and not line.strip("─-")


def short(text: str) -> str:
    """A word of the user's in quotes, its beginning where it is long."""
    return repr(text if len(text) <= 60 else f"{text[:60]}…")


def _given(option: str, argv: Sequence[str]) -> str:
    """What an option was given, where it stands last."""
    words: list[str] = []
    taking = False
    for word in argv:
        name, equals, rest = word.partition("=")
        if word.startswith("--"):
            taking = name.replace("_", "-") == option
            if taking:
                words = [rest] if equals else []
        elif taking:
            words.append(word)
    return " ".join(words)


def _unknown(word: str, options: type) -> str:
    """What is to be said of a word that no option took."""
    if not word.startswith("-"):
        quotes = "; a text of several words needs quotes" if "--text" in _names(options) else ""
        return f"Nothing takes {short(word)}{quotes}."
    name = word.partition("=")[0][:60]
    if name in _names(options):
        return f"{name} stands after --, where all is text; give it before."
    close = difflib.get_close_matches(name.replace("_", "-"), list(_names(options)), 1, 0.7)
    return f"There is no option {name}{f'; did you mean {close[0]}?' if close else '.'}"


def _names(options: type) -> Iterator[str]:
    """All options, those of a group without a prefix."""
    for field in dataclasses.fields(options):
        if dataclasses.is_dataclass(field.default):
            yield from _names(type(field.default))
        else:
            yield f"--{field.name.rstrip('_').replace('_', '-')}"
