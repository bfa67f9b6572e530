"""What the tests of interrupted trainings train."""

from rnnsent.recipes import Recipe

TWO_FITS = Recipe(
    name="tiny",
    cell="simple_rnn",
    features=(8,),
    head=4,
    embedding_size=4,
    epochs=2,
    fits=2,
    batch_size=64,
    dropout=0.1,
)
