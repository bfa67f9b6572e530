"""One way to write and to read an exported classifier.

The file is a zip that Python runs: ``python model.pyz "a fine film"``. Beside the model it holds
the source of :mod:`rnnsent.exported.reader`, and of flatbuffers, which JAX needs to read a program.
"""

import importlib.resources
import io
import pathlib
import zipfile
from typing import Any

import msgspec

from rnnsent.data import Encoding, Vocabulary
from rnnsent.errors import UserError
from rnnsent.exported import program, reader
from rnnsent.exported.schema import About, Rules, Words
from rnnsent.interop import check_place, write
from rnnsent.interop.hdf5 import INSTALL
from rnnsent.model import SentimentClassifier

_MAIN = """\
import sys

try:
    import rnnsent_reader
except ModuleNotFoundError as error:
    sys.exit(f"error: {error}. This needs JAX: python -m pip install jax")
rnnsent_reader.main()
"""

_README = """\
A classifier of reviews, trained and exported with rnnsent. With any Python that has JAX:

    python THIS_FILE "a fine film"
    python THIS_FILE --help

about.json       what wrote it, the model's fields, what it was trained on
encoding.json    how a text becomes ids
vocabulary.json  the words by rank
model.stablehlo  logits (b,) of ids (b, t) with the weights, as jax.export.deserialize reads it
flatbuffers/     of Google, Apache License 2.0, https://github.com/google/flatbuffers
"""


def save(
    path: str | pathlib.Path,
    model: SentimentClassifier,
    params: Any,
    vocabulary: Vocabulary,
    encoding: Encoding,
    *,
    trained_on: str = "",
    force: bool = False,
) -> None:
    """Writes a trained classifier to a file that runs without rnnsent, or nothing of it.

    Args:
      path: of the file; ``.pyz`` is what Python calls such.
      model: any that predicts from ids alone.
      params: its parameters.
      vocabulary: of the words that it was trained on.
      encoding: how its reviews became ids.
      trained_on: a line on them.
      force: write over a file that exists.

    Raises:
      UserError: if it cannot be written there, or the model cannot be exported.
    """
    path = pathlib.Path(path)
    check_place(path, force)
    bundled = _flatbuffers()
    if model.vocab_size < encoding.num_words:
        raise UserError(
            f"The model has {model.vocab_size} ids, and the encoding makes {encoding.num_words}."
        )
    words = Words(vocabulary.origin, vocabulary.words)
    content = {
        "__main__.py": _MAIN.encode(),
        "README.txt": _README.encode(),
        "rnnsent_reader.py": pathlib.Path(reader.__file__).read_bytes(),
        "about.json": _json(About.of(model, trained_on)),
        "encoding.json": _json(Rules.of(model, encoding)),
        "vocabulary.json": _json(words),
        "model.stablehlo": bytes(program.of(model, params).serialize()),
    }
    write(path, _zipped(content | bundled), force)


def load(path: str | pathlib.Path) -> reader.Classifier:
    """The classifier in a file that :func:`save` wrote; no code of the file is run as Python.

    Raises:
      UserError: if it is missing, damaged, hostile, or of a JAX that this one does not follow.
    """
    try:
        parts = reader.members(path)
        for name, kind in (("about", About), ("encoding", Rules), ("vocabulary", Words)):
            msgspec.json.decode(parts[f"{name}.json"], type=kind)
        found = reader.of(parts)
        program.check(found.program)
        return found
    except FileNotFoundError as error:
        raise UserError(f"There is no file {path}.") from error
    except ImportError as error:
        raise UserError(f"This needs flatbuffers ({error}). Install it: {INSTALL}") from error
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, reader.Unreadable) else ascii(str(error))[1:-1]
        raise UserError(f"{path} cannot be read: {reason[:500]}.") from error


def _json(content: msgspec.Struct) -> bytes:
    return msgspec.json.encode(content, enc_hook=str)


def _flatbuffers() -> dict[str, bytes]:
    """The sources of a library that JAX needs here, and does not bring."""
    try:
        folder = importlib.resources.files("flatbuffers")
    except ImportError as error:
        raise UserError(f"This needs flatbuffers ({error}). Install it: {INSTALL}") from error
    sources = sorted((one for one in folder.iterdir() if one.name.endswith(".py")), key=str)
    return {f"flatbuffers/{one.name}": one.read_bytes() for one in sources}


def _zipped(content: dict[str, bytes]) -> bytes:
    """A zip of the files as they are; the same ones give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, member in content.items():
            archive.writestr(zipfile.ZipInfo(name), member)
    return out.getvalue()
