"""From finished trainings to a record: everything a comparison says is measured here."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import optax

from rnnsent import evaluation, memory, model, notebook, readings, runs, training
from rnnsent.compare import record
from rnnsent.comparison import holm
from rnnsent.data import OOV, START, Reviews, Split
from rnnsent.model import SentimentClassifier
from rnnsent.recipes import Recipe

LENGTHS = (0, 50, 100, 132, 200, 300, 500)
"""Edges of the bins of a review's true length, in ids."""
UNKNOWN = (0, 2, 5, 10, 15, 20)
"""Edges of the bins of unknown words, in percent of those read."""
SOUND = ("sound-simple-rnn", "sound-lstm")
"""Recipes that are paired with each other, and shown first, where both are there."""


@dataclasses.dataclass(frozen=True)
class Finished:
    """A finished training as it is measured.

    Attributes:
      seed: everything random follows from it.
      epochs: training loss, accuracy and seconds of each, of all fits.
      seconds: of the training in all.
      diverged: the epoch in which it ceased to be finite; then nothing below is looked at.
      train_logits_N: of the final state on the training reviews, dropout off.
      test_logits_N: on the test reviews.
      first_fit_accuracy: on the test reviews after the first fit, where there were several.
      params: of the final state.
    """

    seed: int
    epochs: Sequence[record.Epoch]
    seconds: float
    diverged: int | None = None
    train_logits_N: np.ndarray | None = None
    test_logits_N: np.ndarray | None = None
    first_fit_accuracy: float | None = None
    params: Any = None


@dataclasses.dataclass(frozen=True)
class Subject:
    """A recipe, its model and its trainings, one per seed."""

    recipe: Recipe
    model: SentimentClassifier
    trained: Sequence[Finished]

    @classmethod
    def of(cls, recipe: Recipe, trained: Sequence[runs.Trained], reviews: Reviews) -> "Subject":
        """A recipe that this command named, and what is in the run folder of it."""
        model = recipe.classifier(reviews.encoding.num_words)
        return cls(recipe, model, [_finished(one) for one in trained])

    @property
    def name(self) -> str:
        return self.recipe.name

    def finite(self) -> dict[int, Finished]:
        """By seed, the trainings that did not diverge."""
        return {one.seed: one for one in self.trained if one.diverged is None}


def _finished(trained: runs.Trained) -> Finished:
    epochs = [
        record.Epoch(loss=one.loss, accuracy=one.accuracy, seconds=one.seconds)
        for one in trained.history
    ]
    result, held = trained.result, Finished(trained.seed, epochs, trained.result.training_seconds)
    if trained.diverged:
        return dataclasses.replace(held, diverged=trained.diverged)
    _, _, params = runs.restore(trained, [trained.recipe.cell])
    return dataclasses.replace(
        held,
        train_logits_N=trained.train_logits_N,
        test_logits_N=trained.test_logits_N,
        first_fit_accuracy=result.fits[0].test_accuracy if len(result.fits) > 1 else None,
        params=params,
    )


def measure(
    subjects: Sequence[Subject],
    reviews: Reviews,
    origin: record.Origin,
    *,
    bag_of_words: float | None = None,
) -> record.Record:
    """The record of a comparison.

    Args:
      subjects: what was trained, in the order asked for; of one at least, a seed has finished.
      reviews: that were trained and measured on.
      origin: machine, versions and time.
      bag_of_words: test accuracy of a model without the words' order, where it was measured.
    """
    titles = [subject.recipe.title for subject in subjects]
    if len(set(titles)) < len(titles):  # a user's recipe can have any name
        titles = [subject.name for subject in subjects]
    titled = dict(zip((subject.name for subject in subjects), titles, strict=True))
    finished = [subject for subject in subjects if subject.finite()]
    return record.Record(
        data=_source(reviews),
        origin=origin,
        entrants=tuple(_entrant(s, titled[s.name], reviews) for s in subjects),
        pairs=_pairs(finished, reviews.test.label_N),
        groups=_groups(finished, reviews.test),
        agreements=tuple(_agreements(finished)),
        sample=_sample(finished, titled, reviews),
        bag_of_words=bag_of_words,
    )


def origin(provenance: Mapping[str, Any], parts: Sequence[str] = ()) -> record.Origin:
    """A run's provenance as a record has it, and where parts of it come from if not from there."""
    device = provenance["device"]
    return record.Origin(
        device=device["name"],
        platform=device["platform"],
        devices=device["devices"],
        versions=dict(provenance["versions"]),
        git=provenance["git"],
        command=provenance["command"],
        started=provenance["started"],
        parts=tuple(parts) if len(parts) > 1 else (),
    )


def _source(reviews: Reviews) -> record.Source:
    names = set(record.Source.__struct_fields__) & reviews.provenance.keys()
    named = {name: reviews.provenance[name] for name in names}
    return record.Source(**(named | {"comparable": reviews.comparable}))


