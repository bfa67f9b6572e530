"""From finished trainings to a record: everything a comparison says is measured here."""

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import optax

from rnnsent import evaluation, memory, notebook, parameters, predictions, readings, training
from rnnsent.compare import between, entrants, record
from rnnsent.compare.subjects import Finished, Subject, sound
from rnnsent.data import Reviews
from rnnsent.runs.records import Provenance


def measure(
    subjects: Sequence[Subject],
    reviews: Reviews,
    origin: Provenance,
    *,
    bag_of_words: float | None = None,
) -> record.Record:
    """The record of a comparison.

    Args:
      subjects: what was trained, in the order asked for; of one at least, a seed has finished.
      reviews: that were trained and measured on.
      origin: of the command, see :meth:`Provenance.of`.
      bag_of_words: test accuracy of a model without the words' order, where it was measured.
    """
    titles = [subject.recipe.title for subject in subjects]
    if len(set(titles)) < len(titles):  # a user's recipe can have any name
        titles = [subject.name for subject in subjects]
    titled = dict(zip((subject.name for subject in subjects), titles, strict=True))
    finished = [subject for subject in subjects if subject.finite()]
    logits = {
        s.name: {seed: one.test_logits_N for seed, one in s.finite().items()} for s in finished
    }
    return record.Record(
        origin=origin,
        comparable=reviews.comparable,
        entrants=tuple(_entrant(s, titled[s.name], reviews) for s in subjects),
        pairs=between.pairs(finished, reviews.test.label_N),
        groups=predictions.groups(logits, reviews.test),
        agreements=tuple(predictions.agreements(logits)),
        sample=_sample(finished, titled, reviews),
        bag_of_words=bag_of_words,
    )


def _entrant(subject: Subject, title: str, reviews: Reviews) -> entrants.Entrant:
    recipe, maxlen = subject.recipe, reviews.test.ids_NT.shape[1]
    layers = [
        entrants.Layer(name=name, output=output, parameters=count)
        for name, output, count in parameters.summary(subject.model, maxlen)
    ]
    trainings = [_training(one, subject, reviews) for one in subject.trained]
    return entrants.Entrant(
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


def _training(trained: Finished, subject: Subject, reviews: Reviews) -> entrants.Training:
    lost = trained.diverged is not None
    return entrants.Training(
        seed=trained.seed,
        epochs=tuple(map(_finite_epoch, trained.epochs)),
        seconds=trained.seconds,
        diverged=trained.diverged,
        divergence=trained.divergence,
        measured=None if lost else _measured(trained, subject, reviews),
    )


def _finite_epoch(epoch: entrants.Epoch) -> entrants.Epoch:
    loss, accuracy = (
        None if value is None or not math.isfinite(value) else float(value)
        for value in (epoch.loss, epoch.accuracy)
    )
    return msgspec.structs.replace(
        epoch, loss=loss, accuracy=accuracy, seconds=float(epoch.seconds)
    )


def _measured(trained: Finished, subject: Subject, reviews: Reviews) -> entrants.Measured:
    train, test = reviews.train, reviews.test
    fresh = training.create_state(subject.model, optax.identity(), trained.seed).params
    return entrants.Measured(
        train_accuracy=evaluation.accuracy(trained.train_logits_N, train.label_N),
        test_accuracy=evaluation.accuracy(trained.test_logits_N, test.label_N),
        train_loss=evaluation.log_loss(trained.train_logits_N, train.label_N),
        test_loss=evaluation.log_loss(trained.test_logits_N, test.label_N),
        first_fit_accuracy=trained.first_fit_accuracy,
        calibration=evaluation.calibration(trained.test_logits_N, test.label_N),
        fresh=memory.memory_curves(subject.still, fresh, test.ids_NT),
        trained=memory.memory_curves(subject.still, trained.params, test.ids_NT),
    )


def _summary(
    subject: Subject, trainings: Sequence[entrants.Training], label_N: np.ndarray
) -> entrants.Summary | None:
    finished = [one for one in trainings if one.measured is not None]
    if not finished:
        return None
    measured = [one.results for one in finished]
    first, *_ = subject.finite().values()
    names = ("train_accuracy", "test_accuracy", "train_loss", "test_loss")
    first_fits = [m.first_fit_accuracy for m in measured if m.first_fit_accuracy is not None]
    return entrants.Summary(
        **{name: evaluation.spread([getattr(m, name) for m in measured]) for name in names},
        first_fit_accuracy=evaluation.spread(first_fits) if first_fits else None,
        interval=evaluation.bootstrap_interval(evaluation.correct(first.test_logits_N, label_N)),
        epoch_seconds=_epoch_seconds([[e.seconds for e in one.epochs] for one in finished]),
        seconds=float(np.mean([one.seconds for one in finished])),
    )


def _epoch_seconds(trainings: Sequence[Sequence[float]]) -> float:
    """Mean over epochs; a training's first, which compiles, counts only where it has no other."""
    return float(np.mean([s for seconds in trainings for s in seconds[1:] or seconds]))


def _sample(
    subjects: Sequence[Subject], titles: Mapping[str, str], reviews: Reviews
) -> record.Sample:
    """The notebook's reviews, read by two of the recipes."""
    shown = _shown(subjects)
    models = {titles[s.name]: (s.still, s.finite()[seed].params) for s, seed in shown}
    printed = notebook.TITLES if reviews.comparable else {}
    return record.Sample(
        shown=tuple((subject.name, seed) for subject, seed in shown),
        reviews=tuple(readings.sample(models, reviews, printed)),
    )


def _shown(subjects: Sequence[Subject]) -> list[tuple[Subject, int]]:
    """The two sound recipes or else the first two, and of both the first seed they share if any."""
    chosen = sound(subjects) or subjects[:2]
    common = set.intersection(*(set(subject.finite()) for subject in chosen))
    return [
        (subject, next((s for s in subject.finite() if s in common), next(iter(subject.finite()))))
        for subject in chosen
    ]
