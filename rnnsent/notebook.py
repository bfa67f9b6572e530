"""What the published Keras notebook printed, for setting our measurements beside it.

Source: the notebook's own output (TensorFlow 2.6, one GPU). Every value was printed there or
recomputed from the raw reviews and found to agree.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

TEST_ACCURACY = {"simple_rnn": 0.7670000195503235, "lstm": 0.8404399752616882}
"""On the 25,000 IMDB test reviews, from one training of each model."""

PARAMS = {"simple_rnn": 197_185, "lstm": 293_953}

LAYERS = {
    "simple_rnn": (
        ("Embedding", 160_000),
        ("SimpleRNN 128 sequences", 20_608),
        ("SimpleRNN 64 last", 12_352),
        ("Dense 64 relu", 4_160),
        ("Dense 1 sigmoid", 65),
    ),
    "lstm": (
        ("Embedding", 160_000),
        ("LSTM 128 sequences", 82_432),
        ("LSTM 64 last", 49_408),
        ("Dense 32 relu", 2_080),
        ("Dense 1 sigmoid", 33),
    ),
}

TITLES = {"simple_rnn": "SimpleRNN", "lstm": "LSTM"}

ENCODING = {"num_words": 5000, "maxlen": 132, "padding": "pre", "truncating": "pre"}
"""How its reviews become ids."""


def reads_alike(comparable: bool, encoding: Mapping[str, Any]) -> bool:
    """Whether its accuracies can stand beside those of its recipes on other data.

    Args:
      comparable: whether the test reviews are its, all of them.
      encoding: how reviews become ids; other fields may stand beside those of ``ENCODING``.
    """
    return comparable and ENCODING.items() <= encoding.items()


EPOCHS = 10
"""What the notebook's text says of both models; see :data:`FITTED_TWICE`."""

FITTED_TWICE = (
    "The notebook's cell numbers skip one execution between compiling its SimpleRNN and the fit it "
    "shows, so that model had most likely been fitted twice: its figure compares with 20 epochs."
)

SAMPLE_SEED, SAMPLE_SIZE = 25, 20

SAMPLE_PREDICTIONS = {
    1: {"simple_rnn": 1, "lstm": 0},
    5: {"simple_rnn": 1, "lstm": 0},
    14: {"simple_rnn": 0, "lstm": 0},
    18: {"simple_rnn": 1},
    20: {"simple_rnn": 1, "lstm": 0},
}
"""The predictions its text names, by the number (from 1) of the review among the twenty."""

CLAIMS = (
    "The LSTM trains slower than the SimpleRNN and has more parameters.",
    "The LSTM beats the SimpleRNN, 84.04% to 76.70%.",
    "Vanishing gradients are why the SimpleRNN falls behind.",
    "The SimpleRNN decides on a local group of words, often the last ones; the LSTM accumulates "
    "the whole review.",
    "A flattering or hostile last sentence flips the SimpleRNN.",
)


def sample_rows(rows: int) -> np.ndarray:
    """The notebook's rule for the reviews it analyses, on a test split of ``rows`` rows.

    With its 25,000 rows the result is exactly its twenty reviews.
    """
    generator = np.random.RandomState(SAMPLE_SEED)
    return generator.choice(rows, min(SAMPLE_SIZE, rows), replace=False)
