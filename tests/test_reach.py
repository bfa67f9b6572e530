"""What the program does to a machine: nothing is unpickled, no shell, network in one place only."""

import ast
import os
import shutil
import subprocess
import sys

import pytest
from scripts import ROOT

FILES = sorted(path for part in ("rnnsent", "experiments") for path in (ROOT / part).rglob("*.py"))

UNPICKLE = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
NETWORK = {"http", "urllib", "socket", "ssl", "ftplib", "requests", "httpx", "aiohttp", "urllib3"}
PLACES = {
    "rnnsent/data/network.py": NETWORK,  # the data, where it is asked for
    "rnnsent/provenance.py": {"subprocess"},  # git
    "rnnsent/benchmark/process.py": {"subprocess"},  # Python, with a list of arguments
}
"""The only modules that may import those."""

FORBIDDEN = {
    *("os.system", "os.popen", "os.execv", "os.execvp", "os.spawnv", "os.spawnvp"),
    *("eval", "exec", "yaml.load", "torch.load", "np.fromfile"),
    *("shutil.unpack_archive", "asyncio.create_subprocess_shell"),
}


def called(node: ast.expr) -> str:
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_could_run_what_a_file_holds_is_not_there(path):
    allowed = PLACES.get(str(path.relative_to(ROOT)), set())
    closed = (UNPICKLE | NETWORK | {"subprocess", "webbrowser", "pty"}) - allowed
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None)
            names = [module] if module else [alias.name for alias in node.names]
            assert not closed & {name.partition(".")[0] for name in names}, ast.unparse(node)
        elif isinstance(node, ast.Call):
            assert called(node.func) not in FORBIDDEN, ast.unparse(node)
            assert not called(node.func).endswith(("read_pickle", ".loads_pickle"))
            given = {one.arg: one.value for one in node.keywords}
            assert "allow_pickle" not in given and "shell" not in given, ast.unparse(node)
            if called(node.func).endswith("extractall"):
                assert ast.unparse(given["filter"]) == "'data'"


EVENTS = (
    *("pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen"),
    *("socket.connect", "socket.getaddrinfo", "urllib.Request"),
)
READ = f"""
import sys
done = []
def hook(name, args):
    if name in {EVENTS} and args[0] != "uname":  # which Python's own module platform runs
        done.append((name, str(args)[:200]))
sys.addaudithook(hook)
from experiments import convert, predict
from rnnsent import config
config.cli(predict.main, predict.Options, ["good", "--run", "run"])
for pair in (["run", "a.safetensors"], ["a.safetensors", "a.keras"]):
    config.cli(convert.main, convert.Options, pair)
assert not done, done
print("done")
"""


def test_reading_a_run_unpickles_nothing_asks_nobody_and_starts_nothing(finished_run, tmp_path):
    """As Python's own audit events tell it, of the libraries too."""
    shutil.copytree(finished_run, tmp_path / "here")
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", READ]
    ended = subprocess.run(command, cwd=tmp_path / "here", env=env, capture_output=True, text=True)
    assert ended.stdout.endswith("done\n"), ended.stderr
