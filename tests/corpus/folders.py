"""A finished run, made without training, and what can be wrong with its files."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from corpus.bad import Bad

from rnnsent import arrays, checkpoints, data, provenance, recipes, runs
from rnnsent.recipes import Recipe
from rnnsent.runs import files
from rnnsent.runs.reading import METRICS
from rnnsent.runs.records import Config, Data, Epoch, Measured, Result
from rnnsent.training import create_state

TINY = Recipe(name="tiny", cell="simple_rnn", features=(8,), head=4, embedding_size=4, epochs=1)
TOML = 'cell = "simple_rnn"\nfeatures = [8]\nhead = 4\nembedding_size = 4\nepochs = 1\n'
SEED = "tiny/seed-0"
NESTED = b"[" * 100_000


def make(place: pathlib.Path) -> pathlib.Path:
    """The run ``run`` in a folder, and ``tiny.toml`` beside it."""
    toy = data.load("toy", data.Encoding(num_words=60, maxlen=12))
    (place / "tiny.toml").write_text(TOML)
    made = provenance.of(toy)
    with runs.open_folder(place, place / "run", "compare", toy, made) as run:
        folder = runs.seed_folder(run, TINY.folder, 0)
        rows = len(toy.train)
        state = create_state(TINY.classifier(60), TINY.optimizer(rows), 0)
        checkpoints.save(folder / "checkpoint", state)
        config = Config(TINY, recipes.digest(TINY), 0, rows, 60, "scan")
        runs.write_json(folder / "config.json", config)
        runs.write_json(folder / "provenance.json", made)
        files.append_line(folder / METRICS, Epoch(1, 0.7, 0.5, 1.0, 9.0))
        logits = {f"{n}_logits_N": np.zeros(len(s)) for n, s in _splits(toy).items()}
        arrays.save(folder / "predictions.npz", logits)
        fits, about = (Measured(0.5, 0.5, 0.7, 0.7),), msgspec.convert(toy.provenance, Data)
        result = Result("tiny", 0, about, fits, None, (1.0,), 1.0)
        runs.write_json(folder / "result.json", result)
    return run


def _splits(reviews: data.Reviews) -> dict[str, data.Split]:
    return {"train": reviews.train, "test": reviews.test}


def field(name: str, keys: str, value: Any, says: str) -> Bad:
    """A field of a file, ``a.0.b``, set to something else."""

    def damage(place: pathlib.Path) -> None:
        path = place / "run" / name
        held = at = json.loads(path.read_text())
        *way, last = [int(key) if key.isdecimal() else key for key in keys.split(".")]
        for key in way:
            at = at[key]
        at[last] = value
        path.write_text(json.dumps(held))

    return Bad(f"{name}: {keys} is {value}"[:70], damage, says)


def content(name: str, content: bytes | None, says: str) -> Bad:
    """A file of other content, or none."""

    def damage(place: pathlib.Path) -> None:
        path = place / "run" / name
        path.unlink() if content is None else path.write_bytes(content)

    what = "missing" if content is None else repr(content[:20])
    return Bad(f"{name} {what}", damage, says)


def logits(what: str, says: str, **held: Any) -> Bad:
    """Other predictions."""

    def damage(place: pathlib.Path) -> None:
        np.savez(place / "run" / SEED / "predictions.npz", **held)

    return Bad(f"predictions: {what}", damage, says)


def checkpoint(what: str, change: Callable[[pathlib.Path], object], says: str) -> Bad:
    """Its folder changed."""
    return Bad(
        f"checkpoint: {what}", lambda place: change(place / "run" / SEED / "checkpoint"), says
    )


def _flip(folder: pathlib.Path) -> None:
    path = max(folder.rglob("d/*"), key=lambda path: path.stat().st_size)
    held = bytearray(path.read_bytes())
    held[len(held) // 2] ^= 1
    path.write_bytes(held)


def forged(pattern: str, content: bytes | None, says: str) -> Bad:
    """Files of a checkpoint changed, and the list of them too, so that their digests are right."""

    def change(folder: pathlib.Path) -> None:
        for path in [path for path in folder.glob(pattern) if path.is_file()]:
            path.unlink() if content is None else path.write_bytes(content)
        place = folder.with_name("checkpoint.json")
        listing = json.loads(place.read_text()) | {"files": checkpoints._digests(folder)}
        place.write_text(json.dumps(listing))

    what = "gone" if content is None else repr(content[:20])
    return checkpoint(f"forged, {pattern} {what}", change, says)


AGAIN = "Delete that folder; it is trained again when the run goes on."
"""The advice wherever a training is damaged."""
_UNREADABLE = "vocabulary.json cannot be read"

VOCABULARY = (
    field("vocabulary.json", "encoding.num_words", None, _UNREADABLE),
    field("vocabulary.json", "encoding.maxlen", 16.0, _UNREADABLE),
    field("vocabulary.json", "encoding.maxlen", 10**9, "beyond any review"),
    field("vocabulary.json", "encoding.padding", "up", "padding='up'"),
    field("vocabulary.json", "encoding", [], _UNREADABLE),
    field("vocabulary.json", "words", None, _UNREADABLE),
    field("vocabulary.json", "words", "abc", _UNREADABLE),
    field("vocabulary.json", "words", [1, 2], _UNREADABLE),
    content("vocabulary.json", None, _UNREADABLE),
    content("vocabulary.json", b"\xff\xfe", _UNREADABLE),
    content("vocabulary.json", NESTED, _UNREADABLE),
    content("config.json", NESTED, "config.json cannot be read"),
    field("config.json", "format", 1, "an earlier version"),
)
"""Of the run's own files, as every script reads them."""

