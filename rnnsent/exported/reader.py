"""Runs a classifier that rnnsent exported. It needs JAX, and no rnnsent.

    python model.pyz "a fine film" "a dull one"     # or a review on each line of standard input

prints for each review the probability that it is positive. From Python:

    sys.path.append("model.pyz")
    import rnnsent_reader
    model = rnnsent_reader.load("model.pyz")
    model.probability(["a fine film"])              # float32 (N,)
    model.logits(model.encode(["a fine film"]))     # of int32 ids (N, T), any N and T, 0 = padding

This file lies in every exported model as rnnsent_reader.py. A model is a program of XLA with its
weights, and three files of JSON; nothing is unpickled.
"""

import dataclasses
import functools
import json
import os
import string
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax import export

FORMAT = 1
MOST_BYTES = {
    "about.json": 2**16,
    "encoding.json": 2**16,
    "vocabulary.json": 2**26,
    "model.stablehlo": 2**30,
}
"""What is read of a file, in this order, and how large each part may be."""

_FIRST = "about.json"
"""Has the number of the format, whatever that is."""


class Unreadable(ValueError):
    """A file that is damaged, or no model's, or of a JAX that this one does not follow."""


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A trained model with its vocabulary.

    Attributes:
      about: what wrote the file, the model's fields, and what it was trained on.
      encoding: how a text becomes ids.
      words: by rank.
      program: logits (b,) of ids (b, t), for any b and t from 1.
    """

    about: Mapping[str, Any]
    encoding: Mapping[str, Any]
    words: Sequence[str]
    program: export.Exported

    @functools.cached_property
    def _run(self) -> Callable[[np.ndarray], jax.Array]:
        """The program, compiled once for each shape."""
        return jax.jit(self.program.call)

    @functools.cached_property
    def index(self) -> dict[str, int]:
        """The id of every word."""
        return {word: i for i, word in enumerate(self.words, start=self.encoding["first_id"])}

    def tokenise(self, text: str) -> list[str]:
        """The words of a text, in order; only ASCII letters are lower-cased."""
        table = {ord(c): " " for c in self.encoding["separators"]}
        table |= {ord(c): c.lower() for c in string.ascii_uppercase}
        return [word for word in text.translate(table).split(" ") if word]

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Ids (N, maxlen), int32: a start mark, then each known word, cut or filled up."""
        rows = [self._row(text) for text in texts]
        return np.array(rows, np.int32).reshape(len(rows), self.encoding["maxlen"])

    def _row(self, text: str) -> list[int]:
        rules = self.encoding
        ids = [self.index[word] for word in self.tokenise(text) if word in self.index]
        ids = [rules["start"], *(i if i < rules["num_words"] else rules["unknown"] for i in ids)]
        ids = ids[-rules["maxlen"] :] if rules["truncating"] == "pre" else ids[: rules["maxlen"]]
        empty = [rules["pad"]] * (rules["maxlen"] - len(ids))
        return empty + ids if rules["padding"] == "pre" else ids + empty

    def logits(self, ids_NT: np.ndarray) -> np.ndarray:
        """Logits (N,), float32, of rows of ids, whatever their padding.

        Raises:
          ValueError: for what are no ids of the model's vocabulary.
        """
        ids_NT = np.asarray(ids_NT)
        if ids_NT.ndim != 2 or ids_NT.dtype.kind not in "iu":
            raise ValueError(f"ids are {ids_NT.dtype}{list(ids_NT.shape)}, expected int32[N, T]")
        most = self.encoding["vocab_size"]
        if ids_NT.size and not 0 <= ids_NT.min() <= ids_NT.max() < most:
            raise ValueError(f"ids are {ids_NT.min()} to {ids_NT.max()}, expected 0 to {most - 1}")
        if not len(ids_NT):
            return np.zeros(0, np.float32)
        if not ids_NT.shape[1]:  # the program takes one step or more, and one of padding is none
            ids_NT = np.zeros((len(ids_NT), 1))
        return np.asarray(self._run(ids_NT.astype(np.int32)))

    def probability(self, texts: Sequence[str]) -> np.ndarray:
        """Of each text that it is positive, float32 (N,).

        Raises:
          TypeError: for one text in the place of several.
        """
        if isinstance(texts, str):
            raise TypeError("give a list of texts, for one too")
        return 0.5 + 0.5 * np.tanh(self.logits(self.encode(texts)) / 2)

    def line(self, text: str) -> str:
        """The probability, and how much of the text the model knows."""
        words = self.tokenise(text)
        known = sum(word in self.index for word in words)
        return f"{self.probability([text])[0]:.3f}\t{known} of {len(words)} words known"


