"""From finished trainings to a sweep's record."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from rnnsent import comparison, evaluation, recipes, runs
from rnnsent.recipes import Recipe
from rnnsent.runs.records import Provenance
from rnnsent.sweep import record
from rnnsent.sweep.plan import Plan


def measure(
    plan: Plan, run: pathlib.Path, label_N: np.ndarray, provenance: Mapping[str, Any]
) -> record.Record:
    """The record of a sweep whose trainings are all in a run folder.

    Args:
      plan: what was trained.
      run: the folder.
      label_N: of the validation reviews.
      provenance: of the command.
    """
    rights = [_rights(run, member, plan.seeds, label_N) for member in plan.members]
    members = judged([_member(run, member, plan) for member in plan.members], rights)
    places = [runs.seed_folder(run, m.folder, seed) for m in plan.members for seed in plan.seeds]
    origin = Provenance.of(provenance, runs.origins(places))
    return record.Record(origin=origin, varied=plan.varied, members=members)


Rights = Mapping[int, np.ndarray]
"""By seed that did not diverge, which validation reviews are classified right, bool (N,)."""


def judged(members: Sequence[record.Member], rights: Sequence[Rights]) -> tuple[record.Member, ...]:
    """The members, the base first, with their ranks and each set against the base."""
    return tuple(
        msgspec.structs.replace(member, rank=rank, against=against)
        for member, rank, against in zip(members, _ranks(members), _against(rights), strict=True)
    )


def _rights(run: pathlib.Path, member: Recipe, seeds: Sequence[int], label_N: np.ndarray) -> Rights:
    loaded = [runs.load(runs.seed_folder(run, member.folder, seed)) for seed in seeds]
    return {
        one.seed: evaluation.correct(one.test_logits_N, label_N)
        for one in loaded
        if one.diverged is None
    }


def _member(run: pathlib.Path, recipe: Recipe, plan: Plan) -> record.Member:
    """A member by itself."""
    found = [runs.read(runs.seed_folder(run, recipe.folder, seed)) for seed in plan.seeds]
    trainings = [_training(one) for one in found]
    figures = [one.figures for one in trainings if one.figures is not None]
    fields, old = recipe.fields(), plan.members[0].fields()
    accuracies = [one.validation_accuracy for one in figures]
    return record.Member(
        name=recipe.name,
        digest=recipes.digest(recipe),
        fields=_plain(fields),
        changes=_plain({n: v for n, v in fields.items() if v != old[n]}),
        trainings=tuple(trainings),
        accuracy=evaluation.spread(accuracies) if figures else None,
        loss=evaluation.spread([one.validation_loss for one in figures]) if figures else None,
    )


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """As a record has them that was read from its file: lists, no tuples."""
    return msgspec.json.decode(msgspec.json.encode(fields))


def _training(one: runs.Training) -> record.Training:
    figures = None
    if one.diverged is None:
        final = one.result.final
        figures = record.Figures(
            train_accuracy=final.train_accuracy,
            train_loss=final.train_loss,
            validation_accuracy=final.test_accuracy,
            validation_loss=final.test_loss,
        )
    return record.Training(
        seed=one.seed,
        epochs=one.diverged or one.result.epochs,
        seconds=one.result.training_seconds,
        figures=figures,
        diverged=one.diverged,
        divergence=one.divergence,
    )


def _ranks(members: Sequence[record.Member]) -> list[int | None]:
    """By mean accuracy, then mean loss, then order; none where a seed diverged."""
    order = sorted(
        (-member.accuracy.mean, member.loss.mean, place)
        for place, member in enumerate(members)
        if member.accuracy and member.loss and not member.lost
    )
    ranks = {place: rank for rank, (_, _, place) in enumerate(order, start=1)}
    return [ranks.get(place) for place in range(len(members))]


def _against(rights: Sequence[Rights]) -> list[record.Against | None]:
    """Every member against the first, its tests corrected for those of all members."""
    base, *_ = rights
    seeds = [[] if one is base else [s for s in one if s in base] for one in rights]
    tests = [
        [evaluation.mcnemar(base[s], one[s]) for s in common]
        for one, common in zip(rights, seeds, strict=True)
    ]
    signs = [
        comparison.sign([float(one[s].mean() - base[s].mean()) for s in common])
        for one, common in zip(rights, seeds, strict=True)
        if common
    ]
    by_review = iter(comparison.holm([test.p_value for many in tests for test in many]))
    by_seed = iter(zip(signs, comparison.holm([one.p_value for one in signs]), strict=True))
    return [
        _pair(*next(by_seed), len(signs), dict(zip(common, many, strict=True)), by_review)
        if common
        else None
        for common, many in zip(seeds, tests, strict=True)
    ]


def _pair(
    sign: comparison.Sign,
    corrected: float,
    members: int,
    tests: Mapping[int, evaluation.McNemar],
    by_review: Any,
) -> record.Against:
    # The smallest p-value of so many seeds, corrected for so many members.
    told = members * 0.5 ** len(sign.values) < comparison.SIGNIFICANCE
    return record.Against(
        differences=sign.values,
        p_value=sign.p_value,
        corrected=corrected if told else None,
        tests=tuple(record.Test.of(seed, test, next(by_review)) for seed, test in tests.items()),
    )
