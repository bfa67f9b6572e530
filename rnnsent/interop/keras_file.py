"""Keras 3's files: ``.keras``, a zip of configuration and weights, and ``.weights.h5``.

Read and written with h5py alone; Keras is not needed. Nothing is unpacked to disk.
"""

import contextlib
import io
import pathlib
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import msgspec

from rnnsent.errors import UserError
from rnnsent.interop import hdf5, keras_config
from rnnsent.interop.keras_schema import IGNORED, SUPPORTED, Architecture, class_names, folders
from rnnsent.interop.layouts import DENSE, LAYOUTS, RECURRENT, Tree, is_recurrent
from rnnsent.interop.libraries import from_keras, to_keras
from rnnsent.interop.portable import Portable

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MEMBER_BYTES = {CONFIG: 2**20, METADATA: 2**16, WEIGHTS: 2**32}
"""What a ``.keras`` file holds, and how large each may be."""

MAX_EXPANSION = 100
"""How many times larger a member may be than what is stored of it; Keras does not compress."""

VERSION = "3.12.0"
"""Of Keras, whose files these are."""

ASSUMED = (
    "Weights do not say what the layers are set to: taken are tanh, sigmoid gates, a relu before "
    "the last layer, and mask_zero=True."
)


def load(path: pathlib.Path) -> Portable:
    """The classifier in a ``.keras`` file.

    Raises:
      UserError: if it is missing, damaged, hostile, or of another architecture.
    """
    with _archive(path) as archive:
        config = _member(archive, CONFIG, path)
        content = io.BytesIO(_member(archive, WEIGHTS, path))
    said = keras_config.read(config, str(path))
    held, params = _read(content, str(path), said.folders)
    _check_same(held, said, path)
    return Portable(said.classifier(), params, said.mask_zero, said.notes)


def load_weights(path: pathlib.Path) -> Portable:
    """The classifier whose weights are in a ``.weights.h5`` file, told by its layers and shapes.

    Raises:
      UserError: if it is missing, damaged, hostile, or of another architecture.
    """
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    held, params = _read(path, str(path))
    return Portable(held.classifier(), params, notes=(ASSUMED,))


@contextlib.contextmanager
def _archive(path: pathlib.Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except FileNotFoundError as error:
        raise UserError(f"There is no file {path}.") from error
    # A damaged or encrypted member, or one packed in a way that Python does not know.
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{path} is damaged or no .keras file ({ascii(str(error))[1:-1][:200]}). Save it anew."
        ) from error


def _member(archive: zipfile.ZipFile, name: str, path: pathlib.Path) -> bytes:
    members = archive.infolist()
    names = [member.filename for member in members]
    unknown = [one for one in names if one not in MEMBER_BYTES]
    if unknown or len(set(names)) < len(names) or name not in names:
        odd = ascii(unknown[0])[:60] if unknown else f"{name} missing or twice"
        raise UserError(
            f"{path} is not as Keras saves a model of these layers ({odd}). Expected {CONFIG}, "
            f"{METADATA} and {WEIGHTS}."
        )
    member = members[names.index(name)]
    limit = min(MEMBER_BYTES[name], MAX_EXPANSION * member.compress_size)
    if member.file_size > limit:
        raise UserError(
            f"{path}: {name} has {member.file_size:,} bytes unpacked, of {member.compress_size:,} "
            f"stored; {limit:,} are allowed. Save it anew, without compression."
        )
    with archive.open(member) as file:
        return file.read(limit + 1)


def _read(
    source: pathlib.Path | BinaryIO, where: str, own: Sequence[str] | None = None
) -> tuple[Architecture, Tree]:
    """What weights say of their model, and its parameters; ``own`` are its layers' folders."""
    with hdf5.opened(source, where) as weights:
        found = list(own or _folders(weights))
        arrays = []
        for place, count in _places(found):
            arrays += weights.arrays(place, count)
    try:
        params = from_keras(arrays)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    return _described(found, params), params


