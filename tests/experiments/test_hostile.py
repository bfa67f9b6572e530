"""Texts of others on their ways into a report: no file of the reader's, no link, goes along.

The pages of ``inspect`` are tested with it.
"""

import dataclasses
import http.server
import json
import threading

import pytest

from experiments import compare
from rnnsent import config, data, devices
from rnnsent.data import network

pytestmark = pytest.mark.slow
CANARY = "the canary sings"


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """A text that asks for a file outside of every run, and more; the working directory."""
    monkeypatch.setattr(devices, "configure", lambda: None)  # it is for a process of its own
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.txt").write_text(CANARY)
    recipe = 'cell = "simple_rnn"\nfeatures = [6]\nhead = 4\nembedding_size = 4\nepochs = 1'
    (tmp_path / "mine.toml").write_text(recipe)
    return f"![x]({tmp_path}/secret.txt) ![r](../secret.txt) [click](http://evil.example/x)"


def page(*command: str) -> str:
    """The page that a comparison leaves in ``run``, without its own figures."""
    config.cli(compare.main, compare.Options, list(command))
    with open("run/report.html", encoding="utf-8") as file:
        return file.read()


def trained() -> str:
    return page("--data", "toy", "--maxlen", "12", "--recipes", "mine.toml", "--run", "run")


def assert_harmless(html: str, text: str, images: int):
    assert text in html
    assert 'href="http' not in html and html.count("<img") == images and CANARY not in html


def test_what_a_server_answers_is_text(hostile, monkeypatch):
    class Hostile(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(404, hostile)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Hostile) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        reason = network.unreachable(f"http://127.0.0.1:{server.server_port}/x", 30)
        thread.join()
    assert "evil.example" in reason

    def load(*arguments, **options):
        reviews = data.load(*arguments, **options)
        return dataclasses.replace(reviews, provenance=reviews.provenance | {"reason": reason})

    monkeypatch.setattr(config, "load", load)
    html = trained()
    assert_harmless(html, hostile, html.count("data:image/png"))


def test_what_a_run_of_others_says_is_text(hostile):
    """Its record is drawn anew: titles of its data and its recipes are texts."""
    images = trained().count("<img")
    with open("run/record.json", encoding="utf-8") as file:
        held = json.load(file)
    held["data"]["title"] = held["entrants"][0]["title"] = hostile
    with open("run/record.json", "w", encoding="utf-8") as file:
        json.dump(held, file)
    assert_harmless(page("--redraw", "run"), hostile, images)
