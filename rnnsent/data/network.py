"""Whether a download has a chance, answered within seconds."""

import hashlib
import http.client
import pathlib
import tempfile
import threading
import urllib.error
import urllib.request

from rnnsent.errors import UserError

WAIT_S = 3.0


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
        return str(getattr(error, "reason", None) or error)


def fetch(url: str, path: pathlib.Path, md5: str, seconds: float = WAIT_S) -> bool:
    """Downloads ``url`` to ``path``; False if that fails or the content has another MD5.

    ``path`` appears whole or not at all.
    """
    if unreachable(url, seconds):
        return False
    try:
        with urllib.request.urlopen(url, timeout=seconds) as response:
            content = response.read()
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
        pathlib.Path(file.name).replace(path)
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return True
