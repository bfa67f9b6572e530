"""All scripts as one command."""

import importlib
import os
import subprocess
import sys
import tomllib
import types

import pytest
from scripts import ROOT

import rnnsent
from rnnsent import command, config

SCRIPTS = sorted(path.stem for path in (ROOT / "experiments").glob("[!_]*.py"))


@pytest.fixture(autouse=True)
def _this_process_stays_as_it_is(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONSAFEPATH", "1")


def ended(*argv: str) -> int | str | None:
    """The code that the command ends with, which has no other end here."""
    with pytest.raises(SystemExit) as end:
        command.run("experiments", argv)
    return end.value.code


def test_the_installed_command_is_this_one(monkeypatch, capsys):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, name = project["scripts"][command.PROG].partition(":")
    monkeypatch.setattr(sys, "argv", [command.PROG, "--version"])
    getattr(importlib.import_module(module), name)()
    assert capsys.readouterr().out == f"rnnsent {rnnsent.__version__}\n"


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_the_same_by_either_name(name, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert ended(name, "--help") == 0
    usage, body = capsys.readouterr().out.split("\n", 1)
    script = importlib.import_module(f"experiments.{name}")
    with pytest.raises(SystemExit):
        config.cli(script.main, script.main.__annotations__["options"], ["--help"])
    module_usage, module_body = capsys.readouterr().out.split("\n", 1)
    assert usage.startswith(f"usage: rnnsent {name} ") and body == module_body
    assert usage.removeprefix("usage: rnnsent ") in module_usage.replace("experiments.", "")


def test_its_page_has_every_script(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert ended("-h") == 0
    page = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for name in SCRIPTS:
        main = importlib.import_module(f"experiments.{name}").main
        assert f"• {name} {command.description('experiments', name)}" in page
        assert main.__doc__.startswith(command.description("experiments", name))


@pytest.mark.parametrize(
    "argv, said",
    [
        ("", f"A command is missing: {', '.join(SCRIPTS)}. See --help."),
        ("compere --quick", "There is no command 'compere'; did you mean compare? See --help."),
        ("__main__", "There is no command '__main__'; there are benchmark, "),
        ("os.path", "There is no command 'os.path'; "),
        ("[red]" + "x" * 99, "There is no command '[red]" + "x" * 55 + "…'; "),
        ("--vresion", "There is no option --vresion; did you mean --version? See --help."),
        ("--version compare", "Nothing takes 'compare'. See --help."),
        ("--print-completion", "--print-completion needs a value. See --help."),
        ("--print-completion csh", "--print-completion has 'csh'; expected one of "),
        ("--tyro-print-completion csh", "There is no option --tyro-print-completion"),
        ("compare --tyro-print-completion csh", "There is no option --tyro-print-completion."),
        ("compare --epochs abc", "--epochs has 'abc'; expected a whole number. See --help."),
        ("sweep", "Give a sweep's TOML file, or --redraw."),
    ],
)
def test_a_mistake_is_one_line_and_code_2(argv, said, capsys):
    assert ended(*argv.split()) == 2
    answer = capsys.readouterr().err
    assert answer.startswith(f"error: {said}") and answer.count("\n") == 1


PACKAGE = {
    "find.py": '''
import dataclasses, multiprocessing, os, subprocess, sys
from rnnsent import cells
from rnnsent.benchmark import process
from asked import seen

@dataclasses.dataclass(frozen=True)
class Options:
    cell: str

def main(options: Options) -> None:
    """Finds a cell here and in other processes, as Dask and the benchmark start them.

    More.
    """
    module = cells.find(options.cell).__module__
    seen.seen(module)
    child = multiprocessing.get_context("spawn").Process(target=seen.seen, args=(module,))
    child.start()
    child.join()
    env = os.environ | {"PYTHONPATH": process._search_path()}
    subprocess.run([sys.executable, "-m", "asked.seen", module], env=env, check=True)
    assert not cells.is_trusted("unasked:Cell", ()) and "asked.other" not in sys.modules
''',
    "seen.py": '''
import importlib.util, random, socket, sys

def seen(module):
    spec = importlib.util.find_spec(module)
    print(spec and spec.name, random.__name__, flush=True)

def main(options):
    """Is no script, but has a line."""

if __name__ == "__main__":
    seen(*sys.argv[1:])
''',
    "other.py": 'def main(options):\n    """Is not imported."""\nraise SystemExit(9)\n',
    "__init__.py": "",
}
CONSOLE = """import sys
from rnnsent import command
if __name__ == "__main__":
    try:
        command.run("asked")
    finally:
        assert "JAX" not in sys.argv or "jax" not in sys.modules
"""
"""As an installer writes it."""


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """``asked(*argv)``: what a console script said in a folder with modules of the user's own."""
    place = tmp_path_factory.mktemp("asked")
    for folder in ("lib/asked", "bin", "here"):
        (place / folder).mkdir(parents=True)
    for name, source in PACKAGE.items():
        (place / "lib/asked" / name).write_text(source)
    (place / "bin/asked").write_text(CONSOLE)
    here = place / "here"
    (here / "my_cells.py").write_text(
        "from rnnsent.cells import Cell\nclass MyCell(Cell):\n    pass\n"
    )
    for name in ("random", "socket", "flax", "rnnsent", "asked", "unasked"):
        (here / f"{name}.py").write_text("raise SystemExit('a file of the folder was imported')\n")

    def answer(*argv, **env):
        env = os.environ | {"PYTHONPATH": os.pathsep.join((str(place / "lib"), str(ROOT)))} | env
        command = [sys.executable, place / "bin/asked", *argv]
        return subprocess.run(
            command, cwd=here, env=env, capture_output=True, text=True, timeout=300
        )

    return answer


def test_a_cell_of_the_folder_is_found_and_hides_nothing(asked):
    done = asked("find", "--cell", "my_cells:MyCell", PYTHONSAFEPATH="")
    assert (done.returncode, done.stdout) == (0, "my_cells random\n" * 3), done.stderr


@pytest.mark.parametrize("safe", [False, True])
def test_the_folder_is_left_alone_where_python_is_told_to(safe, tmp_path, monkeypatch):
    held = types.SimpleNamespace(flags=types.SimpleNamespace(safe_path=safe), path=["a", "b"])
    monkeypatch.setattr(command, "sys", held)
    monkeypatch.chdir(tmp_path)
    command.look_here()
    command.look_here()
    assert held.path == ["a", "b"] + [str(tmp_path)] * (not safe)


def test_a_page_imports_no_script_and_no_jax(asked):
    done = asked("--help", "JAX")
    assert done.returncode == 0 and "Is not imported." in done.stdout, done.stderr
    assert "benchmark start them." in done.stdout and "More." not in done.stdout


@pytest.fixture(scope="module")
def completion():
    return {shell: command.completion("experiments", shell) for shell in ("bash", "zsh")}


def completed(script: str, *words: str) -> list[str]:
    """What bash offers for the last word."""
    ask = 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tyro_rnnsent; echo "${COMPREPLY[@]}"'
    path = os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"]))
    call = ["bash", "-c", f"{script}\n{ask}", *("bash", "rnnsent", *words)]
    done = subprocess.run(call, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_bash_completes_commands_and_options(completion):
    script = completion["bash"]
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0
    assert set(SCRIPTS) <= set(completed(script, ""))
    assert completed(script, "co") == ["compare", "convert"]
    assert set(completed(script, "--")) == {"--help", "--print-completion", "--version"}
    assert completed(script, "compare", "--seed") == ["--seeds"]
    assert completed(script, "predict", "--cl") == []
    assert set(completed(script, "compare", "--padding", "")) >= {"pre", "post"}


def test_no_shell_is_offered_what_is_not_taken(completion):
    for script in completion.values():
        assert "_tyro_rnnsent" in script and "'None'" not in script and "--options" not in script
