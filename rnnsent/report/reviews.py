"""What models say of the test reviews: of all of them, and of twenty one by one."""

from collections.abc import Iterator, Mapping, Sequence

from rnnsent.evaluation import Calibration
from rnnsent.predictions import Agreed, Group
from rnnsent.readings import Reading, Review
from rnnsent.report import cards, images
from rnnsent.report.blocks import Block, Cards, Heading, Items, Table
from rnnsent.report.numbers import percent, plus_minus


def every(
    titles: Mapping[str, str],
    calibration: Mapping[str, Sequence[Calibration]],
    groups: Mapping[str, Sequence[Group]],
    agreements: Sequence[Agreed],
) -> Iterator[Block]:
    """All test reviews: calibration, accuracy by kind of review, agreement.

    Args:
      titles: of the models, by name, in the order of the columns.
      calibration: by title, per seed.
      groups: by what the reviews are grouped by, accuracies by name.
      agreements: of models with one another and of their seeds, by name.
    """
    yield _calibration(calibration)
    yield images.figure("reliability")
    for kind, of in groups.items():
        yield _grouped(kind, of, titles)
    if agreements:
        rows = [_agreed(one, titles) for one in agreements]
        yield Table(("predictions of", "pairs", "same side", "Cohen's kappa"), rows)


def _calibration(found: Mapping[str, Sequence[Calibration]]) -> Table:
    rows = [
        (title, plus_minus([c.ece for c in seeds]), plus_minus([c.brier for c in seeds]))
        for title, seeds in found.items()
    ]
    return Table(("recipe", "expected calibration error", "Brier score"), rows)


def _grouped(kind: str, groups: Sequence[Group], titles: Mapping[str, str]) -> Table:
    rows = [
        (
            group.name,
            f"{group.reviews:,}",
            *(_accuracy_of(group.accuracy.get(name)) for name in titles),
        )
        for group in groups
    ]
    return Table((kind, "reviews", *titles.values()), rows)


def _accuracy_of(share: float | None) -> str:
    return "–" if share is None else percent(share)


def _agreed(one: Agreed, titles: Mapping[str, str]) -> tuple[str, ...]:
    name = f"{titles[one.first]}, two seeds"
    if one.first != one.second:
        name = f"{titles[one.first]} and {titles[one.second]}, same seed"
    kappa = "–" if one.kappa is None else f"{one.kappa:.3f}"
    return name, str(one.pairs), percent(one.share), kappa


def single(reviews: Sequence[Review]) -> Cards:
    """Reviews as cards; where there are no colours, the predictions and the texts."""
    return Cards(
        [_card(review) for review in reviews],
        [
            _predictions(reviews),
            Heading(3, "The texts as the models saw them"),
            Items([" ".join(review.words) for review in reviews], numbered=True),
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
