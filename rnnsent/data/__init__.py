"""Reviews as padded ids: IMDB through a TFDS builder of our own, a wheel's part of it, or toys.

``load`` is the door; everything else serves it. Ids are exactly Keras's.
"""

from rnnsent.data.encoding import Encoding, encode_text, pad
from rnnsent.data.reviews import Reviews, Split, comparable
from rnnsent.data.rows import lengths, pack_rows
from rnnsent.data.sources import SOURCES, load
from rnnsent.data.vocabulary import OOV, PAD, START, Vocabulary, tokenise

__all__ = [
    "OOV",
    "PAD",
    "SOURCES",
    "START",
    "Encoding",
    "Reviews",
    "Split",
    "Vocabulary",
    "comparable",
    "encode_text",
    "lengths",
    "load",
    "pack_rows",
    "pad",
    "tokenise",
]
