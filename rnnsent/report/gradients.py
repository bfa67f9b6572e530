"""How far back the recipes of a comparison look, and what that says of the notebook's remarks."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from rnnsent import memory, notebook
from rnnsent.compare.entrants import Entrant
from rnnsent.compare.record import Record
from rnnsent.memory import Curve
from rnnsent.report import images, story
from rnnsent.report.blocks import Block, Code, Heading, Paragraph, Table

FAR, NEAR = 50, 10
"""Words before the end whose gradients are set against the last words'."""


def look(record: Record) -> Iterator[Block]:
    """The gradients of all models, untrained and trained."""
    yield Heading(2, "How far back the models look")
    yield Paragraph(
        "The norm of the gradient of the logit with respect to what was read or kept, by words "
        f"before the end: over the first {memory.REVIEWS} {record.data.measured}, mean over seeds."
    )
    yield images.gradients(curves(record))
    yield images.figure("memory")


def curves(record: Record) -> images.Curves:
    """By title, untrained and trained in turns: one per seed."""
    return {
        name: [getattr(training.results, of) for training in entrant.finished]
        for entrant in record.finished
        for name, of in ((f"{entrant.title}, untrained", "fresh"), (entrant.title, "trained"))
    }


def remarks(record: Record) -> Iterator[Block]:
    """The notebook's remarks beside this run, where its two recipes are in it."""
    simple, lstm = (record.shipped(name) for name in story.PRINTED)
    if simple is None or lstm is None:
        return
    slower, better, *inside = notebook.CLAIMS
    rows = [(slower, _slower(simple, lstm)), (better, _better(record, simple, lstm))]
    rows += zip(inside, _look_back(record, [simple, lstm]), strict=True)
    if not story.as_the_notebook(record):
        del rows[1]  # its figures are on other reviews
    yield Heading(2, "The notebook's remarks")
    yield Table(("the notebook says", "this run"), rows, "ll")
    yield Paragraph(
        ["Whether one thing causes another needs trainings that differ in it: ",
         Code("python -m experiments.claims"), "."]
    )  # fmt: skip


def _slower(simple: Entrant, lstm: Entrant) -> str:
    ratio = lstm.results.epoch_seconds / simple.results.epoch_seconds
    return (
        f"An epoch of the LSTM takes {ratio:.1f} times as long; it has {lstm.parameters:,} "
        f"parameters, the SimpleRNN {simple.parameters:,}."
    )


def _better(record: Record, simple: Entrant, lstm: Entrant) -> str:
    difference = lstm.results.test_accuracy.mean - simple.results.test_accuracy.mean
    said = f"The LSTM's accuracy is {100 * difference:+.2f} points from the SimpleRNN's. "
    one, other = record.shipped("sound-simple-rnn"), record.shipped("sound-lstm")
    if one and other:
        sound = other.results.test_accuracy.mean - one.results.test_accuracy.mean
        said += f"With a sound start and training it is {100 * sound:+.2f}. "
    return said + "The notebook gives recurrent dropout to the SimpleRNN only."


def _look_back(record: Record, entrants: Sequence[Entrant]) -> list[str]:
    """What the gradients of the notebook's recipes say of three of its remarks."""
    found = curves(record)
    words = {e.title: [one.word for one in found[e.title]] for e in entrants}
    far = min(FAR, *(len(word.median) - 1 for seeds in words.values() for word in seeds))

    def each(what: Callable[[Curve], float]) -> str:
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
