"""Run folders: what one training writes, in what order, and how to read it back.

``<run>/config.json, provenance.json, vocabulary.json, <model>/seed-<s>/…``. A seed's
``result.json`` is written last and at once, so a seed that has one is finished, and an interrupted
one is trained again.
"""

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
from typing import Any

import jax
import numpy as np
import optax

from rnnsent import checkpoints, console, evaluation, training
from rnnsent.data import Reviews, Vocabulary
from rnnsent.errors import UserError
from rnnsent.model import ModelConfig

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


def open_folder(
    options: Any, reviews: Reviews, provenance: dict[str, Any], name: str
) -> pathlib.Path:
    """The folder that ``options.run`` names, or a new one under ``options.out``, ready for seeds.

    Configuration, provenance and vocabulary are written into it.

    Raises:
      UserError: if the given folder holds a run on other data.
    """
    folder = options.run
    if folder is None:
        folder = new_folder(options.out, f"{name}-{reviews.provenance['source']}")
    elif (folder / "provenance.json").exists():
        held = read_json(folder / "provenance.json")["data"]
        if held != reviews.provenance:
            raise UserError(
                f"{folder} holds a run on other data ({held['title']}). Leave out --run to start "
                "anew."
            )
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", options)
    write_json(folder / "provenance.json", provenance)
    encoding = {n: getattr(options, n) for n in ("num_words", "maxlen", "padding", "truncating")}
    save_vocabulary(folder, reviews.vocabulary, encoding)
    return folder


def write_json(path: pathlib.Path, content: Any) -> None:
    """Writes all of a file or nothing of it."""
    partial = path.with_suffix(path.suffix + ".partial")
    partial.write_text(json.dumps(content, indent=2, default=_plain) + "\n", encoding="utf-8")
    os.replace(partial, path)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return dataclasses.asdict(value)
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return str(value)


def read_json(path: pathlib.Path) -> Any:
    """A file of a run folder; ``UserError`` where it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read ({error}). Give the folder of a finished run."
        ) from error


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
    """Revision of the source this package runs from, ``+`` where it has changes; None without."""
    source = pathlib.Path(__file__).parent

    def git(*arguments):
        command = ["git", "-C", str(source), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def save_vocabulary(folder: pathlib.Path, vocabulary: Vocabulary, encoding: dict[str, Any]) -> None:
    """What encodes new text for this run's models."""
    words = vocabulary.words[: encoding["num_words"]]
    content = {"origin": vocabulary.origin, "encoding": encoding, "words": words}
    write_json(folder / "vocabulary.json", content)


def load_vocabulary(folder: pathlib.Path) -> tuple[Vocabulary, dict[str, Any]]:
    """What :func:`save_vocabulary` wrote: the words and the encoding they are used with."""
    content = read_json(folder / "vocabulary.json")
    return Vocabulary(tuple(content["words"]), content["origin"]), content["encoding"]


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
    """The finished seeds of a model in a run folder."""
    found = run.glob(f"{model}/seed-*/result.json")
    return sorted(int(path.parent.name.removeprefix("seed-")) for path in found)


@dataclasses.dataclass(frozen=True)
class Trained:
    """One finished training.

    Attributes:
      result: what ``result.json`` holds: accuracies, losses, times.
      history: per epoch, the training loss and accuracy with dropout on, and the seconds.
      train_logits_N: of the final state, dropout off.
      test_logits_N: likewise; the test split is read this once.
    """

    result: dict[str, Any]
    history: list[dict[str, Any]]
    train_logits_N: np.ndarray
    test_logits_N: np.ndarray


def load_seed(folder: pathlib.Path) -> Trained:
    """A finished training, as :func:`train_seed` left it."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    with np.load(folder / "predictions.npz") as arrays:
        return Trained(
            read_json(folder / "result.json"),
            [json.loads(line) for line in lines],
            arrays["train_logits_N"],
            arrays["test_logits_N"],
        )


def load_params(run: pathlib.Path, model: str, seed: int) -> tuple[ModelConfig, int, Any]:
    """A finished training's configuration, its seed and the trained parameters."""
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

    Everything follows from the seed. A finished seed of other epochs is a ``UserError``.
    """
    if (folder / "result.json").exists():
        trained = load_seed(folder)
        if trained.result["epochs"] != epochs:
            raise UserError(
                f"{folder} holds a training of {trained.result['epochs']} epochs, not {epochs}. "
                "Choose another run folder."
            )
        return trained
    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    state = training.create_state(config, optimizer, seed)
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
    checkpoints.save(folder / "checkpoint", config, state)
    logits = {
        name: training.predict(config, state.params, part.ids_NT)
        for name, part in (("train", reviews.train), ("test", reviews.test))
    }
    np.savez(folder / "predictions.npz", **{f"{name}_logits_N": a for name, a in logits.items()})
    result = {
        "title": title,
        "seed": seed,
        "epochs": epochs,
        "data": reviews.provenance["title"],
        "test_title": reviews.provenance["test_title"],
        "train_accuracy": evaluation.accuracy(logits["train"], reviews.train.label_N),
        "test_accuracy": evaluation.accuracy(logits["test"], reviews.test.label_N),
        "train_loss": evaluation.log_loss(logits["train"], reviews.train.label_N),
        "test_loss": evaluation.log_loss(logits["test"], reviews.test.label_N),
        "epoch_seconds": [now.seconds for now in epochs_done],
        "training_seconds": trained_seconds,
    }
    write_json(folder / "result.json", result)
    return load_seed(folder)


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
                file.write(json.dumps(line) + "\n")

    return record
