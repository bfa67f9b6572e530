"""Recipes beside one another on the same test reviews: tests, groups of reviews, agreement."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from rnnsent import evaluation
from rnnsent.compare import record
from rnnsent.compare.subjects import SOUND, Finished, Subject
from rnnsent.comparison import holm
from rnnsent.data import OOV, START, Split

LENGTHS = (0, 50, 100, 132, 200, 300, 500)
"""Edges of the bins of a review's true length, in ids."""
UNKNOWN = (0, 2, 5, 10, 15, 20)
"""Edges of the bins of unknown words, in percent of those read."""


def pairs(subjects: Sequence[Subject], label_N: np.ndarray) -> tuple[record.Pair, ...]:
    """Each recipe against the first, and the sound ones against each other, corrected together."""
    tested = [_tests(first, second, label_N) for first, second in _paired(subjects)]
    corrected = iter(holm([test.p_value for _, tests in tested for test in tests.values()]))
    return tuple(
        record.Pair(
            **fields,
            tests=tuple(
                record.Test(seed=seed, corrected=next(corrected), **dataclasses.asdict(test))
                for seed, test in tests.items()
            ),
        )
        for fields, tests in tested
    )


def _paired(subjects: Sequence[Subject]) -> list[tuple[Subject, Subject]]:
    pairs = [(subjects[0], other) for other in subjects[1:]]
    named = {subject.name: subject for subject in subjects if subject.recipe.shipped}
    if named.keys() >= set(SOUND):
        sound = tuple(named[name] for name in SOUND)
        if not any(set(map(id, sound)) == set(map(id, pair)) for pair in pairs):
            pairs.append(sound)
    return [(a, b) for a, b in pairs if a.finite().keys() & b.finite().keys()]


def _tests(
    first: Subject, second: Subject, label_N: np.ndarray
) -> tuple[dict[str, Any], dict[int, evaluation.McNemar]]:
    """Names and mean difference of a pair, and by common seed McNemar's test."""
    one, other = first.finite(), second.finite()
    right = {
        seed: [evaluation.correct(of[seed].test_logits_N, label_N) for of in (one, other)]
        for seed in one
        if seed in other
    }
    difference = float(np.mean([b.mean() - a.mean() for a, b in right.values()]))
    fields = {"first": first.name, "second": second.name, "difference": difference}
    return fields, {seed: evaluation.mcnemar(*both) for seed, both in right.items()}


def groups(subjects: Sequence[Subject], test: Split) -> dict[str, tuple[record.Group, ...]]:
    """Accuracy by true length, place of padding and share of unknown words; means over seeds."""
    mask_NT = test.mask_NT
    words_N = np.maximum((mask_NT & (test.ids_NT != START)).sum(1), 1)
    unknown_N = 100 * (test.ids_NT == OOV).sum(1) / words_N
    kinds: dict[str, Callable[[np.ndarray], list[evaluation.Group]]] = {
        "true length": lambda right_N: evaluation.by_bins(test.length_N, right_N, LENGTHS, " ids"),
        "padding": lambda right_N: evaluation.by_padding(mask_NT, right_N),
        "unknown words": lambda right_N: evaluation.by_bins(unknown_N, right_N, UNKNOWN, "%"),
    }
    return {kind: _grouped(of, subjects, test.label_N) for kind, of in kinds.items()}


def _grouped(
    of: Callable[[np.ndarray], list[evaluation.Group]],
    subjects: Sequence[Subject],
    label_N: np.ndarray,
) -> tuple[record.Group, ...]:
    by_name = {
        s.name: [of(evaluation.correct(t.test_logits_N, label_N)) for t in s.finite().values()]
        for s in subjects
    }
    groups = next(iter(by_name.values()))[0]
    return tuple(
        record.Group(
            name=group.name,
            reviews=group.reviews,
            accuracy={
                name: float(np.mean([seed[i].accuracy for seed in seeds]))
                for name, seeds in by_name.items()
            },
        )
        for i, group in enumerate(groups)
    )


def agreements(subjects: Sequence[Subject]) -> Iterator[record.Agreed]:
    """Of recipes with one another, same seed, and of the seeds of each."""
    for i, first in enumerate(subjects):
        mine = first.finite()
        for second in subjects[i + 1 :]:
            theirs = second.finite()
            if pairs := [(mine[seed], theirs[seed]) for seed in mine if seed in theirs]:
                yield _agreed(first.name, second.name, pairs)
        if pairs := list(itertools.combinations(mine.values(), 2)):
            yield _agreed(first.name, first.name, pairs)


def _agreed(first: str, second: str, pairs: Sequence[tuple[Finished, Finished]]) -> record.Agreed:
    found = [evaluation.agreement(a.test_logits_N, b.test_logits_N) for a, b in pairs]
    kappas = [one.kappa for one in found if one.kappa is not None]
    return record.Agreed(
        first=first,
        second=second,
        pairs=len(pairs),
        share=float(np.mean([one.share for one in found])),
        kappa=float(np.mean(kappas)) if kappas else None,
    )
