"""What a comparison measured, as data: all that its pages need, so that they can be drawn anew."""

import os
import pathlib
from typing import Annotated

import msgspec

from rnnsent.compare.entrants import Entrant, Part
from rnnsent.errors import UserError
from rnnsent.predictions import Agreed, Group
from rnnsent.readings import Review

NAME = "record.json"
"""The record's file in a run folder."""


class Source(Part, frozen=True, kw_only=True):
    """The reviews.

    Attributes:
      source: name of it, as ``data.load`` takes it.
      title: what is trained and measured on.
      test_title: what an accuracy on the test reviews is called.
      comparable: whether those are the notebook's, all of them.
      train: training reviews.
      test: test reviews.
      vocabulary: where it comes from.
      num_words: size of the vocabulary.
      maxlen: steps of a row.
      padding: the side padding stands on.
      truncating: the side that long reviews lose words from.
      reason: why it is not another source, where that was tried first.
    """

    source: str
    title: str
    test_title: str
    comparable: bool
    train: int
    test: int
    vocabulary: str
    num_words: int
    maxlen: int
    padding: str
    truncating: str
    reason: str = ""


class Origin(Part, frozen=True, kw_only=True):
    """What measured it.

    Attributes:
      device: name of the machine's processor or accelerator.
      platform: JAX's name of its kind.
      devices: JAX devices.
      versions: of packages; None of those that are not there.
      git: revision of the source, if known.
      command: that was given.
      started: date and time of that, ISO 8601.
      parts: where and when trainings come from, if not all from here.
    """

    device: str
    platform: str
    devices: int
    versions: dict[str, str | None]
    git: str | None
    command: str
    started: str
    parts: tuple[str, ...] = ()


class Test(Part, frozen=True, kw_only=True):
    """McNemar's exact test of two trainings of one seed on the test reviews.

    Attributes:
      seed: of both.
      only_first: reviews that only the first gets right.
      only_second: that only the second does.
      p_value: two-sided.
      corrected: the same, corrected for all tests of the record (Holm).
    """

    __test__ = False  # pytest takes classes of this name for its own

    seed: int
    only_first: int
    only_second: int
    p_value: float
    corrected: float


class Pair(Part, frozen=True, kw_only=True):
    """Two recipes on the same reviews.

    Attributes:
      first: name of a recipe.
      second: of the other.
      difference: mean accuracy of the second less the first's, over the seeds that both finished.
      tests: one per such seed.
    """

    first: str
    second: str
    difference: float
    tests: tuple[Test, ...]

    def significant(self, level: float = 0.05) -> int:
        """Tests whose corrected p-value is below a level."""
        return sum(test.corrected < level for test in self.tests)


class Sample(Part, frozen=True, kw_only=True):
    """The reviews looked at one by one.

    Attributes:
      shown: name and seed of the recipes whose readings they are, at most two.
      reviews: in the notebook's order.
    """

    shown: Annotated[tuple[tuple[str, int], ...], msgspec.Meta(min_length=1, max_length=2)]
    reviews: tuple[Review, ...]

    def __post_init__(self) -> None:
        for review in self.reviews:
            if len(review.readings) != len(self.shown):
                raise ValueError(f"review {review.number} needs a reading of each model shown")
            parts = [p for r in review.readings for p in (r.contribution, r.left_out, r.trajectory)]
            if any(len(part) != len(review.words) for part in parts):
                raise ValueError(f"a reading of review {review.number} needs a figure per word")
            if {review.truth, *review.printed.values()} - {0, 1, None}:
                raise ValueError(f"a label of review {review.number} is neither 0 nor 1")


class Record(Part, frozen=True, kw_only=True):
    """A comparison.

    Attributes:
      data: the reviews.
      origin: machine, versions and time.
      entrants: the recipes, in the order asked for.
      pairs: each with the first; the two sound ones with each other where both are there.
      groups: of the test reviews, by what they are grouped by.
      agreements: of recipes with one another, of seeds with one another.
      sample: single reviews.
      bag_of_words: test accuracy of a logistic regression on the same words without their order.
    """

    data: Source
    origin: Origin
    entrants: tuple[Entrant, ...]
    pairs: tuple[Pair, ...]
    groups: dict[str, tuple[Group, ...]]
    agreements: tuple[Agreed, ...]
    sample: Sample
    bag_of_words: float | None = None

    def __post_init__(self) -> None:
        names = [entrant.name for entrant in self.entrants]
        titles = {entrant.title for entrant in self.entrants}
        if len(set(names)) != len(names) or len(titles) != len(names) or not self.finished:
            raise ValueError("recipes need names and titles of their own and a finished training")
        known = set(names)
        used = [name for pair in self.pairs for name in (pair.first, pair.second)]
        used += [name for a in self.agreements for name in (a.first, a.second)]
        used += [name for name, _ in self.sample.shown]
        used += [n for groups in self.groups.values() for group in groups for n in group.accuracy]
        if unknown := sorted({name for name in used if name not in known}):
            raise ValueError(f"nothing is known of {', '.join(unknown)}")

    @property
    def finished(self) -> list[Entrant]:
        """The recipes of which at least one training did not diverge."""
        return [entrant for entrant in self.entrants if entrant.summary is not None]

    def entrant(self, name: str) -> Entrant:
        """The recipe of a name."""
        return next(entrant for entrant in self.entrants if entrant.name == name)

    def shipped(self, name: str) -> Entrant | None:
        """A recipe that is the shipped one of that name and has finished; None without it."""
        found = [e for e in self.finished if e.name == name and e.shipped]
        return found[0] if found else None

    def pair(self, first: str, second: str) -> Pair | None:
        """Two recipes in this order, if they were paired in it."""
        found = [pair for pair in self.pairs if (pair.first, pair.second) == (first, second)]
        return found[0] if found else None


def write(record: Record, folder: pathlib.Path) -> pathlib.Path:
    """Writes a record into a run folder, whole or not at all; returns the file."""
    path = folder / NAME
    partial = path.with_suffix(".partial")
    partial.write_bytes(msgspec.json.encode(record) + b"\n")
    os.replace(partial, path)
    return path


def read(folder: pathlib.Path) -> Record:
    """The record of a run folder.

    Raises:
      UserError: if there is none, or it is damaged or of another version.
    """
    path = folder / NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}). Give the folder of a finished comparison."
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} is no record of this version ({' '.join(str(error).split())}). Run the "
            "comparison again with --run to write it anew."
        ) from error
