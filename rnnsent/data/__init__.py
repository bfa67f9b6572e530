"""Reviews as padded ids: IMDB through a TFDS builder of our own, a wheel's part of it, or toys.

``load`` is the door; everything else serves it. Ids are exactly Keras's.
"""

from rnnsent.data.encoding import encode_text, pad
from rnnsent.data.reviews import Reviews, Split
from rnnsent.data.sources import SOURCES, load
from rnnsent.data.vocabulary import OOV, PAD, START, Vocabulary, tokenise

__all__ = [
    "OOV",
    "PAD",
    "SOURCES",
    "START",
    "Reviews",
    "Split",
    "Vocabulary",
    "encode_text",
    "load",
    "pad",
    "tokenise",
]
