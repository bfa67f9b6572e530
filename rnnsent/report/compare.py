"""A comparison's report, drawn from its record; nothing is measured here."""

import pathlib
from collections.abc import Iterator

from rnnsent import notebook
from rnnsent.compare.entrants import Entrant, advice, diverged
from rnnsent.compare.record import Record
from rnnsent.comparison import SIGNIFICANCE
from rnnsent.evaluation import Calibration
from rnnsent.report import doubts, gradients, images, models, page, reviews, story
from rnnsent.report.blocks import (
    Block,
    Heading,
    Note,
    Paragraph,
    Strong,
    Table,
    Text,
)
from rnnsent.report.numbers import (
    counted,
    duration,
    listed,
    numbered,
    p_value,
    percent,
    short,
)
from rnnsent.report.setting import BY_THE_NOTEBOOKS_RULE, left_out, setting


def write(record: Record, folder: pathlib.Path) -> list[Block]:
    """Draws ``report.md``, ``report.html`` and the figures into a run folder; returns the blocks.

    Raises:
      UserError: if the folder cannot be written to.
    """
    report = images.placed(blocks(record), _drawn(record))
    page.write(report, folder, title(record))
    return report


def _drawn(record: Record) -> dict[str, bytes]:
    """All figures as PNG, by name."""
    told = {e.title: p for e in record.finished if (p := story.printed(record, e)) is not None}
    trained = images.trainings(
        {e.title: [t.results.test_accuracy for t in e.finished] for e in record.finished},
        told,
        {e.title: [t.epochs for t in e.finished] for e in record.finished},
        _calibration(record),
        record.data.test_title,
    )
    return trained | {"memory": images.memory(gradients.curves(record), record.data.title)}


def _calibration(record: Record) -> dict[str, list[Calibration]]:
    return {e.title: [t.results.calibration for t in e.finished] for e in record.finished}


def title(record: Record) -> str:
    """Names what is compared."""
    titles = [entrant.title for entrant in record.entrants]
    if len(titles) > 2:
        return f"{len(titles)} recipes on the same reviews"
    return " against ".join(titles)


def blocks(record: Record) -> list[Block]:
    """The report: the story, one small table, then everything else.

    Its figures are named; :func:`write` draws them.
    """
    return [
        Heading(1, title(record)),
        *(Paragraph(sentence) for sentence in story.sentences(record)),
        _accuracy_table(record),
        *_reading(record),
        *setting(record.origin),
        Heading(2, "Accuracy and time"),
        *_accuracy(record),
        *models.differences(record),
        *_paired(record),
        *_reviews(record),
        *gradients.look(record),
        *gradients.remarks(record),
        Heading(2, "The layers"),
        *models.layers(record),
        *_single_reviews(record),
    ]


def _accuracy_table(record: Record) -> Table:
    """The first table: it fits a telephone and a terminal of 80 columns."""
    return Table(
        ("recipe", "accuracy", "s/epoch", "epochs"),
        [_accuracy_row(entrant) for entrant in record.entrants],
    )


def _accuracy_row(entrant: Entrant) -> list[Text]:
    epochs = f"{entrant.fits} x {entrant.epochs}" if entrant.fits > 1 else str(entrant.epochs)
    if entrant.summary is None:
        return [entrant.title, "diverged", "–", epochs]
    accuracy = Strong(short(entrant.results.test_accuracy))
    return [entrant.title, accuracy, f"{entrant.results.epoch_seconds:.1f}", epochs]


def _reading(record: Record) -> Iterator[Block]:
    """How to take the first table, and what is missing from it."""
    yield from left_out("; ".join(diverged(record.entrants)), advice=advice(record.entrants))
    yield from doubts.of(record)
    seeds = max(len(entrant.finished) for entrant in record.finished)
    spread = "± is the sample standard deviation over seeds. "
    if seeds == 1:
        spread = "One seed each: another one can differ by more than the recipes do. "
    yield Note(
        f"{record.data.test_title}. {spread}An epoch's seconds leave out the first, which "
        "compiles, where there are others."
    )