PROVENANCE = (
    field("provenance.json", "data.train", "abc", "provenance.json cannot be read"),
    field("provenance.json", "data.source", "nonsense", "Source 'nonsense' is unknown"),
    field("provenance.json", "data.source", 3, "provenance.json cannot be read"),
    field("provenance.json", "data.validation", "x", "provenance.json cannot be read"),
    field("provenance.json", "data.validation", 0.95, "is no share"),
    field("provenance.json", "data.num_words", [1], "provenance.json cannot be read"),
    content("provenance.json", b"{}", "provenance.json cannot be read"),
    field("provenance.json", "data.maxlen", 13, "not the reviews of run: maxlen differ"),
    field("provenance.json", "data.vocabulary", "counted", "vocabulary differ"),
    field("vocabulary.json", "words.3", "other", "not the reviews of run: words differ"),
)
"""What is said of the data."""

TRAINING = (
    field(f"{SEED}/config.json", "vocab_size", 10**15, AGAIN),
    field(f"{SEED}/config.json", "seed", 5, AGAIN),
    field(f"{SEED}/config.json", "rows", 7, AGAIN),
    field(f"{SEED}/config.json", "recipe.epochs", 0, AGAIN),
    field(f"{SEED}/config.json", "format", 1, "an earlier version"),
    content(f"{SEED}/config.json", b"[]", AGAIN),
    content(f"{SEED}/config.json", NESTED, AGAIN),
    field(f"{SEED}/result.json", "fits.0.test_accuracy", "high", AGAIN),
    field(f"{SEED}/result.json", "fits.0.test_accuracy", 7.0, AGAIN),
    field(f"{SEED}/result.json", "fits.0.test_loss", -1.0, AGAIN),
    field(f"{SEED}/result.json", "fits", [], AGAIN),
    field(f"{SEED}/result.json", "epoch_seconds", [], AGAIN),
    field(f"{SEED}/result.json", "seed", 5, AGAIN),
    field(f"{SEED}/result.json", "title", None, AGAIN),
    content(f"{SEED}/result.json", b"{", AGAIN),
    content(f"{SEED}/result.json", b"", AGAIN),
)
"""Of a training, as every script reads it."""

CHECKPOINT = (
    checkpoint("a bit", _flip, "not as it was written"),
    checkpoint("a file more", lambda folder: (folder / "x").write_text("x"), "not as it was"),
    checkpoint("a file less", lambda folder: (folder / "_METADATA").unlink(), "not as it was"),
    content(f"{SEED}/checkpoint.json", None, "No such file"),
    content(f"{SEED}/checkpoint.json", b"{}", "missing required field"),
    content(f"{SEED}/checkpoint.json", NESTED, "No readable checkpoint"),
)
"""Of what is restored."""

OTHER_MODEL = (
    field(f"{SEED}/config.json", "recipe.features", [10**8], "No readable checkpoint"),
    field(f"{SEED}/config.json", "recipe.cell", "lstm", "No readable checkpoint"),
    field(f"{SEED}/config.json", "vocab_size", 10, "No readable checkpoint"),
)
"""A checkpoint that is not of the model that is said."""

_UNREAD = "it is trained again when the run goes on."

FORGED = (
    forged("_METADATA", NESTED, _UNREAD),
    forged("_METADATA", b"[]", _UNREAD),
    forged("_METADATA", b'{"tree_metadata": null}', _UNREAD),
    forged("manifest.ocdbt", None, _UNREAD),
    forged("manifest.ocdbt", b"\xff" * 300, _UNREAD),
    forged("**/d/*", b"", _UNREAD),
)
"""A checkpoint that is as its list says, and none that Orbax reads."""

REPEATED = (
    field(f"{SEED}/config.json", "recipe.cell", "evil:X", "If you trust it, add --from-cells evil"),
    field(f"{SEED}/config.json", "recipe.name", "other", AGAIN),
    field(f"{SEED}/config.json", "vocab_size", 59, AGAIN),
    field(f"{SEED}/config.json", "implementation", "fast", AGAIN),
    field(f"{SEED}/provenance.json", "data.title", "others", AGAIN),
)
"""What a run cannot be repeated from, besides what is damaged."""

KEPT = (
    content(f"{SEED}/metrics.jsonl", b"1\n", AGAIN),
    content(f"{SEED}/metrics.jsonl", NESTED, AGAIN),
    content(f"{SEED}/metrics.jsonl", b"", AGAIN),
    content(f"{SEED}/provenance.json", b"{}", AGAIN),
    field(f"{SEED}/provenance.json", "device", "x", AGAIN),
    content(f"{SEED}/predictions.npz", None, AGAIN),
    content(f"{SEED}/predictions.npz", b"PK\3\4", AGAIN),
    logits("3 rows", AGAIN, train_logits_N=np.zeros(3), test_logits_N=np.zeros(3)),
    logits("columns", AGAIN, train_logits_N=np.zeros((1024, 1)), test_logits_N=np.zeros(256)),
    logits("texts", AGAIN, train_logits_N=np.full(1024, "a"), test_logits_N=np.zeros(256)),
    logits("objects", AGAIN, train_logits_N=np.full(1024, None), test_logits_N=np.zeros(256)),
    logits("no numbers", AGAIN, train_logits_N=np.full(1024, np.nan), test_logits_N=np.zeros(256)),
    logits("large", "is too large). Delete", train_logits_N=np.zeros(2**23 + 1)),
    logits("none", AGAIN, x=np.zeros(3)),
)
"""What a run that goes on takes over."""
