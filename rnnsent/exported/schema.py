"""What an exported classifier says of itself, beside its program."""

from typing import Annotated, Any, Literal

import jax
import msgspec
from msgspec import Meta

import rnnsent
from rnnsent.data import OOV, START, Encoding
from rnnsent.data.encoding import LONGEST, MOST_WORDS
from rnnsent.data.vocabulary import INDEX_FROM, SEPARATORS
from rnnsent.exported import reader
from rnnsent.model import SentimentClassifier

Id = Annotated[int, Meta(ge=0, lt=2**31)]


class About(msgspec.Struct, frozen=True, kw_only=True):
    """``about.json``.

    Attributes:
      format: of the file.
      rnnsent: the version that wrote it.
      jax: likewise; that one and later ones read it.
      model: the classifier's fields.
      trained_on: a line on the reviews.
    """

    format: int
    rnnsent: str
    jax: str
    model: dict[str, Any]
    trained_on: str

    @classmethod
    def of(cls, model: SentimentClassifier, trained_on: str) -> "About":
        """What is written of a model now."""
        names = set(model.__dataclass_fields__) - {"parent", "name", "implementation"}
        return cls(
            format=reader.FORMAT,
            rnnsent=rnnsent.__version__,
            jax=jax.__version__,
            model={name: getattr(model, name) for name in sorted(names)},
            trained_on=trained_on,
        )


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``encoding.json``: how a text becomes ids.

    Attributes:
      separators: characters between words; ASCII letters are lower-cased, and no others.
      pad: the id that is no step.
      start: the id before the first word.
      unknown: the id of a word whose own is ``num_words`` or above. A word without one is dropped.
      first_id: of the most frequent word.
      num_words: see ``unknown``.
      maxlen: ids of a row.
      padding: the side that is filled up, "pre" (left) or "post" (right).
      truncating: the side that is cut.
      vocab_size: ids that the model has.
    """

    separators: str = SEPARATORS
    pad: Literal[0] = 0
    start: Id = START
    unknown: Id = OOV
    first_id: Id = INDEX_FROM + 1
    num_words: Annotated[int, Meta(ge=1, le=MOST_WORDS)]
    maxlen: Annotated[int, Meta(ge=1, le=LONGEST)]
    padding: Literal["pre", "post"]
    truncating: Literal["pre", "post"]
    vocab_size: Annotated[int, Meta(ge=1, lt=2**31)]

    @classmethod
    def of(cls, model: SentimentClassifier, encoding: Encoding) -> "Rules":
        """Those of an encoding, for a model."""
        return cls(
            num_words=encoding.num_words,
            maxlen=encoding.maxlen,
            padding=encoding.padding,  # type: ignore[arg-type]  # one of the two
            truncating=encoding.truncating,  # type: ignore[arg-type]
            vocab_size=model.vocab_size,
        )


class Words(msgspec.Struct, frozen=True):
    """``vocabulary.json``."""

    origin: str
    words: tuple[str, ...]
