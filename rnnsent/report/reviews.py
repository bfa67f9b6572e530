"""What the test reviews say of the recipes of a comparison: all of them, and twenty one by one."""

from collections.abc import Iterator, Sequence

from rnnsent.compare.record import Record
from rnnsent.readings import Reading, Review
from rnnsent.report import cards, images
from rnnsent.report.blocks import Block, Cards, Code, Heading, Items, Paragraph, Table
from rnnsent.report.numbers import counted, listed, percent, plus_minus


def every(record: Record) -> Iterator[Block]:
    """All test reviews: calibration, accuracy by kind of review, agreement."""
    yield Heading(2, f"All test reviews: {record.data.test_title}")
    yield from _calibration(record)
    yield from _groups(record)
    yield from _agreement(record)


def _calibration(record: Record) -> Iterator[Block]:
    found = {e.title: [t.results.calibration for t in e.finished] for e in record.finished}
    rows = [
        (one, plus_minus([c.ece for c in seeds]), plus_minus([c.brier for c in seeds]))
        for one, seeds in found.items()
    ]
    yield Table(("recipe", "expected calibration error", "Brier score"), rows)
    yield images.figure("reliability")


def _groups(record: Record) -> Iterator[Block]:
    for kind, groups in record.groups.items():
        rows = [
            (
                group.name,
                f"{group.reviews:,}",
                *(_accuracy_of(group.accuracy.get(e.name)) for e in record.finished),
            )
            for group in groups
        ]
        yield Table((kind, "reviews", *(e.title for e in record.finished)), rows)


def _accuracy_of(share: float | None) -> str:
    return "–" if share is None else percent(share)


def _agreement(record: Record) -> Iterator[Block]:
    titles = {entrant.name: entrant.title for entrant in record.entrants}
    rows = []
    for one in record.agreements:
        name = f"{titles[one.first]}, two seeds"
        if one.first != one.second:
            name = f"{titles[one.first]} and {titles[one.second]}, same seed"
        kappa = "–" if one.kappa is None else f"{one.kappa:.3f}"
        rows.append((name, str(one.pairs), percent(one.share), kappa))
    if rows:
        yield Table(("predictions of", "pairs", "same side", "Cohen's kappa"), rows)


def twenty(record: Record) -> Iterator[Block]:
    """Single reviews as two of the recipes read them."""
    sample = record.sample
    if not sample.reviews:
        return
    titles = {entrant.name: entrant.title for entrant in record.entrants}
    shown = listed([f"{titles[name]} (seed {seed})" for name, seed in sample.shown])
    yield Heading(2, f"{counted(len(sample.reviews), 'review').capitalize()}, read by {shown}")
    yield Paragraph(
        ["Chosen by the notebook's rule, ",
         Code("RandomState(25).choice(rows, 20, replace=False)"),
         "; ✗ marks a wrong prediction, ! an unknown word."]
    )  # fmt: skip
    yield Cards(
        [_card(review) for review in sample.reviews],
        [
            _predictions(sample.reviews),
            Heading(3, "The texts as the models saw them"),
            Items([" ".join(review.words) for review in sample.reviews], numbered=True),
        ],
    )


def _card(review: Review) -> cards.Card:
    return cards.card(
        review.number, review.name, review.truth, review.words, review.readings, review.printed
    )


def _predictions(reviews: Sequence[Review]) -> Table:
    titles = [reading.title for reading in reviews[0].readings]
    printed = list(dict.fromkeys(name for review in reviews for name in review.printed))
    rows = [
        (
            str(review.number),
            _side(review.truth),
            *(_prediction(reading, review.truth) for reading in review.readings),
            *(_side(review.printed.get(name)) for name in printed),
        )
        for review in reviews
    ]
    head = ("#", "truth", *titles, *(f"notebook's {name}" for name in printed))
    return Table(head, rows, "r" + "l" * (len(head) - 1))


def _prediction(reading: Reading, truth: int | None) -> str:
    wrong = truth is not None and reading.label != truth
    return f"{_side(reading.label)} ({reading.probability:.2f})" + (" ✗" if wrong else "")


def _side(label: int | None) -> str:
    return {None: "–", 0: "negative", 1: "positive"}[label]
