"""What models say of all test reviews, side by side: accuracy by kind of review, agreement."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Self

import msgspec
import numpy as np

from rnnsent import evaluation
from rnnsent.data import OOV, START, Split

LENGTHS = (0, 50, 100, 132, 200, 300, 500)
"""Edges of the bins of a review's true length, in ids."""
UNKNOWN = (0, 2, 5, 10, 15, 20)
"""Edges of the bins of unknown words, in percent of those read."""

Logits = Mapping[str, Mapping[int, np.ndarray]]
"""By model and by seed, at least one of each: float (N,), of the test reviews."""


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Some of the test reviews: how many, and each model's mean accuracy on them, by name."""

    name: str
    reviews: int
    accuracy: dict[str, float]


class Agreed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often two sets of predictions say the same.

    Attributes:
      first: name of a model.
      second: of the other, seed by seed; the same where it is two seeds of one.
      pairs: of trainings.
      share: of the test reviews with the same prediction, mean.
      kappa: Cohen's, mean; None where every pair says one thing of all.
    """

    first: str
    second: str
    pairs: int
    share: float
    kappa: float | None


class SeedTest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """McNemar's exact test of two trainings of one seed on the same reviews.

    Attributes:
      seed: of both.
      only_first: reviews that only the first gets right.
      only_second: that only the second does.
      p_value: two-sided.
      corrected: the same, corrected for all tests of the record (Holm).
    """

    seed: int
    only_first: int
    only_second: int
    p_value: float
    corrected: float

    @classmethod
    def of(cls, seed: int, test: evaluation.McNemar, corrected: float) -> Self:
        """A seed's test, and its p-value corrected."""
        return cls(seed=seed, corrected=corrected, **dataclasses.asdict(test))


def groups(logits: Logits, test: Split) -> dict[str, tuple[Group, ...]]:
    """Accuracy by true length, place of padding and share of unknown words; means over seeds."""
    mask_NT = test.mask_NT
    words_N = np.maximum((mask_NT & (test.ids_NT != START)).sum(1), 1)
    unknown_N = 100 * (test.ids_NT == OOV).sum(1) / words_N
    kinds: dict[str, Callable[[np.ndarray], list[evaluation.Group]]] = {
        "true length": lambda right_N: evaluation.by_bins(test.length_N, right_N, LENGTHS, " ids"),
        "padding": lambda right_N: evaluation.by_padding(mask_NT, right_N),
        "unknown words": lambda right_N: evaluation.by_bins(unknown_N, right_N, UNKNOWN, "%"),
    }
    right = {
        name: [evaluation.correct(logits_N, test.label_N) for logits_N in seeds.values()]
        for name, seeds in logits.items()
    }
    return {kind: _grouped(of, right) for kind, of in kinds.items()}


def _grouped(
    of: Callable[[np.ndarray], list[evaluation.Group]], right: Mapping[str, Sequence[np.ndarray]]
) -> tuple[Group, ...]:
    by_name = {name: [of(right_N) for right_N in seeds] for name, seeds in right.items()}
    groups = next(iter(by_name.values()))[0]
    return tuple(
        Group(
            name=group.name,
            reviews=group.reviews,
            accuracy={
                name: float(np.mean([seed[i].accuracy for seed in seeds]))
                for name, seeds in by_name.items()
            },
        )
        for i, group in enumerate(groups)
    )


def agreements(logits: Logits) -> Iterator[Agreed]:
    """Of models with one another, same seed, and of the seeds of each."""
    named = list(logits.items())
    for i, (first, mine) in enumerate(named):
        for second, theirs in named[i + 1 :]:
            if pairs := [(mine[seed], theirs[seed]) for seed in mine if seed in theirs]:
                yield _agreed(first, second, pairs)
        if pairs := list(itertools.combinations(mine.values(), 2)):
            yield _agreed(first, first, pairs)


def _agreed(first: str, second: str, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Agreed:
    found = [evaluation.agreement(*pair) for pair in pairs]
    kappas = [one.kappa for one in found if one.kappa is not None]
    return Agreed(
        first=first,
        second=second,
        pairs=len(pairs),
        share=float(np.mean([one.share for one in found])),
        kappa=float(np.mean(kappas)) if kappas else None,
    )
