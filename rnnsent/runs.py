"""Run folders: what one training writes, in what order, and how to read it back.

``<run>/config.json, provenance.json, vocabulary.json, <model>/seed-<s>/…``: the run's files tell of
the command that wrote last, a seed's own ``config.json`` and ``provenance.json`` of its training. A
seed's ``result.json`` is written last and at once, so a seed that has one is finished, and an
interrupted one is trained again. One that diverged is finished too: its ``result.json`` says in
which epoch, and nothing else is kept of it.
"""

import contextlib
import dataclasses
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import shlex
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
import optax

from rnnsent import checkpoints, console, evaluation, locks, training
from rnnsent.data import Encoding, Reviews, Vocabulary
from rnnsent.errors import UserError
from rnnsent.model import ModelConfig

_RECIPE = ("epochs", "batch_size", "learning_rate", "quick")
"""Options that all seeds of a run share."""

ADVICE = "Try a lower --learning-rate, or clip the gradients (optax.clip_by_global_norm)."
"""What to do about a training that diverged."""

_PACKAGES = ("rnnsent", "jax", "jaxlib", "flax", "optax", "numpy", "orbax-checkpoint")


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
    if run is not None and run.exists() and not _empty(run) and not _holds_a_run(run):
        raise UserError(f"{run} is not empty and holds no run. Leave out --run to start anew.")


def _empty(folder: pathlib.Path) -> bool:
    return all(path.name == locks.NAME for path in folder.iterdir())


def _holds_a_run(folder: pathlib.Path) -> bool:
    return all((folder / name).is_file() for name in ("config.json", "provenance.json"))


@contextlib.contextmanager
def open_folder(
    options: Any, reviews: Reviews, provenance: dict[str, Any], name: str
) -> Iterator[pathlib.Path]:
    """The folder that ``options.run`` names, or a new one under ``options.out``, ready for seeds.

    Configuration, provenance and vocabulary are written into it. Inside of the context no other
    process opens it.

    Raises:
      UserError: if it cannot be written to, holds a run on other data or by another recipe, or is
        another process's.
    """
    check_place(options.out, options.run)
    folder = options.run or new_folder(options.out, f"{name}-{reviews.provenance['source']}")
    with _writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locks.alone(folder):
        if _holds_a_run(folder):
            _check_same_run(folder, options, reviews)
        with _writing_to(folder):
            _describe(folder, options, reviews, provenance)
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


def _describe(
    folder: pathlib.Path, options: Any, reviews: Reviews, provenance: dict[str, Any]
) -> None:
    write_json(folder / "config.json", options)
    write_json(folder / "provenance.json", provenance)
    save_vocabulary(folder, reviews.vocabulary, reviews.encoding)


def _check_same_run(folder: pathlib.Path, options: Any, reviews: Reviews) -> None:
    """Raises ``UserError`` if a folder's seeds and new ones would not be of the same kind."""
    held = data_of(folder)
    if held != reviews.provenance:
        raise UserError(
            f"{folder} holds a run on other data ({held['title']}). Leave out --run to start anew."
        )
    config = read_json(folder / "config.json")
    for option in _RECIPE:
        if hasattr(options, option) and config.get(option) != getattr(options, option):
            raise UserError(
                f"{folder} holds a run with {option} {config.get(option)}, not "
                f"{getattr(options, option)}. Give the run's own options, or leave out --run."
            )


