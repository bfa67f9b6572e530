"""Texts of others on their three ways into a page: no file of the reader's, no link, goes along."""

import dataclasses
import http.server
import json
import threading

import pytest

from experiments import compare, inspect
from rnnsent import config, devices, runs, training
from rnnsent.data import network
from rnnsent.model import ModelConfig
from rnnsent.report import markdown, page

CANARY = "the canary sings"
TINY = ModelConfig(cell="simple_rnn", features=(8,), head=4, vocab_size=60, embedding_size=4)


@pytest.fixture(scope="module")
def canary(tmp_path_factory):
    """A file outside of every run, which no page may hold."""
    path = tmp_path_factory.mktemp("private") / "secret.txt"
    path.write_text(CANARY)
    return path


@pytest.fixture
def options(tmp_path):
    return compare.Options(
        "toy", num_words=60, maxlen=12, epochs=1, models=("simple_rnn",), run=tmp_path / "run"
    )


@pytest.fixture
def finished(options):
    """A run with one tiny model."""
    reviews = options.load()
    recipe = {"seed": 0, "epochs": 1, "batch_size": 512}
    with runs.open_folder(options, reviews, runs.provenance(reviews), "test") as folder:
        place = runs.seed_folder(folder, "simple_rnn", 0)
        runs.train_seed(place, "SimpleRNN", TINY, training.optimizer(), reviews, **recipe)
    return folder


def inspected(folder, monkeypatch) -> str:
    """The page on a text, read by the models of a run."""
    monkeypatch.setattr(devices, "configure", lambda: None)  # it is for a process of its own
    out = folder.parent / "page.html"
    command = [str(folder), "--models", "simple_rnn", "--text", "good film", "--out", str(out)]
    config.cli(inspect.main, inspect.Options, command)
    return out.read_text()


def assert_harmless(html: str):
    assert 'href="http' not in html and "<img" not in html
    assert "base64" not in html and CANARY not in html


def test_what_a_server_answers_is_text(options, canary):
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
    reviews = options.load()
    reviews = dataclasses.replace(reviews, provenance=reviews.provenance | {"reason": reason})
    text = markdown.heading(runs.provenance(reviews))
    html = page.render("T", text, options.run)
    assert_harmless(html)
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


def test_a_folders_name_is_text(finished, monkeypatch):
    folder = finished.rename(finished.parent / "R![x](config.json)")
    html = inspected(folder, monkeypatch)
    assert_harmless(html)
    assert folder.name in html
