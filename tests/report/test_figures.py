"""Figures, looked at as pixels: nothing runs past an edge, whatever the models are called."""

import io

import matplotlib.image
import numpy as np
import pytest

from rnnsent.report import figures

CHANGED = "sound-simple-rnn+epochs=3+learning_rate=0.002+schedule=constant+clip=1.0"
NAMES = {
    "short": ["SimpleRNN, notebook", "LSTM, notebook", "SimpleRNN, sound", "mine, untrained"],
    "changed": [CHANGED, CHANGED.replace("simple-rnn", "lstm"), "short"],
    "unbroken": ["averylongname" * 5, "_" * 60],
    "endless": [f"{CHANGED}{'+averaging=0.99' * 30}", "short"],
    "many": [f"{CHANGED}+seed={i}" for i in range(10)],
}


def drawn(name, titles) -> np.ndarray:
    """The gray values (H, W) of one of the figures."""
    epochs = [[{"loss": 0.6, "accuracy": 0.7}, {"loss": 0.5, "accuracy": 0.8}]]
    if name == "curves":
        draw, arguments = figures.curves, ({title: epochs for title in titles},)
    else:
        draw, arguments = figures.accuracies, ({title: [0.7, 0.8] for title in titles}, {})
    png = figures.png(draw, *arguments, caption="a caption")
    return matplotlib.image.imread(io.BytesIO(png))[..., :3].mean(-1)


@pytest.mark.parametrize(
    "name, titles",
    [("accuracies", "short"), ("accuracies", "endless"), *(("curves", titles) for titles in NAMES)],
)
def test_names_stay_within_the_figure(name, titles):
    image = drawn(name, NAMES[titles])
    edges = (image[:3], image[-3:], image[:, :3], image[:, -3:])
    assert all((edge == 1).all() for edge in edges)
    assert image.min() < 0.1  # something is drawn


def test_the_curves_of_reviews_held_out_are_drawn_where_there_are_some():
    def pixels(**held_out):
        epochs = [
            {"loss": 0.6, "accuracy": 0.7} | held_out,
            {"loss": 0.5, "accuracy": 0.8} | held_out,
        ]
        png = figures.png(figures.curves, {"a": [epochs]}, caption="c")
        return matplotlib.image.imread(io.BytesIO(png))

    nothing = pixels(validation_loss=np.nan, validation_accuracy=np.nan)
    np.testing.assert_array_equal(nothing, pixels())
    drawn = pixels(validation_loss=0.55, validation_accuracy=0.75)
    assert drawn.shape == nothing.shape and (drawn != nothing).any()


def test_a_name_of_changes_is_broken_between_them():
    text = figures.letters(CHANGED, 40)
    assert text.splitlines() == [
        "sound-simple-rnn +epochs=3",
        "+learning_rate=0.002 +schedule=constant",
        "+clip=1.0",
    ]
    assert len(figures.letters("x" * 1_000)) < 200
