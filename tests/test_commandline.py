"""What a person reads who asks for help, or mistypes."""

import importlib
import io
import re
import sys

import pytest
from scripts import ROOT, refused

from rnnsent import commandline
from rnnsent.errors import UserError

SCRIPTS = sorted(path.stem for path in (ROOT / "experiments").glob("[!_]*.py"))


@pytest.mark.parametrize(
    "command, said",
    [
        ("compare --epochs abc", "--epochs has 'abc'; expected a whole number. See --help."),
        ("compare --epochs=1.5", "--epochs has '1.5'; expected a whole number. See --help."),
        ("compare --learning_rate x", "--learning-rate has 'x'; expected a number. See --help."),
        ("compare --seeds 1 x", "--seeds has '1 x'; expected whole numbers. See --help."),
        ("compare --seeds " + "9" * 5_000, f"'{'9' * 60}…'; expected whole numbers. See --help."),
        ("compare --seeds 1" + "0" * 30, "--seeds must be below 2,147,483,648."),
        ("compare --epochs", "--epochs needs a value. See --help."),
        ("compare --residual yes", "--residual has 'yes'; expected one of"),
        ("compare --schedule [red]", "--schedule has '[red]'; expected one of"),
        ("compare --lerning-rate 1", "no option --lerning-rate; did you mean --learning-rate?"),
        ("compare --frobnicate", "There is no option --frobnicate. See --help."),
        ("compare --no-quick", "There is no option --no-quick; did you mean --quick?"),
        ("compare --quick 3", "Nothing takes '3'. See --help."),
        ("compare --recipes", "--recipes needs at least one value."),
        ("evaluate a b", "Nothing takes 'b'. See --help."),
        ("predict", "TEXT is missing: the review, in quotes. See --help."),
        ("predict -- --a --run b", "--run stands after --, where all is text; give it before."),
        ("predict a b", "Nothing takes 'b'; a text of several words needs quotes. See --help."),
        ("inspect --review x", "--review has 'x'; expected a whole number. See --help."),
        ("benchmark --study all", "--study has 'all'; expected one of peers, implementations,"),
        ("benchmark --seconds x", "--seconds has 'x'; expected a number. See --help."),
        ("claims --seeds 0.5", "--seeds has '0.5'; expected whole numbers. See --help."),
    ],
)
def test_a_mistyped_command_is_answered_in_one_line(command, said, tmp_path, monkeypatch, capsys):
    answer = refused(f"experiments.{command}", tmp_path, monkeypatch, capsys)
    assert said in answer
    assert answer.startswith("error: ") and answer.count("\n") == 1 and "│" not in answer
    assert "None" not in answer


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_is_for_people(name, monkeypatch, capsys):
    """In 80 columns, no number or word is broken, and no default says nothing."""
    script = importlib.import_module(f"experiments.{name}")
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as end:
        commandline.parse(script.main.__annotations__["options"], ["--help"], "p", "What it does.")
    assert end.value.code == 0
    page = capsys.readouterr().out
    assert page.startswith("usage: p ") and "What it does." in page
    assert max(map(len, page.splitlines())) <= 80
    assert not re.search(r"None|default: \)|\d,\s*│?\n|^│\s+│$|--no-|\[\.\.\.", page, re.M)


def test_what_is_right_is_taken(capsys):
    Options = importlib.import_module("experiments.predict").Options
    taken = commandline.parse(Options, ["a film", "--cell", "a:A", "b:B"], None, None)
    assert (taken.text, taken.cell, taken.run) == ("a film", ("a:A", "b:B"), None)
    assert capsys.readouterr() == ("", "")
    Compare = importlib.import_module("experiments.compare").Options
    for word, value in (("true", True), ("false", False)):
        given = commandline.parse(Compare, ["--bidirectional", word], None, None)
        assert given.changes == {"bidirectional": value}
    with pytest.raises(UserError, match="no option -x"):
        commandline.parse(Options, ["a", "-x"], None, None)


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_the_line_does_not_depend_on_how_a_box_is_drawn(encoding, monkeypatch):
    Options = importlib.import_module("experiments.inspect").Options
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding))
    for word, said in (("--seed x", "--seed has 'x'; exp"), ("--seed", "--seed needs a value.")):
        with pytest.raises(UserError, match=f"^{said}"):
            commandline.parse(Options, word.split(), None, None)
