"""From finished trainings to the record of the claims; what is measured lies with each of them."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from rnnsent import (
    console,
    evaluation,
    model,
    notebook,
    predictions,
    readings,
    runs,
)
from rnnsent.claims import criteria, leads, measure
from rnnsent.claims.conditions import CONDITIONS, Planned
from rnnsent.claims.criterion import Results, verdict
from rnnsent.claims.measure import Epoch, Found
from rnnsent.claims.record import Claim, Record, Row
from rnnsent.data import Reviews
from rnnsent.model import SentimentClassifier
from rnnsent.recipes import Recipe
from rnnsent.runs import Trained, files
from rnnsent.runs.records import Provenance


@dataclasses.dataclass(frozen=True)
class Finished:
    """One training that did not diverge, and what was found."""

    trained: Trained
    found: Found

    @property
    def test_logits_N(self) -> np.ndarray:
        """What it says of the test reviews."""
        return self.trained.test_logits_N


Trainings = Mapping[str, Sequence[Finished]]
"""By name, per seed."""


def look(
    plan: Mapping[str, Planned],
    trained: Mapping[str, Sequence[Trained]],
    seeds: Sequence[int],
    reviews: Reviews,
    origin: Provenance,
    implementation: str = "auto",
) -> Record | None:
    """Measures finished trainings and decides; what is measured already is read back.

    Args:
      plan: all conditions, and what is to be shown beside them.
      trained: the same, one per seed.
      seeds: theirs.
      reviews: trained and measured on.
      origin: of this command.
      implementation: of the recurrence in what is measured.

    Returns:
      None where with every seed a condition diverged, so that nothing can be compared.
    """
    kept, left = finite(trained, seeds)
    if not kept:
        return None
    finished = {
        name: [_finished(plan[name], one, reviews, implementation) for one in many.values()]
        for name, many in left.items()
    }
    every = [one for many in trained.values() for one in many]
    lost = runs.diverged_text(every)
    advice = runs.advice(every) if lost else ""
    return record(plan, kept, finished, reviews, origin, lost, advice, implementation)


def finite(
    trained: Mapping[str, Sequence[Any]], seeds: Sequence[int]
) -> tuple[tuple[int, ...], dict[str, dict[int, Any]]]:
    """The seeds with which no condition diverged, for conditions are compared seed by seed.

    What is shown beside the conditions has those of these seeds with which it did not diverge
    itself; it is left out where there is none.
    """
    by_seed = {name: dict(zip(seeds, many, strict=True)) for name, many in trained.items()}
    lost = {s for name in CONDITIONS for s, one in by_seed[name].items() if one.diverged}
    kept = tuple(seed for seed in seeds if seed not in lost)
    left = {
        name: {seed: many[seed] for seed in kept if not many[seed].diverged}
        for name, many in by_seed.items()
    }
    return kept, {name: many for name, many in left.items() if many}


def _finished(
    planned: Planned, trained: Trained, reviews: Reviews, implementation: str
) -> Finished:
    """Looks into a training, or reads back what was seen."""
    path = trained.folder / "measured.json"
    if not path.exists():
        console.say(f"{planned.title} seed {trained.seed}: looking inside")
        classifier, seed, params = restore(planned.recipe, trained, implementation)
        files.write_json(path, measure.measure(classifier, params, seed, reviews))
    return Finished(trained, _found(trained, measure.read(path)))


def restore(
    recipe: Recipe, trained: Trained, implementation: str = "auto"
) -> tuple[SentimentClassifier, int, Any]:
    """Model, seed and parameters of a training of a recipe that this command named."""
    return runs.restore(trained, [recipe.cell], implementation)


def _found(trained: Trained, measured: measure.Measured) -> Found:
    result = trained.result
    return Found(
        trained.seed,
        result.epochs,
        result.final.train_accuracy,
        result.final.test_accuracy,
        result.epoch_seconds,
        tuple(Epoch(e.loss, e.accuracy) for e in trained.history if e.loss is not None),
        measured,
    )


def record(
    plan: Mapping[str, Planned],
    seeds: tuple[int, ...],
    finished: Trainings,
    reviews: Reviews,
    origin: Provenance,
    lost: str = "",
    advice: str = "",
    implementation: str = "auto",
) -> Record:
    """All of it as data; the checkpoints of two trainings are read for the twenty reviews."""
    found = {name: [one.found for one in many] for name, many in finished.items()}
    alike = notebook.reads_alike(reviews.comparable, dataclasses.asdict(reviews.encoding))
    comparable = alike and not any(one.changed for one in plan.values())
    rows = {name: _row(plan[name], many, reviews, alike) for name, many in finished.items()}
    tests = mcnemar(finished, reviews.test.label_N)
    parameters = {name: rows[name].parameters for name in notebook.TITLES}
    decided = criteria.criteria(found, tests, parameters, comparable)
    chosen = {cell: nearest(found, cell) for cell in notebook.TITLES}
    logits = {
        name: {one.found.seed: one.test_logits_N for one in many} for name, many in finished.items()
    }
    return Record(
        origin=origin,
        test_title=reviews.provenance["test_title"],
        comparable=comparable,
        seeds=seeds,
        lost=lost,
        advice=advice,
        rows=rows,
        tests=tests,
        groups=predictions.groups(logits, reviews.test),
        agreements=tuple(predictions.agreements(logits)),
        claims=tuple(Claim(text, verdict(cs), tuple(cs)) for text, cs in decided.items()),
        chosen=tuple(f"{rows[name].title} with seed {seed}" for name, seed in chosen.values()),
        reviews=tuple(_twenty(plan, finished, chosen, reviews, implementation)),
    )


def _row(planned: Planned, many: Sequence[Finished], reviews: Reviews, alike: bool) -> Row:
    test, recipe = reviews.test, planned.recipe
    right = [evaluation.correct(one.test_logits_N, test.label_N) for one in many]
    printed = notebook.TEST_ACCURACY[planned.printed] if planned.printed else None
    return Row(
        planned.title,
        recipe.name,
        recipe.recurrent_dropout,
        _parameters(recipe, reviews),
        printed if alike else None,
        evaluation.bootstrap_interval(right[0]),
        tuple(evaluation.calibration(one.test_logits_N, test.label_N) for one in many),
        tuple(one.found for one in many),
    )


def _parameters(recipe: Recipe, reviews: Reviews) -> int:
    classifier = recipe.classifier(reviews.encoding.num_words)
    shapes = jax.eval_shape(lambda: model.init(classifier, jax.random.key(0)))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def mcnemar(finished: Trainings, label_N: np.ndarray) -> dict[str, tuple[evaluation.McNemar, ...]]:
    """Those of ``leads.BEATEN`` and the LSTM on the same reviews, per seed."""
    right = {
        name: [evaluation.correct(one.test_logits_N, label_N) for one in finished[name]]
        for name in (*leads.BEATEN, "lstm")
    }
    return {
        name: tuple(map(evaluation.mcnemar, right[name], right["lstm"])) for name in leads.BEATEN
    }


def nearest(found: Results, cell: str) -> tuple[str, int]:
    """Of a cell's trainings the one nearest to the notebook's accuracy: condition and seed.

    Args:
      found: all conditions.
      cell: ``simple_rnn`` or ``lstm``.
    """
    recipe = CONDITIONS[cell].recipe
    _, name, seed = min(
        (abs(f.test_accuracy - notebook.TEST_ACCURACY[cell]), name, f.seed)
        for name, condition in CONDITIONS.items()
        if condition.recipe == recipe
        for f in found[name]
    )
    return name, seed


def _twenty(
    plan: Mapping[str, Planned],
    finished: Trainings,
    chosen: Mapping[str, tuple[str, int]],
    reviews: Reviews,
    implementation: str,
) -> list[readings.Review]:
    models = {}
    for cell, (name, seed) in chosen.items():
        (one,) = (one for one in finished[name] if one.found.seed == seed)
        classifier, _, params = restore(plan[name].recipe, one.trained, implementation)
        models[notebook.TITLES[cell]] = (classifier, params)
    return readings.sample(models, reviews, notebook.TITLES if reviews.comparable else {})
