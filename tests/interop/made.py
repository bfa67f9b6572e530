"""Classifiers for the files' tests: parameters, files of theirs, and what a model predicts."""

import io
import json
import pathlib
import zipfile
from collections.abc import Callable

import jax
import numpy as np

from rnnsent import interop
from rnnsent.evaluation import probability
from rnnsent.interop import Portable
from rnnsent.model import SentimentClassifier

CELLS = ("simple_rnn", "lstm", "gru")
IDS = np.random.default_rng(1).integers(1, 7, (6, 5)).astype(np.int32)
IDS[np.arange(5) < np.array([0, 3, 1, 0, 4, 2])[:, None]] = 0


def params_of(model: SentimentClassifier, seed: int = 0) -> dict:
    """Large enough that every one of them matters; made without tracing the model."""
    rng, gates = np.random.default_rng(seed), interop.LAYOUTS[model.cell].gates
    shapes = {"embedding": {"embedding": (model.vocab_size, model.embedding_size)}}
    below = model.embedding_size
    for i, width in enumerate(model.features):
        shapes[f"layer_{i}"] = {
            "kernel": (below, gates * width),
            "recurrent_kernel": (width, gates * width),
            "bias": (gates * width,),
        } | ({"new_bias": (width,)} if model.cell == "gru" else {})
        below = width
    shapes |= {
        "hidden": {"kernel": (below, model.head), "bias": (model.head,)},
        "logit": {"kernel": (model.head, 1), "bias": (1,)},
    }
    return {
        name: {leaf: np.float32(rng.normal(size=shape)) for leaf, shape in part.items()}
        for name, part in shapes.items()
    }


def portable(cell: str = "lstm", features: tuple[int, ...] = (5, 4), **fields) -> Portable:
    model = SentimentClassifier(
        cell=cell, features=features, head=3, vocab_size=7, embedding_size=3, **fields
    )
    return Portable(model, params_of(model))


def probabilities(held: Portable, ids_BT: np.ndarray = IDS) -> np.ndarray:
    apply = jax.jit(lambda params, ids, mask: held.model.apply({"params": params}, ids, mask))
    return probability(np.asarray(apply(held.params, ids_BT, held.mask(ids_BT))))


def same(got: dict, want: dict) -> None:
    """Bit for bit."""
    assert jax.tree.structure(got) == jax.tree.structure(want)
    jax.tree.map(np.testing.assert_array_equal, got, want)


def edited(path: pathlib.Path, change: Callable[[dict], None], **members: bytes) -> pathlib.Path:
    """A ``.keras`` file with its configuration changed, and whole members, by the first word of
    their names."""
    interop.save(path, portable())
    with zipfile.ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(held["config.json"])
    change(config)
    held["config.json"] = json.dumps(config).encode()
    for name in held:
        held[name] = members.get(name.partition(".")[0], held[name])
    write_zip(path, held)
    return path


def write_zip(path: pathlib.Path, members: dict[str, bytes], **options) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", **options) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    path.write_bytes(content.getvalue())
