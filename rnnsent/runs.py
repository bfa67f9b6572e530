"""Run folders: where trainings are kept, in what order they are written, how they are read back.

``<run>/config.json, provenance.json, vocabulary.json, <recipe>/seed-<s>/…``: the run's provenance
tells of the command that wrote last, a training's own ``config.json`` and ``provenance.json`` of
that training. Its ``result.json`` is written last and at once, so a training that has one is
finished, and an interrupted one is trained again. One that diverged is finished too: its
``result.json`` says in which epoch, and nothing else is kept of it.
"""

import contextlib
import dataclasses
import datetime
import os
import pathlib
import sys
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from rnnsent import checkpoints, console, locks, optimizers, recipes, records
from rnnsent.data import Encoding, Reviews, Vocabulary
from rnnsent.errors import UserError
from rnnsent.model import SentimentClassifier
from rnnsent.recipes import SHIPPED, Recipe
from rnnsent.records import Config, Epoch, Provenance, Result, RunConfig, Words

ADVICE = "Try a lower --learning-rate, or --clip 1."
"""What to do about a training that diverged."""


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
    if run is not None and run.exists() and not _empty(run):
        if not _holds_a_run(run):
            raise UserError(f"{run} is not empty and holds no run. Leave out --run to start anew.")
        records.read(run / "config.json", RunConfig)


def _empty(folder: pathlib.Path) -> bool:
    return all(path.name == locks.NAME for path in folder.iterdir())


def _holds_a_run(folder: pathlib.Path) -> bool:
    return all((folder / name).is_file() for name in ("config.json", "provenance.json"))


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
    process opens it.

    Raises:
      UserError: if it cannot be written to, holds a run on other data, or is another process's.
    """
    check_place(out, run)
    folder = run or new_folder(out, f"{experiment}-{reviews.provenance['source']}")
    with _writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locks.alone(folder):
        config = RunConfig(experiment)
        if _holds_a_run(folder):
            config = records.read(folder / "config.json", RunConfig)
            _check_same_data(folder, reviews)
        with _writing_to(folder):
            records.write(folder / "config.json", config)
            records.write(folder / "provenance.json", provenance)
            save_vocabulary(folder, reviews.vocabulary, reviews.encoding)
        yield folder


@contextlib.contextmanager
def _writing_to(folder: pathlib.Path) -> Iterator[None]:
    """Makes a ``UserError`` of what the system refuses to write."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"Cannot write to {folder}: {error.strerror}. Choose another folder."
        ) from error


def _check_same_data(folder: pathlib.Path, reviews: Reviews) -> None:
    held = data_of(folder)
    if held != reviews.provenance:
        raise UserError(
            f"{folder} holds a run on other data ({held['title']}). Leave out --run to start anew."
        )


def data_of(folder: pathlib.Path) -> dict[str, Any]:
    """What a run says of its reviews; ``UserError`` where that is missing or damaged."""
    return records.read(folder / "provenance.json", Provenance).data


def origins(folders: Sequence[pathlib.Path]) -> list[str]:
    """Where finished trainings were made: each revision and machine once, as one line of text."""
    found = [records.read(folder / "provenance.json", Provenance) for folder in folders]
    texts = [f"revision {one.git or 'unknown'} on {one.device.name}" for one in found]
    return list(dict.fromkeys(texts))


def save_vocabulary(folder: pathlib.Path, vocabulary: Vocabulary, encoding: Encoding) -> None:
    """What encodes new text for this run's models."""
    words = vocabulary.words[: encoding.num_words]
    records.write(folder / "vocabulary.json", Words(vocabulary.origin, encoding, words))


def load_vocabulary(folder: pathlib.Path) -> tuple[Vocabulary, Encoding]:
    """What :func:`save_vocabulary` wrote: the words and the encoding they are used with."""
    content = records.read(folder / "vocabulary.json", Words)
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
    return max(finished, key=finished.get)


def seed_folder(run: pathlib.Path, recipe: str, seed: int) -> pathlib.Path:
    """Where a training is kept; ``recipe`` is :attr:`rnnsent.recipes.Recipe.folder`."""
    return run / recipe / f"seed-{seed}"


def seeds(run: pathlib.Path, recipe: str) -> list[int]:
    """The finished seeds of a recipe in a run folder, those that diverged among them."""
    found = (run / recipe).glob("seed-*/result.json")
    numbers = (path.parent.name.removeprefix("seed-") for path in found)
    return sorted(int(number) for number in numbers if number.isdecimal())


@dataclasses.dataclass(frozen=True)
class Training:
    """A finished training, without its arrays.

    Attributes:
      folder: where it is kept.
      config: what it follows from.
      result: what was measured, or where it diverged.
    """

    folder: pathlib.Path
    config: Config
    result: Result

    @property
    def recipe(self) -> Recipe:
        """What was trained, and how."""
        return self.config.recipe

    @property
    def title(self) -> str:
        """What tables call the recipe."""
        return self.recipe.title

    @property
    def seed(self) -> int:
        """That everything random in it follows from."""
        return self.config.seed

    @property
    def diverged(self) -> int | None:
        """The epoch in which the loss or the logits ceased to be finite, if they did."""
        return self.result.diverged

    @property
    def told(self) -> str:
        """A line on one that diverged."""
        return f"{self.title} seed {self.seed} diverged in epoch {self.diverged}"


