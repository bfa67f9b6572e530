"""Records of sweeps whose figures are made up."""

import msgspec
import numpy as np

from rnnsent import evaluation, recipes
from rnnsent.runs.records import Device, Provenance
from rnnsent.sweep import measure, record

DATA = {
    "source": "toy",
    "title": "toy <task>",
    "test_title": "validation accuracy",
    "train": 80,
    "test": 20,
    "comparable": False,
    "vocabulary": "toy",
    "num_words": 40,
    "maxlen": 16,
    "padding": "mixed",
    "truncating": "none",
}
ORIGIN = Provenance(
    data=DATA,
    versions={"jax": "0.10.2"},
    device=Device("cpu", "a machine", 2),
    git=None,
    command="sweep",
    started="2026-11-26T00:00:00+00:00",
    flags={"XLA_FLAGS": "--xla_a=1"},
)
BASE = recipes.find("sound-lstm")


def training(accuracy, seed, divergence=None):
    """That accuracy, or None for one that diverged in its second epoch."""
    if accuracy is None:
        lost = {"diverged": 2, "divergence": divergence}
        return record.Training(seed=seed, epochs=2, seconds=1.0, **lost)
    figures = record.Figures(
        train_accuracy=accuracy, train_loss=0.4, validation_accuracy=accuracy, validation_loss=0.5
    )
    return record.Training(seed=seed, epochs=6, seconds=1.5, figures=figures)


def of(*members, rows=40, divergence=None):
    """A record of pairs: what differs from the base's fields, and the accuracy of each seed.

    The first so many of the reviews are right, so that of two trainings the better one is right
    wherever the other is.
    """
    held = [_member(fields, [training(a, seed, divergence) for seed, a in enumerate(accuracies)])
            for fields, accuracies in members]  # fmt: skip
    rights = [
        {seed: np.arange(rows) < round(a * rows) for seed, a in enumerate(accuracies) if a}
        for _, accuracies in members
    ]
    varied = tuple(dict.fromkeys(name for fields, _ in members for name in fields))
    return record.Record(origin=ORIGIN, varied=varied, members=measure.judged(held, rights))


def _member(changes, trainings):
    recipe = recipes.changed(BASE, changes)
    finished = [one.figures for one in trainings if one.figures]
    spreads = [evaluation.spread([getattr(one, f"validation_{name}") for one in finished])
               if finished else None for name in ("accuracy", "loss")]  # fmt: skip
    return record.Member(
        name=recipe.name,
        digest=recipes.digest(recipe),
        fields=msgspec.json.decode(msgspec.json.encode(recipe.fields())),
        changes=changes,
        trainings=tuple(trainings),
        accuracy=spreads[0],
        loss=spreads[1],
    )
