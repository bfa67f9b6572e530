"""Parameters are counted as Keras counts them."""

import pytest

from rnnsent import notebook
from rnnsent.model import SentimentClassifier
from rnnsent.parameters import shapes, size, summary
from rnnsent.recipes import SHIPPED


@pytest.mark.parametrize("recipe", ["notebook-simple-rnn", "notebook-lstm"])
def test_layers_and_parameters_are_the_notebooks(recipe):
    model = SHIPPED[recipe].classifier(5000)
    rows = summary(model)
    assert [(layer, count) for layer, _, count in rows] == list(notebook.LAYERS[model.cell])
    assert sum(count for *_, count in rows) == notebook.PARAMS[model.cell]


def test_a_summary_counts_both_ways_and_norms():
    options = {"bidirectional": True, "layer_norm": True, "pooling": "mean"}
    model = SentimentClassifier("simple_rnn", features=(8, 4), embedding_size=3, **options)
    rows = summary(model, 16)
    assert rows[1] == ("SimpleRNN both ways 8 sequences", "(B, 16, 16)", 2 * (3 + 8 + 1) * 8 + 6)
    assert rows[2] == ("SimpleRNN both ways 4 mean", "(B, 8)", 2 * (16 + 4 + 1) * 4 + 32)
    assert sum(count for *_, count in rows) == size(shapes(model))


def test_a_summary_counts_any_cells_parameters():
    rows = summary(SentimentClassifier("guests:PositiveCell", features=(8, 4), vocab_size=50), 16)
    assert rows[1] == ("Positive 8 sequences", "(B, 16, 8)", 32 * 8 + 8)
    assert rows[2] == ("Positive 4 last", "(B, 4)", 8 * 4 + 4)
    (empty,) = summary(SentimentClassifier("guests:ConstantCell", features=(4,)))[1:-2]
    assert empty == ("Constant 4 last", "(B, 4)", 0)