def _accuracy(record: Record) -> Iterator[Block]:
    reviews = "training reviews", record.data.measured
    head = ("recipe", *reviews, "lowest to highest", "95% over reviews")
    rows = [
        (
            e.title,
            short(e.results.train_accuracy),
            short(e.results.test_accuracy),
            _range(e),
            f"{percent(e.results.interval[0])} to {percent(e.results.interval[1])}",
        )
        for e in record.finished
    ]
    yield Table(head, rows)
    head = ("recipe", "training loss", "test loss", "trained with", "training in all")
    rows = [
        (
            e.title,
            _nats(e.results.train_loss.mean),
            _nats(e.results.test_loss.mean),
            numbered("seed", [training.seed for training in e.finished]),
            duration(e.results.seconds),
        )
        for e in record.finished
    ]
    yield Table(head, rows)
    yield Note(
        "Two different doubts: the range is over seeds (another training), the interval over "
        "reviews (another test set; of the first seed, by the bootstrap). Losses in nats, dropout "
        "off; times are means over seeds, compilation included."
    )
    yield from _best_epochs(record)
    yield from _beside_the_notebook(record)
    yield images.figure("accuracy")
    yield images.figure("curves")


def _best_epochs(record: Record) -> Iterator[Block]:
    """When the reviews held out were read best; nothing where none are."""
    found = [
        (entrant.title, one, one.epochs[one.best - 1])
        for entrant in record.finished
        for one in entrant.finished
        if one.best
    ]
    if not found:
        return
    rows = [
        (
            title,
            str(one.seed),
            f"{one.best} of {len(one.epochs)}",
            percent(epoch.validation_accuracy or 0.0),
            _nats(epoch.validation_loss or 0.0),
        )
        for title, one, epoch in found
    ]
    yield Table(("recipe", "seed", "best epoch", "validation accuracy", "validation loss"), rows)
    yield Note(
        "The epoch with the lowest validation loss, whose state is kept beside the last one and "
        "read with --best. All else here is of the last state. The best of several is so partly by "
        "luck."
    )


def _range(entrant: Entrant) -> str:
    spread = entrant.results.test_accuracy
    if spread.n == 1:
        return "one seed"
    return f"{100 * spread.low:.2f} to {100 * spread.high:.2f}, n = {spread.n}"


def _nats(loss: float) -> str:
    return f"{loss:.3f}"


def _beside_the_notebook(record: Record) -> Iterator[Block]:
    """What the notebook printed, and the accuracy after the first of several fits."""
    told = {entrant.name: story.printed(record, entrant) for entrant in record.finished}
    rows = [
        (
            e.title,
            "–" if e.results.first_fit_accuracy is None else short(e.results.first_fit_accuracy),
            short(e.results.test_accuracy),
            _share(told[e.name]),
        )
        for e in record.finished
        if told[e.name] is not None or e.results.first_fit_accuracy is not None
    ]
    if rows:
        yield Table(("recipe", "after its first fit", "in the end", "the notebook"), rows)
    if record.shipped("notebook-simple-rnn") and story.as_the_notebook(record):
        yield Paragraph(notebook.FITTED_TWICE)


def _share(share: float | None) -> str:
    return "–" if share is None else percent(share)


def _paired(record: Record) -> Iterator[Block]:
    """Two recipes on the same reviews, seed by seed."""
    if not record.pairs:
        return
    titles = {entrant.name: entrant.title for entrant in record.entrants}
    tests = sum(len(pair.tests) for pair in record.pairs)
    yield Heading(2, "The same reviews, two recipes")
    yield Paragraph(
        f"McNemar's exact test counts the {record.data.measured} that only one of two trainings "
        f"gets right. Its p is corrected for {counted(tests, 'test')} (Holm); below {SIGNIFICANCE} "
        "the difference is more than chance would make of these reviews."
    )
    rows = [
        (
            f"{titles[pair.second]} against {titles[pair.first]}",
            f"{100 * pair.difference:+.2f}",
            str(test.seed),
            f"{test.only_second:,}",
            f"{test.only_first:,}",
            p_value(test.corrected).removeprefix("p ").removeprefix("= "),
        )
        for pair in record.pairs
        for test in pair.tests
    ]
    head = ("one against another", "points", "seed", "only one right", "only the other", "p")
    yield Table(head, rows)


def _reviews(record: Record) -> Iterator[Block]:
    """All that are measured on."""
    titles = {entrant.name: entrant.title for entrant in record.finished}
    yield Heading(2, f"All {record.data.measured}: {record.data.test_title}")
    yield from reviews.every(titles, _calibration(record), record.groups, record.agreements)


def _single_reviews(record: Record) -> Iterator[Block]:
    """Some of them as two of the recipes read them."""
    sample = record.sample
    if not sample.reviews:
        return
    shown = listed([f"{record.entrant(name).title} (seed {seed})" for name, seed in sample.shown])
    yield Heading(2, f"{counted(len(sample.reviews), 'review').capitalize()}, read by {shown}")
    yield Paragraph(BY_THE_NOTEBOOKS_RULE)
    yield reviews.single(sample.reviews)