def _entrant(subject: Subject, title: str, reviews: Reviews) -> record.Entrant:
    recipe, maxlen = subject.recipe, reviews.test.ids_NT.shape[1]
    layers = [
        record.Layer(name=name, output=output, parameters=count)
        for name, output, count in model.summary(subject.model, maxlen)
    ]
    trainings = [_training(one, subject.model, reviews) for one in subject.trained]
    return record.Entrant(
        name=recipe.name,
        title=title,
        shipped=recipe.shipped,
        cell=recipe.cell,
        epochs=recipe.epochs,
        fits=recipe.fits,
        fields=dict(recipe.fields()),
        layers=tuple(layers),
        parameters=sum(layer.parameters for layer in layers),
        trainings=tuple(trainings),
        summary=_summary(subject, trainings, reviews.test.label_N),
    )


def _training(trained: Finished, model: SentimentClassifier, reviews: Reviews) -> record.Training:
    lost = trained.diverged is not None
    return record.Training(
        seed=trained.seed,
        epochs=tuple(map(_finite_epoch, trained.epochs)),
        seconds=trained.seconds,
        diverged=trained.diverged,
        measured=None if lost else _measured(trained, model, reviews),
    )


def _finite_epoch(epoch: record.Epoch) -> record.Epoch:
    loss, accuracy = (
        None if value is None or not math.isfinite(value) else float(value)
        for value in (epoch.loss, epoch.accuracy)
    )
    return record.Epoch(loss=loss, accuracy=accuracy, seconds=float(epoch.seconds))


def _measured(trained: Finished, model: SentimentClassifier, reviews: Reviews) -> record.Measured:
    train, test = reviews.train, reviews.test
    fresh = training.create_state(model, optax.identity(), trained.seed).params
    return record.Measured(
        train_accuracy=evaluation.accuracy(trained.train_logits_N, train.label_N),
        test_accuracy=evaluation.accuracy(trained.test_logits_N, test.label_N),
        train_loss=evaluation.log_loss(trained.train_logits_N, train.label_N),
        test_loss=evaluation.log_loss(trained.test_logits_N, test.label_N),
        first_fit_accuracy=trained.first_fit_accuracy,
        calibration=evaluation.calibration(trained.test_logits_N, test.label_N),
        fresh=memory.memory_curves(model, fresh, test.ids_NT),
        trained=memory.memory_curves(model, trained.params, test.ids_NT),
    )


def _summary(
    subject: Subject, trainings: Sequence[record.Training], label_N: np.ndarray
) -> record.Summary | None:
    finished = [one for one in trainings if one.measured is not None]
    if not finished:
        return None
    measured = [one.measured for one in finished]
    first, *_ = subject.finite().values()
    names = ("train_accuracy", "test_accuracy", "train_loss", "test_loss")
    first_fits = [m.first_fit_accuracy for m in measured if m.first_fit_accuracy is not None]
    return record.Summary(
        **{name: evaluation.spread([getattr(m, name) for m in measured]) for name in names},
        first_fit_accuracy=evaluation.spread(first_fits) if first_fits else None,
        interval=evaluation.bootstrap_interval(evaluation.correct(first.test_logits_N, label_N)),
        epoch_seconds=_epoch_seconds([[e.seconds for e in one.epochs] for one in finished]),
        seconds=float(np.mean([one.seconds for one in finished])),
    )


def _epoch_seconds(trainings: Sequence[Sequence[float]]) -> float:
    """Mean over epochs; a training's first, which compiles, counts only where it has no other."""
    return float(np.mean([s for seconds in trainings for s in seconds[1:] or seconds]))


def _pairs(subjects: Sequence[Subject], label_N: np.ndarray) -> tuple[record.Pair, ...]:
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


def _groups(subjects: Sequence[Subject], test: Split) -> dict[str, tuple[record.Group, ...]]:
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


def _agreements(subjects: Sequence[Subject]) -> Iterator[record.Agreed]:
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


def _sample(
    subjects: Sequence[Subject], titles: Mapping[str, str], reviews: Reviews
) -> record.Sample:
    """The notebook's reviews, read by two of the recipes."""
    shown = _shown(subjects)
    models = {titles[s.name]: (s.model, s.finite()[seed].params) for s, seed in shown}
    printed = notebook.TITLES if reviews.comparable else {}
    return record.Sample(
        shown=tuple((subject.name, seed) for subject, seed in shown),
        reviews=tuple(readings.sample(models, reviews, printed)),
    )


def _shown(subjects: Sequence[Subject]) -> list[tuple[Subject, int]]:
    """At most two recipes, the sound ones first, and of both the first seed they share if any."""
    chosen = sorted(subjects, key=lambda s: not (s.recipe.shipped and s.name in SOUND))[:2]
    common = set.intersection(*(set(subject.finite()) for subject in chosen))
    return [
        (subject, next((s for s in subject.finite() if s in common), next(iter(subject.finite()))))
        for subject in chosen
    ]
