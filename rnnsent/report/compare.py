"""A comparison's report, drawn from its record; nothing is measured here."""

import itertools
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from rnnsent import memory, notebook
from rnnsent.compare import record as records
from rnnsent.compare.record import Entrant, Record
from rnnsent.comparison import SIGNIFICANCE
from rnnsent.memory import MemoryCurves
from rnnsent.readings import Review
from rnnsent.report import cards, figures, page, story
from rnnsent.report.blocks import (
    Block,
    Cards,
    Code,
    Figure,
    Heading,
    Items,
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
    p_value,
    percent,
    plus_minus,
    short,
)

DISTANCES = (0, 10, 20, 50, 100)
"""Words before the end whose gradients are tabled."""
FAR, NEAR = 50, 10
"""Words before the end whose gradients are set against the last words'."""
PANELS = {"x": "the word read", "h 1": "the first layer's output", "h 2": "the second layer's"}
"""What gradients are drawn of, where all models have it."""


def write(record: Record, folder: pathlib.Path) -> list[Block]:
    """Draws ``report.md``, ``report.html`` and the figures into a run folder; returns the blocks.

    Raises:
      UserError: if the folder cannot be written to.
    """
    report = blocks(record)
    page.write(report, folder, title(record))
    return report


def title(record: Record) -> str:
    """Names what is compared."""
    titles = [entrant.title for entrant in record.entrants]
    if len(titles) == 1:
        return f"{titles[0]} on {record.data.source}"
    return f"{listed(titles)} on the same reviews"


def blocks(record: Record) -> list[Block]:
    """The report: the story, one small table, then everything else."""
    return [
        Heading(1, title(record)),
        *(Paragraph(sentence) for sentence in story.sentences(record)),
        _accuracy_table(record),
        *_reading(record),
        *_setting(record),
        Heading(2, "Accuracy and time"),
        *_accuracy(record),
        *_differences(record),
        *_paired(record),
        Heading(2, f"All test reviews: {record.data.test_title}"),
        *_calibration(record),
        *_groups(record),
        *_agreement(record),
        Heading(2, "How far back the models look"),
        *_memory(record),
        *_remarks(record),
        Heading(2, "The layers"),
        *_layers(record),
        *_twenty(record),
    ]


def _accuracy_table(record: Record) -> Table:
    """The first table: it fits a telephone and a terminal of 80 columns."""
    head = ["recipe", "accuracy", "s/epoch", "epochs"]
    told = [story.printed(record, entrant) for entrant in record.entrants]
    rows = [_accuracy_row(entrant) for entrant in record.entrants]
    if any(figure is not None for figure in told):
        head.append("notebook")
        for row, figure in zip(rows, told, strict=True):
            row.append("" if figure is None else percent(figure))
    return Table(head, rows)


def _accuracy_row(entrant: Entrant) -> list[Text]:
    epochs = f"{entrant.fits} x {entrant.epochs}" if entrant.fits > 1 else str(entrant.epochs)
    if entrant.summary is None:
        return [entrant.title, "diverged", "–", epochs]
    accuracy = Strong(short(entrant.summary.test_accuracy))
    return [entrant.title, accuracy, f"{entrant.summary.epoch_seconds:.1f}", epochs]


def _reading(record: Record) -> Iterator[Block]:
    """How to take the first table, and what is missing from it."""
    if lost := records.diverged(record.entrants):
        yield Paragraph([Strong("Left out of all that follows: "), f"{'; '.join(lost)}."])
    seeds = max(len(entrant.finished) for entrant in record.finished)
    spread = "± is the sample standard deviation over seeds. "
    if seeds == 1:
        spread = "One seed each: another one can differ by more than the recipes do. "
    yield Note(f"{record.data.test_title}. {spread}An epoch's seconds are without its compilation.")


