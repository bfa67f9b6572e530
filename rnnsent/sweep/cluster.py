"""Members handed to Dask: processes of this machine, or whatever a scheduler has workers on.

Dask pickles its messages, so scheduler and workers must trust one another and their network; what
we send are texts, and what comes back is one.
"""

import contextlib
import logging
import os
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from rnnsent import console
from rnnsent.errors import UserError
from rnnsent.sweep import work
from rnnsent.sweep.work import Job

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

TRIES = 3
"""How often a member is tried again whose worker raised what is no mistake of the user's."""

CONNECT_SECONDS = 30

MISSING = "--scheduler needs Dask: install it with pip install 'rnnsent[cluster]'."


def train(scheduler: str, jobs: Sequence[Job]) -> None:
    """Has all jobs done; a worker that dies loses nothing, and a job that fails stops no other.

    Args:
      scheduler: see :func:`check`.
      jobs: what is to be trained, each into its folder.

    Raises:
      UserError: if there is no scheduler, or, after all others are done, for jobs that failed.
    """
    if not jobs:
        return
    check(scheduler)
    size = [max(1, job.recipe.work()) * len(job.seeds) for job in jobs]
    with _client(scheduler) as client, console.whole_progress(sum(size)) as tell:
        failed, done = [], 0
        for place, told in _handed(client, jobs):
            done += size[place]
            failed += [told] if told else []
            tell(done, told or jobs[place].recipe.name, True)
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise UserError(f"{failed[0]}{more} The others are kept; go on with --run.")


def check(scheduler: str) -> None:
    """Raises ``UserError`` unless this is ``local:N``, an address or a scheduler's JSON file.

    And without Dask.
    """
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise UserError(MISSING) from error
    local = re.fullmatch(r"local:[1-9]\d*", scheduler)
    if not local and not scheduler.endswith(".json") and "://" not in scheduler:
        raise UserError(
            f"--scheduler is {scheduler!r}; expected local:2 for two processes of this machine, an "
            "address such as tcp://10.0.0.1:8786, or the JSON file that a scheduler wrote."
        )


def _handed(client: "Client", jobs: Sequence[Job]) -> Iterator[tuple[int, str]]:
    """As jobs end, the place of each and what is to be told of it if it failed."""
    from distributed import as_completed

    texts = [msgspec.json.encode(job).decode() for job in jobs]
    futures = [client.submit(work.train, text, retries=TRIES, pure=False) for text in texts]
    place_of = {future.key: place for place, future in enumerate(futures)}
    for future in as_completed(futures):
        place, error = place_of[future.key], future.exception()
        name = jobs[place].recipe.name
        yield place, future.result() if error is None else f"{name}: {_line(error)}."


def _line(error: BaseException) -> str:
    """The first line of a worker's error."""
    lines = str(error).strip().splitlines() or ["no message"]
    return f"{type(error).__name__}: {lines[0].rstrip('.')}"


@contextlib.contextmanager
def _client(scheduler: str) -> Iterator["Client"]:
    """A connection; processes of this machine end with it."""
    with contextlib.ExitStack() as held:
        try:
            client = _connected(scheduler, held)
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"There is no scheduler at {scheduler} ({_line(error)}).") from error
        console.say(f"{scheduler} has {len(client.scheduler_info()['workers'])} workers so far.")
        yield client


def _connected(scheduler: str, held: contextlib.ExitStack) -> "Client":
    """TLS is set as Dask documents it, in its configuration, which is read here."""
    from distributed import Client

    if scheduler.startswith("local:"):
        return held.enter_context(Client(held.enter_context(_local(int(scheduler[6:])))))
    if scheduler.endswith(".json"):
        path = pathlib.Path(scheduler)
        path.open("rb").close()  # Dask would wait for it
        client = Client(scheduler_file=str(path.absolute()), timeout=CONNECT_SECONDS)
    else:
        client = Client(scheduler, timeout=CONNECT_SECONDS)
    return held.enter_context(client)


def _local(workers: int) -> "LocalCluster":
    """Processes of this machine that listen to it alone, and say no more than errors."""
    from distributed import LocalCluster

    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "error")  # theirs
    logging.getLogger("distributed").setLevel(logging.ERROR)
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        memory_limit=0,  # none: what JAX holds is not Dask's to move
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.ERROR,
    )
