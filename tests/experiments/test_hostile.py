"""Texts of others on their three ways into a page: no file of the reader's, no link, goes along."""

import http.server
import json
import sys
import threading

import msgspec
import pytest
from compare import made
from corpus import folders
from report.fields import HOSTILE, Elements
from scripts import refused

from experiments import inspect
from rnnsent import config, data, devices, provenance, recipes, runs
from rnnsent.data import network
from rnnsent.report import compare
from rnnsent.runs.records import Config, RunConfig

CANARY = "the canary sings"


@pytest.fixture(scope="module")
def canary(tmp_path_factory):
    """A file outside of every run, which no page may hold."""
    path = tmp_path_factory.mktemp("private") / "secret.txt"
    path.write_text(CANARY)
    return path


@pytest.fixture
def finished(tmp_path):
    """A run with one tiny model."""
    reviews = data.load("toy", data.Encoding(num_words=60, maxlen=12))
    tiny = {"features": (8,), "head": 4, "embedding_size": 4, "epochs": 1}
    recipe = recipes.changed(recipes.SHIPPED["notebook-lstm"], tiny)
    recipe = msgspec.structs.replace(recipe, name="tiny")
    place = tmp_path / "run"
    with runs.open_folder(tmp_path, place, "compare", reviews, provenance.of(reviews)) as folder:
        runs.train(folder, recipe, [0], reviews)
    return folder


def inspected(folder, monkeypatch) -> str:
    """The page on a text, read by the model of a run."""
    monkeypatch.setattr(devices, "configure", lambda: None)  # it is for a process of its own
    out = folder.parent / "page.html"
    command = [str(folder), "--text", "good film", "--out", str(out)]
    config.cli(inspect.main, inspect.Options, command)
    return out.read_text()


def assert_harmless(html: str):
    assert 'href="http' not in html and "<img" not in html
    assert "base64" not in html and CANARY not in html


@pytest.mark.parametrize("script", ["compare", "claims"])
def test_a_run_of_others_names_no_cell(script, tmp_path, monkeypatch, capsys):
    """Its digest may be that of the recipe which the user named, and its cell another."""
    (tmp_path / "evil_of_run.py").write_text("X = None\n")
    monkeypatch.syspath_prepend(tmp_path)
    recipe = recipes.SHIPPED["notebook-lstm"]
    forged = msgspec.structs.replace(recipe, cell="evil_of_run:X")
    for seed in (0, 7):  # the second is not asked for
        folder = runs.seed_folder(tmp_path / "r", recipe.folder, seed)
        folder.mkdir(parents=True)
        runs.write_json(tmp_path / "r" / "config.json", RunConfig("compare"))
        (tmp_path / "r" / "provenance.json").write_text("{}")
        held = Config(forged, recipes.digest(recipe), seed, 10, 5000, "scan")
        runs.write_json(folder / "config.json", held)
        (folder / "result.json").write_text("{}")
        command = f"experiments.{script} --data toy --recipes notebook-lstm --run r"
        said = refused(command, tmp_path, monkeypatch, capsys)
        assert "cell 'evil_of_run:X', not 'lstm'" in said and said.count("\n") == 1
        assert "evil_of_run" not in sys.modules
        (folder / "result.json").unlink()


def test_what_a_server_answers_is_text(tmp_path, canary):
    class Hostile(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(404, f"![x]({canary}) [click](http://evil.example/)")
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Hostile) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        reason = network.unreachable(f"http://127.0.0.1:{server.server_port}/x", 30)
        thread.join()
    assert "evil.example" in reason
    source = msgspec.structs.replace(made.HELD_OUT, reason=reason)
    compare.write(made.of(made.entrant("mine", [0.7]), data=source), tmp_path)
    html = (tmp_path / "report.html").read_text()
    assert html.count("<img") == html.count("base64") == 4  # its figures
    assert 'href="http' not in html and CANARY not in html
    assert f"![x]({canary}) [click](http://evil.example/)" in html


def test_what_a_run_of_others_says_of_its_data_is_text(finished, canary, monkeypatch):
    path = finished / "provenance.json"
    held = json.loads(path.read_text())
    (finished.parent / "near.txt").write_text(CANARY)
    title = f"![x]({canary}) ![r](../near.txt) [click](http://evil.example/x)"
    held["data"]["title"] = title
    path.write_text(json.dumps(held))
    html = inspected(finished, monkeypatch)
    assert_harmless(html)
    assert title in html


SAID = (
    ("tiny/seed-0/config.json", "recipe.name"),
    ("tiny/seed-0/result.json", "title"),
    ("tiny/seed-0/provenance.json", "device.name"),
    ("provenance.json", "data.source"),
    ("provenance.json", "data.title"),
    ("provenance.json", "data.test_title"),
    ("vocabulary.json", "origin"),
    ("config.json", "experiment"),
)
"""What a run's files say of themselves in words."""


def test_what_a_run_of_others_says_of_itself_is_text(tmp_path, monkeypatch, capsys):
    folders.make(tmp_path)
    harmless = Elements(inspected(tmp_path / "run", monkeypatch)).found
    for name, keys in SAID:
        folders.field(name, keys, HOSTILE, "").make(tmp_path)
    html = inspected(tmp_path / "run", monkeypatch)
    assert_harmless(html)
    assert Elements(html).found == harmless and "{{ 7 * 7 }} {% raw %}" in html
    out, err = capsys.readouterr()
    assert not set("\x1b\u202e\x07") & set(html + out + err)


def test_a_folders_name_is_text(finished, monkeypatch):
    folder = finished.rename(finished.parent / "R![x](config.json)")
    html = inspected(folder, monkeypatch)
    assert_harmless(html)
    assert folder.name in html
