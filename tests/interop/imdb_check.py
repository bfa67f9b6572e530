"""The notebook's LSTM, trained by Keras on all IMDB training reviews for an epoch, read here.

Not part of the suite, for it takes minutes; prints the largest difference between both libraries'
probabilities over the 25,000 test reviews, and fails above 1e-5:

    KERAS_BACKEND=jax python tests/interop/imdb_check.py
"""

import pathlib
import tempfile

import numpy as np

import rnnsent
from rnnsent import interop
from rnnsent.evaluation import probability


def main() -> None:
    import keras

    keras.utils.set_random_seed(0)
    reviews = rnnsent.load("imdb")
    train, test = reviews.train, reviews.test
    model = keras.Sequential(
        [
            keras.layers.Embedding(5000, 32, mask_zero=True),
            keras.layers.LSTM(128, return_sequences=True, dropout=0.1),
            keras.layers.LSTM(64, dropout=0.1),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.fit(train.ids_NT, train.label_N.astype(np.float32), batch_size=512, epochs=1, verbose=2)
    want_N = model.predict(test.ids_NT, batch_size=500, verbose=0)[:, 0]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "trained.keras"
        model.save(path)
        held = interop.load(path)
        interop.save(path, held, force=True)
        again_N = keras.models.load_model(path).predict(test.ids_NT, batch_size=500, verbose=0)[
            :, 0
        ]
    got_N = probability(rnnsent.predict(held.model, held.params, test.ids_NT))
    accuracy = np.mean((want_N > 0.5) == test.label_N)
    there, back = np.abs(got_N - want_N).max(), np.abs(again_N - want_N).max()
    print(
        f"{len(want_N):,} reviews, Keras's accuracy {accuracy:.2%}, probabilities from "
        f"{want_N.min():.4f} to {want_N.max():.4f}"
    )
    print(f"largest difference here {there:.2e}, and in Keras again {back:.2e}")
    assert max(there, back) < 1e-5


if __name__ == "__main__":
    main()
