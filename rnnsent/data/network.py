"""Downloads that are what they should be, and whether one has a chance, answered within seconds."""

import hashlib
import http.client
import pathlib
import tempfile
import threading
import urllib.request
from collections.abc import Callable

from rnnsent.errors import UserError

WAIT_S = 3.0
BLOCK_BYTES = 2**18
PARTIAL = ".partial"
"""What the name of a file ends in that is being downloaded."""


class DownloadError(UserError):
    """A download that failed or never had a chance."""


def unreachable(url: str, seconds: float = WAIT_S) -> str | None:
    """Why ``url`` does not answer a HEAD request within ``seconds``; None if it does.

    The request runs in a thread of its own because looking a name up knows no timeout.
    """
    reasons: list[str | None] = []
    thread = threading.Thread(target=lambda: reasons.append(_head(url, seconds)), daemon=True)
    thread.start()
    thread.join(seconds)
    return reasons[0] if reasons else f"no answer within {seconds:g} s"


def _head(url: str, seconds: float) -> str | None:
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=seconds):
            return None
    except (OSError, ValueError, http.client.HTTPException) as error:
        return _reason(error)


def _reason(error: Exception) -> str:
    """On one line, whatever a server said."""
    return " ".join(str(getattr(error, "reason", None) or error).split())


def download(
    url: str,
    path: pathlib.Path,
    size: int,
    digest: str,
    *,
    algorithm: str = "sha256",
    advance: Callable[[int], None] = lambda _: None,
    seconds: float = 30.0,
) -> None:
    """Downloads a file of ``size`` bytes; nothing reads it before its digest has been compared.

    Args:
      url: of the file.
      path: where it appears, whole or not at all.
      size: of it; more is not read.
      digest: of it, in hex.
      algorithm: that made the digest, as hashlib calls it.
      advance: told the bytes that have come.
      seconds: that the server may be silent.

    Raises:
      DownloadError: if that fails, or another file comes.
    """
    found = hashlib.new(algorithm, usedforsecurity=False)
    left = size
    partial: pathlib.Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            urllib.request.urlopen(url, timeout=seconds) as response,
            tempfile.NamedTemporaryFile(
                dir=path.parent, prefix=f"{path.name}.", suffix=PARTIAL, delete=False
            ) as file,
        ):
            partial = pathlib.Path(file.name)
            while left >= 0 and (block := response.read(min(BLOCK_BYTES, left + 1))):
                left -= len(block)
                found.update(block)
                file.write(block)
                advance(len(block))
        if left or found.hexdigest() != digest:
            raise ValueError(f"another file came than the one of {size:,} bytes")
        partial.replace(path)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise DownloadError(f"Downloading {url} failed: {_reason(error)}.") from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def fetch(url: str, path: pathlib.Path, md5: str, size: int, seconds: float = WAIT_S) -> bool:
    """Downloads a small file if that works within seconds; whether it did."""
    if unreachable(url, seconds):
        return False
    try:
        download(url, path, size, md5, algorithm="md5", seconds=seconds)
    except DownloadError:
        return False
    return True
