import functools
import hashlib
import http.server
import socket
import threading
import time

import pytest
import tensorflow_datasets as tfds

from rnnsent.data import archive, network
from rnnsent.data import builder as imdb


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path):
    """The address of a web server over ``tmp_path / "www"``."""
    (tmp_path / "www").mkdir()
    handler = functools.partial(Quiet, directory=tmp_path / "www")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def test_a_server_that_never_answers_costs_no_more_than_the_wait():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        reason = network.unreachable(f"http://127.0.0.1:{silent.getsockname()[1]}/x", 0.3)
        assert time.monotonic() - started < 2
    assert "0.3 s" in reason or "timed out" in reason


def test_a_name_lookup_that_hangs_costs_no_more_than_the_wait(monkeypatch):
    released = threading.Event()

    def hangs(*args, **kwargs):
        released.wait(10)
        raise OSError("released")

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    started = time.monotonic()
    assert network.unreachable("http://example.invalid/x", 0.2) == "no answer within 0.2 s"
    assert time.monotonic() - started < 5
    released.set()


def test_reachable_and_missing_files_differ(server, tmp_path):
    (tmp_path / "www/file").write_text("content")
    assert network.unreachable(f"{server}/file") is None
    assert network.unreachable(f"{server}/other") == "File not found"


def test_a_fetched_file_appears_whole_or_not_at_all(server, tmp_path):
    (tmp_path / "www/file").write_text("content")
    target = tmp_path / "deep/down/file"
    assert not network.fetch(f"{server}/file", target, "0" * 32)
    assert not network.fetch(f"{server}/other", target, "0" * 32)
    assert not target.parent.exists()
    assert network.fetch(f"{server}/file", target, hashlib.md5(b"content").hexdigest())
    assert target.read_text() == "content" and len(list(target.parent.iterdir())) == 1


def serve_archive(monkeypatch, server, path, checksum):
    url = f"{server}/aclImdb_v1.tar.gz"
    info = tfds.download.checksums.UrlInfo(path.stat().st_size, checksum, path.name)
    monkeypatch.setattr(archive, "URL", url)
    monkeypatch.setattr(imdb.RnnsentImdb, "url_infos", {url: info})


def test_tfds_downloads_and_verifies_the_archive(
    monkeypatch, server, write_tar, tmp_path, content, capfd
):
    path = write_tar(tmp_path / "www/aclImdb_v1.tar.gz")
    serve_archive(monkeypatch, server, path, hashlib.sha256(path.read_bytes()).hexdigest())
    builder = imdb.prepare(tmp_path / "d", None, None, content)
    assert len(imdb.read(builder, "test")["ids"]) == 20
    assert capfd.readouterr() == ("", "")


def test_a_download_with_another_checksum_is_refused(
    monkeypatch, server, write_tar, tmp_path, content
):
    path = write_tar(tmp_path / "www/aclImdb_v1.tar.gz")
    serve_archive(monkeypatch, server, path, "0" * 64)
    with pytest.raises(network.DownloadError, match="Downloading .* failed: Artifact .*wrong"):
        imdb.prepare(tmp_path / "d", None, None, content)
    assert imdb.prepared(tmp_path / "d", "counted") is None


def test_a_download_without_a_checksum_is_refused(
    monkeypatch, server, write_tar, tmp_path, content
):
    write_tar(tmp_path / "www/aclImdb_v1.tar.gz")
    monkeypatch.setattr(archive, "URL", f"{server}/aclImdb_v1.tar.gz")
    monkeypatch.setattr(imdb.RnnsentImdb, "url_infos", {})
    with pytest.raises(network.DownloadError, match="Missing checksums"):
        imdb.prepare(tmp_path / "d", None, None, content)