def _setting(record: Record) -> Iterator[Block]:
    """What the figures rest on."""
    data, origin = record.data, record.origin
    reason = f" {data.reason}" if data.reason else ""
    yield Paragraph([Strong("Data: "), Code(data.source), f" — {data.title}.{reason}"])
    yield Paragraph(
        f"{data.train:,} training and {data.test:,} test reviews. Vocabulary: {data.vocabulary}; "
        f"{data.num_words:,} ids, {data.maxlen} steps, padding {data.padding}, truncating "
        f"{data.truncating}."
    )
    versions = ", ".join(f"{name} {v}" for name, v in origin.versions.items() if v)
    yield Note(
        f"{origin.device} ({origin.platform}, {counted(origin.devices, 'JAX device')}). "
        f"{versions}. Revision {origin.git or 'unknown'}. Started {origin.started}."
    )
    if origin.parts:
        yield Paragraph([Strong("Trained in parts: "), f"{'; '.join(origin.parts)}."])


def _accuracy(record: Record) -> Iterator[Block]:
    head = ("recipe", "training reviews", "test reviews", "lowest to highest", "95% over reviews")
    rows = [
        (
            e.title,
            short(e.summary.train_accuracy),
            short(e.summary.test_accuracy),
            _range(e),
            f"{percent(e.summary.interval[0])} to {percent(e.summary.interval[1])}",
        )
        for e in record.finished
    ]
    yield Table(head, rows)
    head = ("recipe", "training loss", "test loss", "seeds", "training in all")
    rows = [
        (
            e.title,
            _nats(e.summary.train_loss.mean),
            _nats(e.summary.test_loss.mean),
            ", ".join(str(training.seed) for training in e.finished),
            duration(e.summary.seconds),
        )
        for e in record.finished
    ]
    yield Table(head, rows)
    yield Note(
        "Two different doubts: the range is over seeds (another training), the interval over "
        "reviews (another test set; of the first seed, by the bootstrap). Losses in nats, dropout "
        "off; times are means over seeds, compilation included."
    )
    yield from _first_fits(record)
    caption = record.data.test_title
    values = {e.title: [t.measured.test_accuracy for t in e.finished] for e in record.finished}
    told = {e.title: p for e in record.finished if (p := story.printed(record, e)) is not None}
    png = figures.png(figures.accuracies, values, told, caption=caption)
    yield Figure("figures/accuracy.png", "accuracy of every seed", png)
    histories = {
        e.title: [
            [{"loss": _nan(p.loss), "accuracy": _nan(p.accuracy)} for p in training.epochs]
            for training in e.finished
        ]
        for e in record.finished
    }
    png = figures.png(figures.curves, histories, caption="training, dropout on")
    yield Figure("figures/curves.png", "training loss and accuracy by epoch", png)


def _range(entrant: Entrant) -> str:
    spread = entrant.summary.test_accuracy
    if spread.n == 1:
        return "one seed"
    return f"{100 * spread.low:.2f} to {100 * spread.high:.2f}, n = {spread.n}"


def _nats(loss: float) -> str:
    return f"{loss:.3f}"


def _nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _first_fits(record: Record) -> Iterator[Block]:
    """Accuracy after the first of several fits, beside that after the last."""
    rows = [
        (e.title, str(e.fits), short(first), short(e.summary.test_accuracy))
        for e in record.finished
        if (first := e.summary.first_fit_accuracy) is not None
    ]
    if rows:
        yield Table(("recipe", "fits", "after the first", "after the last"), rows)
    if record.shipped("notebook-simple-rnn"):
        yield Paragraph(notebook.FITTED_TWICE)


def _differences(record: Record) -> Iterator[Block]:
    """What the recipes differ in."""
    if len(record.entrants) < 2:
        return
    names = list(dict.fromkeys(name for e in record.entrants for name in e.fields))
    rows = [
        (name.replace("_", " "), *(_field(e.fields.get(name)) for e in record.entrants))
        for name in names
        if len({_field(e.fields.get(name)) for e in record.entrants}) > 1
    ]
    if rows:
        yield Heading(2, "What the recipes differ in")
        yield Table(("", *(entrant.title for entrant in record.entrants)), rows)