@dataclasses.dataclass(frozen=True)
class Trained(Training):
    """A finished training with what it said of every review.

    Attributes:
      history: per epoch, the training loss and accuracy with dropout on, and the seconds.
      train_logits_N: of the final state, dropout off; none of a training that diverged.
      test_logits_N: likewise.
    """

    history: list[Epoch]
    train_logits_N: np.ndarray
    test_logits_N: np.ndarray


def diverged_text(trained: Iterable[Training]) -> str:
    """Which trainings diverged, and when; empty where none did."""
    return ", ".join(one.told for one in trained if one.diverged)


def finished(run: pathlib.Path) -> list[Training]:
    """A run's finished trainings, the shipped recipes first, in their order.

    Raises:
      UserError: if there is none, or the folder is not as this version leaves it.
    """
    if (run / "config.json").exists():
        records.read(run / "config.json", RunConfig)
    names = {path.parents[1].name for path in run.glob("*/seed-*/result.json")}
    order = {name: i for i, name in enumerate(SHIPPED)}
    names = sorted(names, key=lambda name: (order.get(name, len(order)), name))
    found = [read(seed_folder(run, name, seed)) for name in names for seed in seeds(run, name)]
    if not found:
        raise UserError(f"{run} holds no finished model. Give the folder of a finished run.")
    return found


def readable(run: pathlib.Path) -> list[Training]:
    """A run's trainings that did not diverge; a line names those that did.

    Raises:
      UserError: if there is none.
    """
    found = finished(run)
    lost = diverged_text(found)
    left = [one for one in found if not one.diverged]
    if not left:
        raise UserError(f"{run} holds nothing to read: {lost}. {ADVICE}")
    if lost:
        console.say(f"Left out: {lost}.")
    return left


def read(folder: pathlib.Path) -> Training:
    """What a finished training's folder says of it, without its arrays."""
    config = records.read(folder / "config.json", Config)
    return Training(folder, config, records.read(folder / "result.json", Result))


def load(folder: pathlib.Path) -> Trained:
    """A finished training whole; ``UserError`` where it is damaged."""
    one = read(folder)
    epochs = one.diverged or one.result.epochs
    try:
        history = records.read_lines(folder / "metrics.jsonl", Epoch)
        if len(history) != epochs:
            raise ValueError(f"metrics.jsonl has {len(history)} epochs, not {epochs}")
        if one.diverged:
            return Trained(folder, one.config, one.result, history, np.zeros(0), np.zeros(0))
        # NumPy leaves a file that it opened itself open where it is damaged.
        with (folder / "predictions.npz").open("rb") as file, np.load(file) as arrays:
            logits = [arrays[f"{name}_logits_N"] for name in ("train", "test")]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"The training in {folder} is damaged ({error}). Delete that folder; it is trained "
            "again when the run goes on."
        ) from error
    return Trained(folder, one.config, one.result, history, *logits)


def load_params(
    run: pathlib.Path, recipe: str, seed: int, cells: Collection[str] = ()
) -> tuple[SentimentClassifier, int, Any]:
    """A finished training's model, its seed, and the parameters to evaluate.

    Args:
      run: the run's folder.
      recipe: name of the recipe's folder in it.
      seed: of the training.
      cells: that may be imported, as ``module:Class``, besides the shipped ones.

    Raises:
      UserError: if it diverged, cannot be read, or has a cell that was not named.
    """
    return restore(read(seed_folder(run, recipe, seed)), cells)


def restore(training: Training, cells: Collection[str] = ()) -> tuple[SentimentClassifier, int, Any]:
    """Model, seed and parameters of a training that was read; see :func:`load_params`."""
    if training.diverged:
        raise UserError(f"{training.told}, so there is nothing to read. {ADVICE}")
    config, recipe = training.config, training.recipe
    _check_trusted(training, cells)
    if recipes.digest(recipe) != config.digest:
        console.say(f"The source of the cell {recipe.cell} has changed since {training.folder}.")
    model = recipe.classifier(config.vocab_size)
    optimizer = recipe.optimizer(config.rows)
    state = checkpoints.restore(training.folder / "checkpoint", model, optimizer)
    return model, training.seed, optimizers.averaged(state)


def _check_trusted(training: Training, cells: Collection[str]) -> None:
    """A run may come from anyone: only what the user named, or has imported already, is run."""
    cell = training.recipe.cell
    module, colon, _ = cell.partition(":")
    if colon and cell not in cells and module not in sys.modules:
        raise UserError(
            f"{training.folder} was trained with the cell {cell!r}, which is no part of rnnsent: "
            f"reading it runs that module. If you trust it, add --cell {cell}"
        )