def _places(found: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Where each layer's variables lie, and how many they are."""
    for folder in found:
        kind = _kind(folder)
        if kind in LAYOUTS:
            yield f"layers/{folder}/cell", len(RECURRENT)
        else:
            yield f"layers/{folder}", 1 if kind == "embedding" else len(DENSE)


def _kind(folder: str) -> str:
    """A folder's name without its number."""
    return re.sub(r"_\d+$", "", folder)


def _described(found: Sequence[str], params: Tree) -> Architecture:
    """What weights say of their model."""
    vocab_size, embedding_size = params["embedding"]["embedding"].shape
    layers = [part for name, part in params.items() if is_recurrent(name)]
    return Architecture(
        cell=_kind(found[1]),
        features=tuple(len(layer["recurrent_kernel"]) for layer in layers),
        head=len(params["hidden"]["bias"]),
        vocab_size=vocab_size,
        embedding_size=embedding_size,
        mask_zero=True,
        folders=tuple(found),
        notes=(),
    )


def _check_same(held: Architecture, said: Architecture, path: pathlib.Path) -> None:
    for field in ("cell", "features", "head", "vocab_size", "embedding_size"):
        if getattr(held, field) != getattr(said, field):
            raise UserError(
                f"{path}: {field} is {getattr(said, field)} by its {CONFIG} and "
                f"{getattr(held, field)} by its weights. Save it anew."
            )


def _folders(weights: hdf5.Weights) -> list[str]:
    """The folders of the layers that hold weights, in the order of the forward pass.

    Keras numbers the layers of a class in their order, so that a model of one kind of recurrent
    layer is told by the names alone.
    """
    names = [name for name in weights.names("layers") if _kind(name) not in IGNORED.values()]
    kind = next((kind for kind in LAYOUTS if kind in names), "lstm")
    layers = sum(re.fullmatch(rf"{kind}(_\d+)?", name) is not None for name in names)
    wanted = list(folders(["Embedding", *[LAYOUTS[kind].keras] * layers, "Dense", "Dense"]))
    if set(names) != set(wanted) or not layers:
        shown = ascii(", ".join(sorted(names))[:200])[1:-1] or "none"
        raise UserError(f"{weights.where} has the layers {shown}. {SUPPORTED}")
    return wanted


def encode_weights(portable: Portable) -> bytes:
    """A ``.weights.h5`` file, for ``keras.Model.load_weights`` of the same model.

    Raises:
      UserError: for a cell that Keras does not have, or for layers with more than that.
    """
    _check_known(portable)
    arrays = iter(to_keras(portable.params))
    places = _places(list(folders(class_names(portable.model))))
    return hdf5.encoded({place: [next(arrays) for _ in range(n)] for place, n in places})


def encode(portable: Portable) -> bytes:
    """A ``.keras`` file, for ``keras.models.load_model``; its last layer gives probabilities.

    The same model makes the same file.

    Raises:
      UserError: for a cell that Keras does not have, or for layers with more than that.
    """
    _check_known(portable)
    members = {
        METADATA: msgspec.json.encode({"keras_version": VERSION}),
        CONFIG: keras_config.write(portable.model, portable.mask_zero),
        WEIGHTS: encode_weights(portable),
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, member in members.items():
            archive.writestr(zipfile.ZipInfo(name), member)
    return content.getvalue()


def _check_known(portable: Portable) -> None:
    cell = portable.model.cell
    if cell not in LAYOUTS:
        raise UserError(
            f"Keras has no cell {cell}; it has {', '.join(LAYOUTS)}. Convert to .safetensors."
        )
    if options := portable.model.options():
        shown = ", ".join(f"{name}={value}" for name, value in options.items())
        raise UserError(
            f"A file of Keras's holds plain recurrent layers here, and the model has {shown}. "
            "Convert to .safetensors."
        )
