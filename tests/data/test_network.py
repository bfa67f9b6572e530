import functools
import hashlib
import http.server
import io
import shutil
import socket
import threading
import time
import urllib.request

import pytest

from rnnsent.data import archive, network
from rnnsent.data import builder as imdb
from rnnsent.data.vocabulary import WORD_INDEX_URL


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
    md5 = hashlib.md5(b"content").hexdigest()
    for url, digest, size in (
        (f"{server}/file", "0" * 32, 7),
        (f"{server}/other", md5, 7),
        (f"{server}/file", md5, 6),  # as long as it would have to be, it is another one
        (f"{server}/file", md5, 8),
    ):
        assert not network.fetch(url, target, digest, size)
        assert not target.parent.exists() or not list(target.parent.iterdir())
    assert network.fetch(f"{server}/file", target, md5, 7)
    assert target.read_text() == "content" and len(list(target.parent.iterdir())) == 1


def test_of_a_longer_file_no_more_is_read_than_tells_it_apart(monkeypatch, tmp_path):
    class Endless(io.BytesIO):
        def read(self, size=-1):
            assert 0 <= size <= network.BLOCK_BYTES
            assert sum(came) < 4 * network.BLOCK_BYTES
            came.append(size)
            return bytes(size)

    came = []
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: Endless())
    size = 3 * network.BLOCK_BYTES
    with pytest.raises(network.DownloadError, match="another file came than the one of 786,432"):
        network.download("https://x.example/y", tmp_path / "y", size, "0" * 64)
    assert sum(came) == size + 1 and not list(tmp_path.iterdir())


def test_what_a_server_says_is_on_one_line(server, monkeypatch):
    def says(*_, **__):
        raise OSError("first\r\nsecond")

    monkeypatch.setattr(urllib.request, "urlopen", says)
    assert network.unreachable(f"{server}/x", 30) == "first second"


@pytest.fixture
def served(monkeypatch, server, write_tar, tmp_path):
    """The tiny archive in place of the published one."""
    path = write_tar(tmp_path / "www/aclImdb_v1.tar.gz")
    monkeypatch.setattr(archive, "URL", f"{server}/{path.name}")
    monkeypatch.setattr(archive, "URL_BYTES", path.stat().st_size)
    monkeypatch.setattr(archive, "URL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def test_the_archive_is_downloaded_verified_and_kept(served, tmp_path, content, capfd):
    builder = imdb.prepare(tmp_path / "d", None, None, content)
    assert len(imdb.read(builder, "test")["ids"]) == 20
    assert capfd.readouterr() == ("", "")
    served.unlink()
    shutil.rmtree(builder.data_dir)
    imdb.prepare(tmp_path / "d", None, None, content)


def test_what_a_killed_download_left_goes_with_the_next_one(served, tmp_path, content, monkeypatch):
    class Killed(BaseException):
        pass

    def dies(*_):
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(network.pathlib.Path, "replace", dies)
        patch.setattr(network.pathlib.Path, "unlink", lambda *_, **__: None)  # none is
        imdb.prepare(tmp_path / "d", None, None, content)
    (left,) = (tmp_path / "d/downloads").glob("*.partial")
    assert left.stat().st_size == served.stat().st_size
    imdb.prepare(tmp_path / "d", None, None, content)
    assert not left.exists() and (tmp_path / "d/downloads" / served.name).exists()


def test_an_archive_with_another_checksum_is_never_opened(served, monkeypatch, tmp_path, content):
    def opened(*_):
        raise AssertionError("it is not the one")

    monkeypatch.setattr(archive, "read", opened)
    monkeypatch.setattr(archive, "URL_SHA256", "0" * 64)
    with pytest.raises(network.DownloadError, match="Downloading .* failed: another file came"):
        imdb.prepare(tmp_path / "d", None, None, content)
    assert imdb.prepared(tmp_path / "d", "counted") is None
    assert not [path for path in (tmp_path / "d/downloads").iterdir() if path.is_file()]


def test_the_published_archive_comes_over_https():
    assert archive.URL.startswith("https://") and WORD_INDEX_URL.startswith("https://")
