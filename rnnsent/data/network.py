"""Whether a download has a chance, answered within seconds."""

import threading
import urllib.error
import urllib.request

WAIT_S = 3.0


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
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", None) or error)
