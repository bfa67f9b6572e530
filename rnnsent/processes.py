"""Several processes as one run, on one machine or many: each is told the same command.

All do the same: they draw the same random numbers and train as one program over the devices of all
(:func:`rnnsent.devices.mesh`), and measure what they hold whole. The first one's run folder is
kept, and it alone reports; the others work in a copy that ends with them.
"""

import contextlib
import ctypes
import dataclasses
import functools
import io
import os
import pathlib
import re
import signal
import sys
import tarfile
import tempfile
import traceback
from collections.abc import Iterator
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, Sharding

from rnnsent.commandline import Flag, value
from rnnsent.errors import UserError

HEARTBEAT_SECONDS = 20
"""A process that was not heard of for so long is taken for dead."""

ENDED = (
    "error: another process of this run ended or cannot be reached, so this one ends too. Start "
    "all of them again with --run and the run's folder: what is finished in it is kept."
)

DONE = "Another process of this run had ended by itself; this one has finished, and all is written."


@dataclasses.dataclass(frozen=True)
class Place:
    """Where this process stands among those of a run.

    Raises:
      UserError: for values that do not go together.
    """

    processes: int = 1
    """How many processes train together as one run; each is started with the same command."""
    process: int = 0
    """Which of them this one is, from 0; the first one's run folder is kept."""
    coordinator: Annotated[str | None, value("HOST:PORT")] = None
    """HOST:PORT of the first one: an address that the others reach, and a free port."""
    cluster: Flag = False
    """Take the three from the variables of Slurm, Open MPI or what else started the processes."""

    def __post_init__(self) -> None:
        if self.processes < 1 or not 0 <= self.process < self.processes:
            raise UserError(
                f"--process is {self.process} of --processes {self.processes}; give how many there "
                "are, and this one's number from 0."
            )
        if self.processes > 1 and not self.coordinator:
            raise UserError(
                "--processes needs --coordinator HOST:PORT, a free port where process 0 runs."
            )
        if self.cluster and (self.processes, self.process, self.coordinator) != (1, 0, None):
            raise UserError("--cluster tells the processes; leave out what else does.")
        if self.coordinator and not re.fullmatch(r".+:[1-9]\d{0,4}", self.coordinator):
            raise UserError(f"--coordinator is {self.coordinator}, expected HOST:PORT.")


def join(place: Place) -> None:
    """Waits for the other processes; for entry points, before JAX is used.

    From then on a process that dies ends the others, with ``ENDED``.

    Raises:
      UserError: if they cannot be found.
    """
    if place.processes == 1 and not place.cluster:
        return
    several = () if place.cluster else (place.coordinator, place.processes, place.process)
    options: dict[str, Any] = {
        "initialization_timeout": 60,
        "heartbeat_timeout_seconds": HEARTBEAT_SECONDS,
        "shutdown_timeout_seconds": 86_400,  # while the first one measures and reports
    }
    try:
        jax.distributed.initialize(*several, **options)
    except (RuntimeError, ValueError) as error:
        if place.cluster and "should be defined" in str(error):
            raise UserError(
                "--cluster finds no variables of Slurm, Open MPI or the like here; give "
                "--processes, --process and --coordinator."
            ) from error
        first = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise UserError(f"The processes of this run do not find one another ({first}).") from error
    ctypes.CDLL(None).signal(signal.SIGABRT, _ON_ABORT)
    if not is_first():
        sys.stdout = open(os.devnull, "w", encoding="utf-8")


def is_first() -> bool:
    """Whether this process is the only one or the first one."""
    return jax.process_index() == 0


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Inside, a process that ends by a mistake or an interruption does so at once.

    JAX would have it wait for the others, which wait for it; so they are told that it is gone. One
    that finds another one gone ends with ``ENDED``, and well if it is the first one and is through.
    """
    try:
        yield
    except BaseException as error:
        well = isinstance(error, SystemExit) and not error.code
        if well or not jax.distributed.is_initialized():
            raise
        _leave(error)
    if jax.distributed.is_initialized() and is_first():
        sys.stdout.flush()
        ctypes.CDLL(None).signal(signal.SIGABRT, _ON_ABORT_WHEN_DONE)


def _leave(error: BaseException) -> None:
    """Ends the process as Python would for an error, but waits for nobody."""
    code = 1
    if isinstance(error, SystemExit):
        if isinstance(error.code, int):
            code = error.code
        else:
            print(error.code, file=sys.stderr)
    elif isinstance(error, jax.errors.JaxRuntimeError):
        print(str(error).splitlines()[0], file=sys.stderr, flush=True)  # what it may be besides
        _ended()
    else:
        traceback.print_exception(error)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _ended(_: int = signal.SIGABRT) -> None:
    os.write(2, f"{ENDED}\n".encode())
    os._exit(1)


def _done(_: int = signal.SIGABRT) -> None:
    os.write(2, f"{DONE}\n".encode())
    os._exit(0)


_ON_ABORT, _ON_ABORT_WHEN_DONE = map(ctypes.CFUNCTYPE(None, ctypes.c_int), (_ended, _done))
"""Where JAX misses another process it calls abort(), in a thread of its own; Python's own handlers
would run too late."""


@contextlib.contextmanager
def copy_of(folder: pathlib.Path | None) -> Iterator[pathlib.Path]:
    """A folder of the first process in every other one, which works in a copy until it ends.

    Args:
      folder: the first process's own; None in the others.
    """
    if jax.process_count() == 1:
        assert folder is not None, "the only process is the first"
        yield folder
        return
    content = _same(_packed(folder) if folder else b"")
    if folder:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="rnnsent-") as place:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            archive.extractall(place, filter="data")
        yield pathlib.Path(place)


def _packed(folder: pathlib.Path) -> bytes:
    with io.BytesIO() as buffer:
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            archive.add(folder, arcname=".")
        return buffer.getvalue()


def _same(content: bytes) -> bytes:
    """The first process's bytes in all of them."""
    high_low = multihost_utils.broadcast_one_to_all(np.array(divmod(len(content), 2**31), np.int32))
    size = int(high_low[0]) * 2**31 + int(high_low[1])
    mine = np.frombuffer(content.ljust(size, b"\0")[:size], np.uint8)
    return np.asarray(multihost_utils.broadcast_one_to_all(mine)).tobytes()


def spread(tree: Any, sharding: NamedSharding) -> Any:
    """Arrays that every process has a copy of, over the devices of a mesh.

    Args:
      tree: of arrays, keys among them, the same in every process.
      sharding: where each part shall be.
    """
    if jax.process_count() == 1:
        return jax.device_put(tree, sharding)
    return jax.tree.map(functools.partial(_put, sharding=sharding), tree)


def _put(leaf: Any, sharding: Sharding) -> Any:
    # Only an array of the host's can be put where other processes have a part.
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_put(jax.random.key_data(leaf), sharding))
    return jax.device_put(np.asarray(leaf), sharding)


def own(tree: Any) -> Any:
    """Arrays along ``SEEDS`` over the devices of all, as this process holds them: whole.

    Every seed has a device in every process (:func:`rnnsent.devices.mesh`), so that nothing is
    sent, and one process may look at what the others do not.
    """
    return tree if jax.process_count() == 1 else jax.tree.map(_own, tree)


def _own(leaf: Any) -> Any:
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_own(jax.random.key_data(leaf)))
    parts = {shard.index[0].start or 0: shard.data for shard in leaf.addressable_shards}
    if len(parts) == 1:  # and nothing is waited for
        return parts.popitem()[1]
    return jnp.asarray(np.concatenate([np.asarray(parts[i]) for i in sorted(parts)]))
