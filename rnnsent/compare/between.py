"""Recipes tested against one another on the same test reviews."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnsent import evaluation
from rnnsent.compare import record
from rnnsent.compare.subjects import Subject, sound
from rnnsent.comparison import holm
from rnnsent.predictions import SeedTest


def pairs(subjects: Sequence[Subject], label_N: np.ndarray) -> tuple[record.Pair, ...]:
    """Each recipe against the first, and the sound ones against each other, corrected together."""
    tested = [_tests(first, second, label_N) for first, second in _paired(subjects)]
    corrected = iter(holm([test.p_value for _, tests in tested for test in tests.values()]))
    return tuple(
        record.Pair(
            **fields,
            tests=tuple(SeedTest.of(seed, test, next(corrected)) for seed, test in tests.items()),
        )
        for fields, tests in tested
    )


def _paired(subjects: Sequence[Subject]) -> list[tuple[Subject, Subject]]:
    pairs = [(subjects[0], other) for other in subjects[1:]]
    both = sound(subjects)
    if both and subjects[0].name not in [one.name for one in both]:
        pairs.append(both)
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
