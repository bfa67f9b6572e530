"""Folders of runs: where one is made, what it says of itself, and who may write to it."""

import contextlib
import datetime
import os
import pathlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rnnsent import console, locks, processes
from rnnsent.data import Encoding, Reviews, Vocabulary
from rnnsent.errors import UserError
from rnnsent.runs import files
from rnnsent.runs.records import Provenance, RunConfig, Words


def new_folder(root: pathlib.Path, name: str) -> pathlib.Path:
    """A fresh folder ``root/name-<UTC time>``; a number is added where that exists."""
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    for suffix in ("", *(f"-{i}" for i in range(2, 100))):
        folder = root / f"{name}-{stamp}{suffix}"
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(
                f"Cannot create the run folder {folder}: {error.strerror}. Choose a folder you may "
                "write to with --out."
            ) from error
    raise UserError(f"{root} holds a hundred runs of this second; choose another with --out.")


def check_place(out: pathlib.Path, run: pathlib.Path | None) -> None:
    """Raises ``UserError`` if a run cannot be written there; for asking before any work starts.

    Args:
      out: where a new run folder would be made.
      run: the folder of a run to go on with; None makes a new one.
    """
    place = out if run is None else run
    option = "--out" if run is None else "--run"
    above = next(path for path in (place, *place.absolute().parents) if path.exists())
    if not above.is_dir():
        raise UserError(f"{above} is no folder. Choose another one with {option}.")
    if not os.access(above, os.W_OK | os.X_OK):
        raise UserError(f"{above} may not be written to. Choose another folder with {option}.")
    if run is not None and run.exists() and not _just_begun(run):
        if not _holds_a_run(run):
            raise UserError(f"{run} is not empty and holds no run. Leave out --run to start anew.")
        files.read_json(run / "config.json", RunConfig)


_FIRST = ("config.json", "provenance.json", "vocabulary.json")
"""What is written into a new folder, in this order."""


def _just_begun(folder: pathlib.Path) -> bool:
    """Whether it is empty, or was left while its first files were written."""
    own = {locks.NAME, _FIRST[0], *(f"{name}{files.PARTIAL}" for name in _FIRST)}
    return all(path.name in own and path.is_file() for path in folder.iterdir())


def _holds_a_run(folder: pathlib.Path) -> bool:
    return all((folder / name).is_file() for name in _FIRST[:2])


@contextlib.contextmanager
def open_folder(
    out: pathlib.Path,
    run: pathlib.Path | None,
    experiment: str,
    reviews: Reviews,
    provenance: Mapping[str, Any],
) -> Iterator[pathlib.Path]:
    """The folder ``run``, or a new one under ``out``, ready for trainings on these reviews.

    Configuration, provenance and vocabulary are written into it. Inside of the context no other
    process opens it, and what the system refuses to write is a ``UserError``. Of several processes
    of one run only the first has it; the others have a copy that ends with them.

    Raises:
      UserError: if it cannot be written to, holds a run on other data, or is another process's.
    """
    if not processes.is_first():
        with processes.copy_of(None) as copy:
            yield copy
        return
    check_place(out, run)
    folder = run or new_folder(out, f"{experiment}-{reviews.provenance['source']}")
    with _writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locks.alone(folder):
        config = RunConfig(experiment)
        if _holds_a_run(folder):
            config = files.read_json(folder / "config.json", RunConfig)
            _check_same_data(folder, reviews)
        with _writing_to(folder), processes.copy_of(folder):
            files.write_json(folder / "config.json", config)
            files.write_json(folder / "provenance.json", provenance)
            save_vocabulary(folder, reviews.vocabulary, reviews.encoding)
            with going_on(folder):
                yield folder


@contextlib.contextmanager
def going_on(folder: pathlib.Path) -> Iterator[None]:
    """Whoever interrupts what is done in a run's folder is told how to go on."""
    try:
        yield
    except KeyboardInterrupt as error:
        if error.args:  # it has been said, of a folder in this one
            raise
        raise type(error)(
            f"interrupted; go on with the same options and --run {shlex.quote(str(folder))}"
        ) from None


@contextlib.contextmanager
def _writing_to(folder: pathlib.Path) -> Iterator[None]:
    """Makes a ``UserError`` of what the system refuses to write, at any time."""
    try:
        yield
    except OSError as error:
        if console.output_fails():  # which is in no folder
            raise
        raise UserError(
            f"Cannot write to {folder}: {error.strerror or error}. Make room, or choose another "
            "folder; what is finished in it is kept."
        ) from error


def _check_same_data(folder: pathlib.Path, reviews: Reviews) -> None:
    held = data_of(folder)
    if held != reviews.provenance:
        raise UserError(
            f"{folder} holds a run on other data ({held['title']}). Leave out --run to start anew."
        )


def data_of(folder: pathlib.Path) -> dict[str, Any]:
    """What a run says of its reviews; ``UserError`` where that is missing or damaged."""
    return files.read_json(folder / "provenance.json", Provenance).data


def origins(folders: Sequence[pathlib.Path]) -> list[str]:
    """Where finished trainings were made: each revision and machine once, as one line of text."""
    found = [
        files.read_json(folder / "provenance.json", Provenance, files.damaged) for folder in folders
    ]
    texts = [f"revision {one.git or 'unknown'} on {one.device.name}" for one in found]
    return list(dict.fromkeys(texts))


def save_vocabulary(folder: pathlib.Path, vocabulary: Vocabulary, encoding: Encoding) -> None:
    """What encodes new text for this run's models: a rare word is unknown, no word is left out."""
    words = Words(vocabulary.origin, encoding, vocabulary.words)
    files.write_json(folder / "vocabulary.json", words)


def load_vocabulary(folder: pathlib.Path) -> tuple[Vocabulary, Encoding]:
    """What :func:`save_vocabulary` wrote: the words and the encoding they are used with."""
    content = files.read_json(folder / "vocabulary.json", Words)
    return Vocabulary(content.words, content.origin), content.encoding


def latest(root: pathlib.Path) -> pathlib.Path:
    """The newest run folder under ``root`` that holds a finished training."""
    finished = {
        path.parents[2]: path.stat().st_mtime for path in root.glob("*/*/seed-*/result.json")
    }
    if not finished:
        raise UserError(
            f"There is no finished run under {root}. Train one with: python -m experiments.compare"
        )
    return max(finished, key=finished.__getitem__)