def _field(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_field, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {_field(one)}" for name, one in value.items()) or "–"
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _paired(record: Record) -> Iterator[Block]:
    if not record.pairs:
        return
    yield Heading(2, "The same reviews, two recipes")
    tests = sum(len(pair.tests) for pair in record.pairs)
    yield Paragraph(
        "McNemar's exact test counts the test reviews that only one of two trainings gets right. "
        f"Its p is corrected for {counted(tests, 'test')} (Holm); below {SIGNIFICANCE} the "
        "difference is more than chance would make of these reviews."
    )
    titles = {entrant.name: entrant.title for entrant in record.entrants}
    for pair in record.pairs:
        first, second = titles[pair.first], titles[pair.second]
        yield Paragraph(
            f"{second} against {first}: {100 * pair.difference:+.2f} points of accuracy."
        )
        rows = [
            (
                str(test.seed),
                f"{test.only_first:,}",
                f"{test.only_second:,}",
                p_value(test.p_value).removeprefix("p = ").removeprefix("p "),
                p_value(test.corrected).removeprefix("p = ").removeprefix("p "),
            )
            for test in pair.tests
        ]
        yield Table(("seed", f"only {first}", f"only {second}", "p", "p, corrected"), rows)


def _calibration(record: Record) -> Iterator[Block]:
    found = {e.title: [t.measured.calibration for t in e.finished] for e in record.finished}
    rows = [
        (one, plus_minus([c.ece for c in seeds]), plus_minus([c.brier for c in seeds]))
        for one, seeds in found.items()
    ]
    yield Table(("recipe", "expected calibration error", "Brier score"), rows)
    png = figures.png(figures.reliability, found, caption=record.data.test_title)
    yield Figure("figures/reliability.png", "reliability curve of every seed, ten bins", png)


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


def _curves(record: Record) -> dict[str, list[MemoryCurves]]:
    """By title, untrained and trained in turns: one per seed."""
    return {
        name: [getattr(training.measured, of) for training in entrant.finished]
        for entrant in record.finished
        for name, of in (
            (f"{entrant.title}, untrained", "fresh"),
            (entrant.title, "trained"),
        )
    }


def _memory(record: Record) -> Iterator[Block]:
    curves = _curves(record)
    longest = min(len(one.word.median) for seeds in curves.values() for one in seeds)
    yield Paragraph(
        "The norm of the gradient of the logit with respect to what was read or kept, by words "
        f"before the end: over the first {memory.REVIEWS} test reviews, mean over seeds."
    )
    at = [distance for distance in DISTANCES if distance < longest]
    rows = [(name, *(_median_and_mean(seeds, d) for d in at)) for name, seeds in curves.items()]
    yield Table(("median (mean) of words before the end", *map(str, at)), rows)
    panels = {
        panel: {name: _quartiles(seeds, of) for name, seeds in curves.items()}
        for of, panel in PANELS.items()
        if all(of == "x" or of in one.carry for seeds in curves.values() for one in seeds)
    }
    colours = {name: i // 2 for i, name in enumerate(curves)}
    png = figures.png(figures.memory, panels, caption=record.data.title, colours=colours)
    yield Figure("figures/memory.png", "gradient by distance from the end, quartiles", png)


def _median_and_mean(seeds: Sequence[MemoryCurves], distance: int) -> str:
    median = np.mean([one.word.median_D[distance] for one in seeds])
    mean = np.mean([one.word.mean_D[distance] for one in seeds])
    return f"{median:.2g} ({mean:.2g})"


def _quartiles(seeds: Sequence[MemoryCurves], name: str) -> list[np.ndarray]:
    """Per seed (3, D), as long as all of them are."""
    found = [one.word if name == "x" else one.carry[name] for one in seeds]
    longest = min(len(one.median) for one in found)
    return [one.quartiles_QD[:, :longest] for one in found]


def _remarks(record: Record) -> Iterator[Block]:
    """The notebook's remarks beside this run, where its two recipes are in it."""
    simple, lstm = (record.shipped(name) for name in story.PRINTED)
    if simple is None or lstm is None:
        return
    slower, better, *inside = notebook.CLAIMS
    rows = [(slower, _slower(simple, lstm)), (better, _better(record, simple, lstm))]
    rows += zip(inside, _look_back(record, [simple, lstm]), strict=True)
    if not story.as_the_notebook(record.data):
        del rows[1]  # its figures are on other reviews
    yield Heading(2, "The notebook's remarks")
    yield Table(("the notebook says", "this run"), rows, "ll")
    yield Paragraph(
        ["Whether one thing causes another needs trainings that differ in it: ",
         Code("python -m experiments.claims"), "."]
    )  # fmt: skip


def _slower(simple: Entrant, lstm: Entrant) -> str:
    ratio = lstm.summary.epoch_seconds / simple.summary.epoch_seconds
    return (
        f"An epoch of the LSTM takes {ratio:.1f} times as long; it has {lstm.parameters:,} "
        f"parameters, the SimpleRNN {simple.parameters:,}."
    )


def _better(record: Record, simple: Entrant, lstm: Entrant) -> str:
    difference = lstm.summary.test_accuracy.mean - simple.summary.test_accuracy.mean
    said = f"The LSTM's accuracy is {100 * difference:+.2f} points from the SimpleRNN's. "
    if record.shipped("sound-simple-rnn") and record.shipped("sound-lstm"):
        sound = [record.shipped(f"sound-{cell}").summary.test_accuracy for cell in _CELLS]
        said += (
            f"With a sound start and training it is {100 * (sound[1].mean - sound[0].mean):+.2f}. "
        )
    return said + "The notebook gives recurrent dropout to the SimpleRNN only."


_CELLS = ("simple-rnn", "lstm")


def _look_back(record: Record, entrants: Sequence[Entrant]) -> list[str]:
    """What the gradients of the notebook's recipes say of three of its remarks."""
    curves = _curves(record)
    words = {e.title: [one.word for one in curves[e.title]] for e in entrants}
    far = min(FAR, *(len(word.median) - 1 for seeds in words.values() for word in seeds))

    def each(what) -> str:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = {
                name: np.mean([what(word) for word in seeds]) for name, seeds in words.items()
            }
        return "; ".join(f"{name} {value:.2g}" for name, value in values.items())

    vanishing = each(lambda word: word.median_D[far] / word.median_D[0])
    local = each(lambda word: word.mean_D[:NEAR].sum() / word.mean_D.sum())
    return [
        f"The gradient with respect to the word {far} before the end, as a multiple of the last "
        f"word's (medians): {vanishing}.",
        f"Share of the last {NEAR} words in the gradients' norms over all words: {local}.",
        "Not measured by this run.",
    ]


def _layers(record: Record) -> Iterator[Block]:
    """One table for all recipes whose layers are the same, beside the notebook's counts."""
    ordered = sorted(record.entrants, key=lambda e: _rows(e))
    for rows, same in itertools.groupby(ordered, key=_rows):
        entrants = list(same)
        told = [dict(notebook.LAYERS[story.PRINTED[e.name]]) for e in entrants if _own(e)]
        counts = told[0] if told else {}
        body = [
            [name, output, f"{count:,}", *([_count(counts.get(name))] if told else [])]
            for name, output, count in rows
        ]
        total = ["total", "", Strong(f"{entrants[0].parameters:,}")]
        body.append([*total, *([_count(sum(counts.values()))] if told else [])])
        yield Heading(3, listed([e.title for e in entrants]))
        head = ("layer", "output", "parameters", *(["notebook"] if told else []))
        yield Table(head, body, "llrr"[: len(head)])


def _rows(entrant: Entrant) -> tuple[tuple[str, str, int], ...]:
    return tuple((layer.name, layer.output, layer.parameters) for layer in entrant.layers)


def _own(entrant: Entrant) -> bool:
    return entrant.shipped and entrant.name in story.PRINTED


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _twenty(record: Record) -> Iterator[Block]:
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


def _prediction(reading, truth: int | None) -> str:
    wrong = truth is not None and reading.label != truth
    return f"{_side(reading.label)} ({reading.probability:.2f})" + (" ✗" if wrong else "")


def _side(label: int | None) -> str:
    return {None: "–", 0: "negative", 1: "positive"}[label]