def members(path: str | os.PathLike) -> dict[str, bytes]:
    """The parts of a file, as they lie in it; ``Unreadable`` where one is missing or damaged."""
    out = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name, most in MOST_BYTES.items():
                member = archive.getinfo(name)
                if member.compress_type != zipfile.ZIP_STORED or member.file_size > most:
                    raise ValueError(f"{name} is packed or above {most:,} bytes")
                out[name] = archive.read(member)
                if name == _FIRST:
                    _check_format(out[name])
    except (FileNotFoundError, Unreadable):
        raise
    # zipfile raises many kinds for what is damaged or encrypted.
    except Exception as error:
        raise Unreadable(f"it is damaged, or no exported model: {_plain(error)}") from error
    return out


def _check_format(about: bytes) -> None:
    """Before all else: in another format the parts and their fields may be others."""
    try:
        held = json.loads(about)["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unreadable(f"its JSON is not a model's: {_plain(error)}") from error
    if held != FORMAT:
        raise Unreadable(
            f"another version of rnnsent wrote it, in format {_plain(held)}; this one reads format "
            f"{FORMAT}"
        )


def of(parts: Mapping[str, bytes]) -> Classifier:
    """The model of a file's parts; ``Unreadable`` where they are not as rnnsent writes them."""
    try:
        about, rules, words = (json.loads(parts[f"{name}.json"]) for name in _JSON)
        written = f"JAX {about['jax']}"
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unreadable(f"its JSON is not a model's: {_plain(error)}") from error
    try:
        program = export.deserialize(bytearray(parts["model.stablehlo"]))
        program.mlir_module()  # only that reads it whole
    except ImportError:
        raise
    except Exception as error:  # of any kind, JAX's and its libraries'
        raise Unreadable(
            f"its program, of {_plain(written)}, cannot be read by JAX {jax.__version__}; a later "
            f"JAX reads what an earlier one wrote: {_plain(error)}"
        ) from error
    return Classifier(about, rules, words["words"], program)


_JSON = ("about", "encoding", "vocabulary")


def load(path: str | os.PathLike) -> Classifier:
    """The model in a file.

    Raises:
      Unreadable: if it is damaged or no model's.
      FileNotFoundError: if there is none.
    """
    return of(members(path))


def _plain(error: object) -> str:
    """One line of ASCII, whatever a file makes an error say."""
    return ascii(str(error))[1:-1][:200]


def main() -> None:
    """Reads texts from the command line, or lines of standard input, and prints a line for each."""
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(__doc__)
        return
    try:
        model = load(os.path.dirname(os.path.abspath(__file__)))
    except Unreadable as error:
        print(f"error: This file cannot be read: {error}.", file=sys.stderr)
        raise SystemExit(2) from None
    texts = sys.argv[1:]
    if texts and texts[0].startswith("--"):
        print(f"error: There is no option {texts[0]!a}; give texts.", file=sys.stderr)
        raise SystemExit(2)
    if not texts:
        sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]  # a text file
    try:
        for text in texts or sys.stdin:
            print(model.line(text), flush=True)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:  # nobody reads any more; Python would flush once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
