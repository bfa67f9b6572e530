"""States of trainings on disk, with Orbax.

Beside the folder that Orbax writes stands a list of what it wrote. Orbax is only asked to read what
is whole and has the expected shapes: where it fails, it goes on complaining for a while.
"""

import contextlib
import errno
import functools
import gc
import logging
import os
import pathlib
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import optax
import orbax.checkpoint as ocp

from rnnsent.data.seal import file_digest
from rnnsent.errors import UserError
from rnnsent.model import SentimentClassifier
from rnnsent.training import TrainState, create_state

_OVERHEAD_BYTES = 2**18
"""What Orbax writes besides the arrays, generously."""


class Listing(msgspec.Struct, frozen=True):
    """``<checkpoint>.json``.

    Attributes:
      files: SHA-256 by path below the checkpoint's folder.
      leaves: dtype and shape of the arrays by their place in the state.
    """

    files: dict[str, str]
    leaves: dict[str, str]


def save(folder: pathlib.Path, state: TrainState) -> None:
    """Writes a state; what was in the folder is replaced.

    Raises:
      OSError: if there is no room for it, or it cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _quiet():
        begin(folder, state)()


def begin(folder: pathlib.Path, states: TrainState | list[TrainState]) -> Callable[[], None]:
    """Begins to write states, which may be given away when this returns.

    Args:
      folder: of the checkpoint, in one that exists; what was in it is replaced.
      states: of one training, or of several.

    Returns:
      What waits until all is written, from any thread; without it, there is no checkpoint.

    Raises:
      OSError: if there is no room for it, or it cannot be written; now or when it is waited for.
    """
    storable = _storable(states)
    leaves = _leaves(storable)
    _place(folder).unlink(missing_ok=True)
    for left in folder.parent.glob(f"{folder.name}.orbax-checkpoint-tmp*"):  # Orbax warns of it
        shutil.rmtree(left)
    _reserve(folder, sum(leaf.nbytes for leaf in jax.tree.leaves(storable)) + _OVERHEAD_BYTES)
    checkpointer = _checkpointer()

    def finish() -> None:
        with _orbax_refusing(), checkpointer:
            checkpointer.wait_until_finished()
        _place(folder).write_bytes(msgspec.json.encode(Listing(_digests(folder), leaves)))

    with _orbax_refusing():
        checkpointer.save(folder.absolute(), storable, force=True)
    return finish


def _checkpointer() -> ocp.StandardCheckpointer:
    """Of this process alone, which holds all of the states even where several train them."""
    alone = jax.process_index()
    return ocp.StandardCheckpointer(
        multiprocessing_options=ocp.options.MultiprocessingOptions(
            primary_host=alone, active_processes={alone}, barrier_sync_key_prefix=f"alone-{alone}"
        )
    )


@contextlib.contextmanager
def _orbax_refusing() -> Iterator[None]:
    try:
        yield
    except ValueError as error:  # so Orbax calls a full disk
        raise OSError(0, _short(error)) from error


def restore(
    folder: pathlib.Path, model: SentimentClassifier, optimizer: optax.GradientTransformation
) -> TrainState:
    """What :func:`save` wrote, on the default device.

    Args:
      folder: where.
      model: the one trained.
      optimizer: the one trained with, or one whose state has the same structure.

    Raises:
      UserError: if there is no checkpoint, it cannot be read, or it is of another model.
    """
    return _restored(folder, model, optimizer, lambda one: one)


def restore_all(
    folder: pathlib.Path,
    model: SentimentClassifier,
    optimizer: optax.GradientTransformation,
    count: int,
) -> list[TrainState]:
    """What :func:`begin` wrote of so many trainings of one model; see :func:`restore`."""
    return _restored(folder, model, optimizer, lambda one: [one] * count)


def _restored(
    folder: pathlib.Path,
    model: SentimentClassifier,
    optimizer: optax.GradientTransformation,
    states: Callable[[TrainState], Any],
) -> Any:
    try:
        like = states(jax.eval_shape(lambda: _plain(create_state(model, optimizer, 0))))
        _check_leaves(check(folder), _leaves(like))
        # As arrays of the host's: of those on devices Orbax asks that all processes have a part.
        like = jax.tree.map(lambda a: np.empty(a.shape, a.dtype), like)
        found = jax.tree.map(jnp.asarray, _read(folder, like))
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise _unreadable(folder, error) from error
    return _of_states(lambda one: one.replace(key=jax.random.wrap_key_data(one.key)), found)


def _read(folder: pathlib.Path, like: Any) -> Any:
    """The arrays, as Orbax finds them; ``ValueError`` where it does not.

    All is as it was written, but a list of forged files may be forged too: Orbax raises whatever it
    meets then, and its threads go on for a while to report that a loop is closed: for these the
    hook stays.
    """
    before = sys.unraisablehook
    sys.unraisablehook = functools.partial(_unless_of_a_closed_loop, before)
    try:
        with _quiet(), _checkpointer() as checkpointer:
            found = checkpointer.restore(folder.absolute(), like)
    except MemoryError:  # which no other checkpoint mends
        raise
    except Exception as error:
        raise ValueError(str(error)) from error
    sys.unraisablehook = before
    return found


def _unless_of_a_closed_loop(report: Callable[[Any], Any], unraisable: Any) -> None:
    if str(unraisable.exc_value) != "Event loop is closed":
        report(unraisable)


def check(folder: pathlib.Path) -> Listing:
    """What a checkpoint consists of; ``UserError`` unless all of it is as it was written."""
    try:
        listing = msgspec.json.decode(_place(folder).read_bytes(), type=Listing)
        found = _digests(folder)
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(folder, error) from error
    changed = sorted(n for n in listing.files | found if found.get(n) != listing.files.get(n))
    if changed:
        damage = ValueError(f"{changed[0]} is not as it was written")
        raise _unreadable(folder, damage) from damage
    return listing


def _check_leaves(listing: Listing, expected: dict[str, str]) -> None:
    held = listing.leaves
    for name in held | expected:
        if held.get(name) != expected.get(name):
            raise ValueError(f"{name} is {held.get(name)}, not {expected.get(name)}")


def _place(folder: pathlib.Path) -> pathlib.Path:
    return folder.with_name(f"{folder.name}.json")


def _digests(folder: pathlib.Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}


def _leaves(state: TrainState) -> dict[str, str]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(state)
    return {
        jax.tree_util.keystr(path): f"{np.dtype(leaf.dtype).name}{list(leaf.shape)}"
        for path, leaf in leaves
    }


def _reserve(folder: pathlib.Path, size: int) -> None:
    """Fails as writing so many bytes would, which Orbax's threads report in some hundred lines."""
    if not hasattr(os, "posix_fallocate"):  # not on macOS
        return
    path = folder.with_name(f"{folder.name}.partial")
    try:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # some file systems cannot
            raise
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Where Orbax fails, its unfinished tasks are not logged as well when they are collected."""
    logger = logging.getLogger("asyncio")
    logger.disabled, before = True, logger.disabled
    try:
        yield
    finally:
        gc.collect()
        logger.disabled = before


def _unreadable(folder: pathlib.Path, error: Exception) -> UserError:
    return UserError(
        f"No readable checkpoint in {folder} ({type(error).__name__}: {_short(error)}). "
        f"Delete {folder.parent}; it is trained again when the run goes on."
    )


def _short(error: Exception) -> str:
    return textwrap.shorten(str(error), 200, placeholder="…")  # Orbax appends whole settings


def _storable(states: Any) -> Any:
    """The states as arrays of the host's, keys as plain numbers."""
    return jax.tree.map(np.asarray, _plain(states))


def _plain(states: Any) -> Any:
    return _of_states(lambda one: one.replace(key=jax.random.key_data(one.key)), states)


def _of_states(function: Callable[[TrainState], TrainState], states: Any) -> Any:
    return jax.tree.map(function, states, is_leaf=lambda one: isinstance(one, TrainState))
