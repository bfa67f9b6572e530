"""What the notebook's recipes gave over several seeds, measured once and stored with its date.

Nothing of it is of the run beside whose figures it stands.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Stored:
    """Test accuracy over seeds on the full IMDB data, in percent.

    Attributes:
      date: of the measurement.
      seeds: how many.
      mean: over them.
      std: sample standard deviation.
    """

    date: str
    seeds: int
    mean: float
    std: float

    def __str__(self) -> str:
        return f"{self.mean:.2f}% ± {self.std:.2f}"


_DATE = "24 November 2026"

OVER_SEEDS = {
    "notebook-simple-rnn": Stored(_DATE, 5, 65.15, 9.88),
    "notebook-lstm": Stored(_DATE, 5, 84.56, 0.33),
}
"""By shipped recipe."""

AFTER_FIRST_FIT = {"notebook-simple-rnn": Stored(_DATE, 5, 57.81, 8.42)}
"""Likewise, where a recipe has several fits."""
