"""Words by rank: published with Keras, or counted from training reviews.

Tokenising follows Keras 2's ``Tokenizer`` as it was used for the published IMDB word index: a fixed
set of characters separates words, the apostrophe stays inside them, and only ASCII letters are
lower-cased (with that rule every word of the training reviews is in the index, and the reverse;
with Unicode lower-casing 19 are not).
"""

import collections
import dataclasses
import functools
import hashlib
import json
import pathlib
import string
from collections.abc import Iterable, Sequence

from rnnsent.errors import UserError

PAD, START, OOV = 0, 1, 2
INDEX_FROM = 3  # the word of rank r has id r + 3; ranks begin at 1
WORD_INDEX_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb_word_index.json"
WORD_INDEX_BYTES = 1_641_221
WORD_INDEX_MD5 = "bfafd718b763782e994055a2d397834f"
PUBLISHED = "published word index"

SEPARATORS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
_TABLE = {ord(c): " " for c in SEPARATORS} | {ord(c): c.lower() for c in string.ascii_uppercase}


def tokenise(text: str) -> list[str]:
    """The words of ``text``, in order, in lower case, without separators."""
    return [word for word in text.translate(_TABLE).split(" ") if word]


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Words by rank; ids as in Keras: 0 padding, 1 start, 2 unknown, a word's rank + 3.

    ``words[r - 1]`` has rank r. ``origin`` says where the ranks come from.
    """

    words: tuple[str, ...]
    origin: str

    @functools.cached_property
    def index(self) -> dict[str, int]:
        """The id of every word."""
        return {word: rank + INDEX_FROM for rank, word in enumerate(self.words, start=1)}

    def ids(self, words: Iterable[str]) -> list[int]:
        """Start mark, then the id of each known word; unknown words are dropped."""
        return [START, *filter(None, map(self.index.get, words))]

    def unknown(self, words: Iterable[str]) -> list[str]:
        """Those that have no id and are dropped, in order."""
        return [word for word in words if word not in self.index]

    def encode(self, text: str, num_words: int | None = None) -> list[int]:
        """Ids of ``text``; ids at or above ``num_words`` become ``OOV``."""
        ids = self.ids(tokenise(text))
        return ids if num_words is None else [i if i < num_words else OOV for i in ids]

    def decode(self, ids: Iterable[int]) -> str:
        """Words of ``ids``; padding and start marks are skipped, unknown words read ``!``."""
        return " ".join(self._word(int(i)) for i in ids if i not in (PAD, START))

    def _word(self, id_: int) -> str:
        rank = id_ - INDEX_FROM
        return self.words[rank - 1] if 1 <= rank <= len(self.words) else "!"


def count(reviews: Iterable[Sequence[str]], origin: str) -> Vocabulary:
    """The words of tokenised ``reviews`` by descending count, ties in alphabetical order."""
    counts: collections.Counter[str] = collections.Counter()
    for words in reviews:
        counts.update(words)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Vocabulary(tuple(word for word, _ in ranked), origin)


def read_word_index(path: str | pathlib.Path, md5: str = WORD_INDEX_MD5) -> Vocabulary:
    """The vocabulary in a published word index, a JSON object from word to rank.

    Raises ``UserError`` if the file is missing or is not, byte for byte, the one with that MD5.
    """
    path = pathlib.Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(WORD_INDEX_BYTES + 1)  # of a larger one no more than tells it apart
    except OSError as error:
        raise UserError(
            f"Cannot read the word index {path}: {error.strerror}. Expected Keras's published "
            f"imdb_word_index.json; download it from {WORD_INDEX_URL} or leave the option out."
        ) from error
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        raise UserError(
            f"The word index {path} is not the published one: MD5 {found}, expected {md5}. "
            f"Download it again from {WORD_INDEX_URL} or leave the option out."
        )
    ranks = json.loads(content)
    return Vocabulary(tuple(sorted(ranks, key=ranks.__getitem__)), PUBLISHED)