def write_json(path: pathlib.Path, content: Any) -> None:
    """Writes all of a file or nothing of it."""
    partial = path.with_suffix(path.suffix + ".partial")
    partial.write_text(_json(content, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)


def _json(content: Any, **options: Any) -> str:
    """Valid JSON, which has no word for a number that is not finite: such a one is null."""
    finite = json.loads(json.dumps(content, default=_plain), parse_constant=lambda _: None)
    return json.dumps(finite, allow_nan=False, **options)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return dataclasses.asdict(value)
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return str(value)


def read_json(path: pathlib.Path, *names: str) -> dict[str, Any]:
    """The object in a file of a run folder, which must have the given names.

    Raises:
      UserError: if the file is missing or damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(content, dict):
        raise _unreadable(path, "no JSON object")
    if missing := [name for name in names if name not in content]:
        raise _unreadable(path, f"without {', '.join(missing)}")
    return content


def data_of(folder: pathlib.Path) -> dict[str, Any]:
    """What a run's provenance says of its data; ``UserError`` where it is missing or damaged."""
    path = folder / "provenance.json"
    held = read_json(path, "data")["data"]
    if not isinstance(held, dict) or not {"source", "title", "train", "test"} <= held.keys():
        raise _unreadable(path, "its data has no source, title or size")
    if not all(isinstance(held[name], int) and held[name] > 0 for name in ("train", "test")):
        raise _unreadable(path, "its sizes are no numbers of rows")
    return held


def origins(folders: Sequence[pathlib.Path]) -> list[str]:
    """Where finished seeds were trained: each revision and machine once, as one line of text."""
    found = [read_json(folder / "provenance.json", "git", "device") for folder in folders]
    texts = [f"revision {one['git'] or 'unknown'} on {one['device']['name']}" for one in found]
    return list(dict.fromkeys(texts))


def _unreadable(path: pathlib.Path, reason: object) -> UserError:
    return UserError(f"{path} cannot be read ({reason}). Give the folder of a finished run.")


def provenance(reviews: Reviews) -> dict[str, Any]:
    """What a result rests on: data, versions, machine, revision, command and time."""
    return {
        "data": reviews.provenance,
        "versions": {"python": platform.python_version()} | {p: _version(p) for p in _PACKAGES},
        "device": device(),
        "git": _git_revision(),
        "command": shlex.join([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def device() -> dict[str, Any]:
    """The devices JAX uses and the processor's name."""
    devices = jax.local_devices()
    name = devices[0].device_kind if devices[0].platform != "cpu" else _processor()
    return {"platform": devices[0].platform, "name": name, "devices": len(devices)}


def _processor() -> str:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.machine()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git_revision() -> str | None:
    """Revision of the source this package runs from, ``+`` where it has changes; None without.

    A package that merely lies inside someone else's repository (a virtual environment's) has none.
    """
    source = pathlib.Path(__file__).parent

    def git(*arguments):
        command = ["git", "-C", str(source), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", str(pathlib.Path(__file__)))
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def save_vocabulary(folder: pathlib.Path, vocabulary: Vocabulary, encoding: Encoding) -> None:
    """What encodes new text for this run's models."""
    words = vocabulary.words[: encoding.num_words]
    content = {"origin": vocabulary.origin, "encoding": encoding, "words": words}
    write_json(folder / "vocabulary.json", content)


def load_vocabulary(folder: pathlib.Path) -> tuple[Vocabulary, Encoding]:
    """What :func:`save_vocabulary` wrote: the words and the encoding they are used with."""
    path = folder / "vocabulary.json"
    content = read_json(path, "words", "origin", "encoding")
    try:
        encoding = Encoding(**content["encoding"])
    except TypeError as error:
        raise _unreadable(path, error) from error
    return Vocabulary(tuple(content["words"]), content["origin"]), encoding


def latest(root: pathlib.Path) -> pathlib.Path:
    """The newest run folder under ``root`` that holds a finished seed."""
    finished = {
        path.parents[2]: path.stat().st_mtime for path in root.glob("*/*/seed-*/result.json")
    }
    if not finished:
        raise UserError(
            f"There is no finished run under {root}. Train one with: python -m experiments.compare"
        )
    return max(finished, key=finished.get)


def seed_folder(run: pathlib.Path, model: str, seed: int) -> pathlib.Path:
    return run / model / f"seed-{seed}"


def seeds(run: pathlib.Path, model: str) -> list[int]:
    """The finished seeds of a model in a run folder, those that diverged among them."""
    found = run.glob(f"{model}/seed-*/result.json")
    numbers = (path.parent.name.removeprefix("seed-") for path in found)
    return sorted(int(number) for number in numbers if number.isdecimal())


def readable(run: pathlib.Path, models: Iterable[str]) -> list[tuple[str, int]]:
    """Model and seed of a run's finished trainings; a line names those that diverged, left out.

    Raises:
      UserError: if there is none, or all diverged.
    """
    places = [(model, seed) for model in models for seed in seeds(run, model)]
    epochs = {place: diverged(run, *place) for place in places}
    lost = ", ".join(_told(*place, epoch) for place, epoch in epochs.items() if epoch)
    left = [place for place, epoch in epochs.items() if not epoch]
    if lost and not left:
        raise UserError(f"{run} holds nothing to read: {lost}. {ADVICE}")
    if not left:
        raise UserError(f"{run} holds no finished model. Give the folder of a finished run.")
    if lost:
        console.say(f"Left out: {lost}.")
    return left


def diverged(run: pathlib.Path, model: str, seed: int) -> int | None:
    """The epoch in which the loss or the logits of a training ceased to be finite, if they did."""
    return _read_result(seed_folder(run, model, seed)).get("diverged", {}).get("epoch")


def _told(name: str, seed: int, epoch: int) -> str:
    return f"{name} seed {seed} diverged in epoch {epoch}"


@dataclasses.dataclass(frozen=True)
class Trained:
    """One finished training.

    Attributes:
      result: what ``result.json`` holds: accuracies, losses, times; or where it diverged.
      history: per epoch, the training loss and accuracy with dropout on, and the seconds.
      train_logits_N: of the final state, dropout off; none of a training that diverged.
      test_logits_N: likewise; the test split is read this once.
    """

    result: dict[str, Any]
    history: list[dict[str, Any]]
    train_logits_N: np.ndarray
    test_logits_N: np.ndarray

    @property
    def diverged(self) -> int | None:
        """The epoch in which the loss or the logits ceased to be finite, if they did."""
        return self.result.get("diverged", {}).get("epoch")


def diverged_text(trained: Iterable[Trained]) -> str:
    """Which trainings diverged, and when; empty where none did."""
    lost = [one for one in trained if one.diverged]
    return ", ".join(_told(one.result["title"], one.result["seed"], one.diverged) for one in lost)


def _read_result(folder: pathlib.Path) -> dict[str, Any]:
    """A training's ``result.json``: what was measured, or the epoch in which it diverged."""
    path = folder / "result.json"
    result = read_json(path, "title", "seed", "epochs")
    if "diverged" not in result:
        return read_json(path, *_MEASURED)
    named = result["diverged"]
    epoch = named.get("epoch") if isinstance(named, dict) else None
    if not isinstance(epoch, int) or epoch < 1:
        raise _unreadable(path, "it names no epoch in which the training diverged")
    return result


def load_seed(folder: pathlib.Path) -> Trained:
    """A finished training, as :func:`train_seed` left it; ``UserError`` where it is damaged."""
    result = _read_result(folder)
    epochs = result.get("diverged", {}).get("epoch", result["epochs"])
    try:
        lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        history = [json.loads(line) for line in lines]
        if len(history) != epochs:
            raise ValueError(f"metrics.jsonl has {len(history)} epochs, not {epochs}")
        if "diverged" in result:
            return Trained(result, history, np.zeros(0), np.zeros(0))
        # NumPy leaves a file that it opened itself open where it is damaged.
        with (folder / "predictions.npz").open("rb") as file, np.load(file) as arrays:
            logits = [arrays[f"{name}_logits_N"] for name in ("train", "test")]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"The training in {folder} is damaged ({error}). Delete that folder; it is trained "
            "again when the run goes on."
        ) from error
    return Trained(result, history, *logits)


def load_params(run: pathlib.Path, model: str, seed: int) -> tuple[ModelConfig, int, Any]:
    """A finished training's configuration, its seed and the trained parameters.

    Raises:
      UserError: if it diverged, or cannot be read.
    """
    if epoch := diverged(run, model, seed):
        raise UserError(f"{_told(model, seed, epoch)}, so there is nothing to read. {ADVICE}")
    place = seed_folder(run, model, seed) / "checkpoint"
    config, state = checkpoints.restore(place, training.optimizer())
    return config, seed, state.params


def train_seed(
    folder: pathlib.Path,
    title: str,
    config: ModelConfig,
    optimizer: optax.GradientTransformation,
    reviews: Reviews,
    *,
    seed: int,
    epochs: int,
    batch_size: int,
) -> Trained:
    """Trains one seed into ``folder``, or loads it where it is already there.

    Everything follows from the seed. A seed that was trained by another recipe is a ``UserError``,
    one that diverges is finished with the epoch in which it did.
    """
    started = time.perf_counter()
    state = training.create_state(config, optimizer, seed)
    recipe = _recipe(config, state, seed, epochs, batch_size)
    if (folder / "result.json").exists():
        _check_same_recipe(folder, recipe)
        return load_seed(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", recipe)
    write_json(folder / "provenance.json", provenance(reviews))
    with console.training_progress(f"{title} seed {seed}") as progress:
        state, epochs_done = training.fit(
            config,
            optimizer,
            state,
            reviews.train.ids_NT,
            reviews.train.label_N,
            epochs=epochs,
            batch_size=batch_size,
            progress=_recorder(folder / "metrics.jsonl", progress),
        )
    trained_seconds = time.perf_counter() - started
    times = {
        "epoch_seconds": [now.seconds for now in epochs_done],
        "training_seconds": trained_seconds,
    }
    measured = _measure(folder, config, state, reviews, epochs_done)
    result = {"title": title, "seed": seed, "epochs": epochs, **measured, **times}
    write_json(folder / "result.json", result)
    return load_seed(folder)


def _recipe(
    config: ModelConfig, state: training.TrainState, seed: int, epochs: int, batch_size: int
) -> dict[str, Any]:
    """All that a training follows from, besides the data, as JSON holds it."""
    rate = getattr(state.opt_state, "hyperparams", {}).get("learning_rate")
    recipe = {
        "model": dataclasses.asdict(config),
        "seed": seed,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": None if rate is None else float(str(np.float32(rate))),
    }
    return json.loads(_json(recipe))


def _check_same_recipe(folder: pathlib.Path, recipe: dict[str, Any]) -> None:
    """Raises ``UserError`` if a finished seed was trained by another recipe."""
    held = read_json(folder / "config.json")
    differs = [name for name in recipe if held.get(name) != recipe[name]]
    if differs:
        texts = (f"{name} {held.get(name)}, not {recipe[name]}" for name in differs)
        raise UserError(
            f"{folder} holds a training with {'; '.join(texts)}. Choose another run folder."
        )


_MEASURED = ("train_accuracy", "test_accuracy", "train_loss", "test_loss", "epoch_seconds")


def _measure(
    folder: pathlib.Path,
    config: ModelConfig,
    state: training.TrainState,
    reviews: Reviews,
    history: Sequence[training.Progress],
) -> dict[str, Any]:
    """Metrics of a final state on both splits, after the checkpoint and ``predictions.npz``.

    Of a training that diverged there is only the epoch: a logit that is no number would count as
    "negative" and make a plausible accuracy. This is the one place where a training's test split
    is read.
    """
    parts = {"train": reviews.train, "test": reviews.test}
    logits = {n: training.predict(config, state.params, part.ids_NT) for n, part in parts.items()}
    names = {name: reviews.provenance[name] for name in ("source", "title", "test_title")}
    if not all(np.isfinite(a).all() for a in (history[-1].loss, *logits.values())):
        return {"data": names, "diverged": {"epoch": history[-1].epoch}}
    checkpoints.save(folder / "checkpoint", config, state)
    np.savez(folder / "predictions.npz", **{f"{n}_logits_N": a for n, a in logits.items()})
    accuracy = {
        f"{n}_accuracy": evaluation.accuracy(logits[n], part.label_N) for n, part in parts.items()
    }
    loss = {f"{n}_loss": evaluation.log_loss(logits[n], part.label_N) for n, part in parts.items()}
    return {"data": names, **accuracy, **loss}


def _recorder(path: pathlib.Path, progress):
    """Passes progress on and writes each epoch's end as one line of JSON."""
    path.unlink(missing_ok=True)

    def record(now: training.Progress):
        progress(now)
        if now.step == now.steps:
            line = {
                "epoch": now.epoch,
                "loss": now.loss,
                "accuracy": now.accuracy,
                "seconds": now.seconds,
                "reviews_per_second": now.rows / now.seconds,
            }
            with path.open("a") as file:
                file.write(_json(line) + "\n")

    return record
