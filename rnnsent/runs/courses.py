"""One seed of a recipe on its way, and what it writes into its folder."""

import dataclasses
import math
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import msgspec
import numpy as np

from rnnsent import arrays, checkpoints, divergence, evaluation, inference, optimizers
from rnnsent.data import Reviews, Split
from rnnsent.divergence import Divergence
from rnnsent.epochs import Progress
from rnnsent.model import SentimentClassifier
from rnnsent.runs import files, last, reading, records
from rnnsent.runs.records import Config, Data, Epoch, Measured, Result
from rnnsent.training import TrainState


@dataclasses.dataclass
class Course:
    """One seed on its way, and the folder it is kept in."""

    folder: pathlib.Path
    config: Config
    state: TrainState
    epochs: list[Epoch] = dataclasses.field(default_factory=list)
    fits: list[Measured] = dataclasses.field(default_factory=list)
    logits: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    diverged: int | None = None
    best: TrainState | None = None
    """The state after :func:`rnnsent.runs.records.best` of the epochs."""
    starts: list[tuple[TrainState, int]] = dataclasses.field(default_factory=list)
    """Of the last two epochs: the state, and how many of its epoch's steps are behind it."""

    def go_on(self, held: last.Seed, state: TrainState, best: TrainState | None) -> None:
        """Takes up what a checkpoint holds of it."""
        self.state, self.best = state, best
        self.epochs, self.fits = list(held.epochs), list(held.fits)
        self.diverged = held.diverged

    def begin(self, origin: dict[str, Any]) -> None:
        """Writes what a training follows from; of epochs, what it has behind it and no more."""
        self.folder.mkdir(parents=True, exist_ok=True)
        files.write_json(self.folder / "config.json", self.config)
        files.write_json(self.folder / "provenance.json", origin)
        files.write_lines(self.folder / reading.METRICS, self.epochs)
        if not self.diverged:
            (self.folder / reading.DIVERGENCE).unlink(missing_ok=True)

    def starting(self, state: TrainState, step: int) -> None:
        """Takes the state as an epoch begins, so that :meth:`explain` can go back to it."""
        if not self.diverged:
            state = jax.device_put(state, jax.local_devices()[0])
            self.starts = [*self.starts[-1:], (state, step)]

    def ended(
        self, now: Progress, state: TrainState, model: SentimentClassifier, held_out: Split | None
    ) -> None:
        """Takes an epoch and writes its line; none after the one in which it diverged.

        Its state is measured on the reviews that are held out, if there are any, and kept where it
        is the best so far.
        """
        if self.diverged:
            return
        if not math.isfinite(now.loss):
            self.diverged = now.epoch
        means = now.epoch, now.loss, now.accuracy, now.seconds, now.rows / now.seconds
        line = Epoch(*means, *_validated(model, state, None if self.diverged else held_out))
        self.epochs.append(line)
        files.append_line(self.folder / reading.METRICS, line)
        if records.best(self.epochs) is line:
            self.best = state

    def measure(self, model: SentimentClassifier, reviews: Reviews) -> None:
        """Measures the state on both splits, unless it diverged.

        A logit that is no number would count as "negative" and make a plausible accuracy.
        """
        if self.diverged:
            return
        params = optimizers.averaged(self.state)
        parts = {"train": reviews.train, "test": reviews.test}
        self.logits = {n: inference.predict(model, params, p.ids_NT) for n, p in parts.items()}
        if not all(np.isfinite(logits_N).all() for logits_N in self.logits.values()):
            self.diverged = self.epochs[-1].epoch
            return
        pairs = {n: (self.logits[n], part.label_N) for n, part in parts.items()}
        accuracies = {f"{n}_accuracy": evaluation.accuracy(*pair) for n, pair in pairs.items()}
        losses = {f"{n}_loss": evaluation.log_loss(*pair) for n, pair in pairs.items()}
        self.fits.append(Measured(**accuracies, **losses))

    def explain(self, find: Callable[[TrainState, int], Divergence | None]) -> None:
        """Once it diverged, writes in which step; nothing where no step is found.

        ``find`` looks from a state on that has so many steps of its epoch behind it. It begins with
        the epoch that was lost, or, where that began with parameters that are no numbers, with the
        one before.
        """
        if not self.diverged:
            return
        starts, self.starts = self.starts, []
        good = [one for one in starts if divergence.is_finite(one[0].params)]
        if good and (found := find(*good[-1])):
            files.write_json(self.folder / reading.DIVERGENCE, found)

    @property
    def finished(self) -> bool:
        """Whether its result is written: the process ended before those of its group were."""
        return (self.folder / "result.json").exists()

    @property
    def kept(self) -> last.Seed:
        """What a checkpoint holds of it besides its state."""
        return last.Seed(self.config, tuple(self.epochs), tuple(self.fits), self.diverged)

    def keep(self, about: dict[str, Any], seconds: float, together: int) -> None:
        """Writes what it came to; ``result.json`` last.

        Args:
          about: what the reviews say of themselves.
          seconds: of all training.
          together: seeds that were trained at once.
        """
        if not self.diverged:
            checkpoints.save(self.folder / reading.FINAL, self.state)
            if self.best:
                checkpoints.save(self.folder / reading.BEST, self.best)
            logits = {f"{name}_logits_N": logits_N for name, logits_N in self.logits.items()}
            arrays.save(self.folder / "predictions.npz", logits)
        result = Result(
            title=self.config.recipe.title,
            seed=self.config.seed,
            data=msgspec.convert(about, Data),
            fits=() if self.diverged else tuple(self.fits),
            diverged=self.diverged,
            epoch_seconds=tuple(now.seconds for now in self.epochs),
            training_seconds=seconds,
            together=together,
        )
        files.write_json(self.folder / "result.json", result)


def _validated(
    model: SentimentClassifier, state: TrainState, held_out: Split | None
) -> tuple[float, float] | tuple[None, None]:
    """Accuracy and loss on the reviews that are held out; None where there are none, or a logit is
    no number."""
    if held_out is None:
        return None, None
    logits_N = inference.predict(model, optimizers.averaged(state), held_out.ids_NT)
    if not np.isfinite(logits_N).all():
        return None, None
    pair = logits_N, held_out.label_N
    return evaluation.accuracy(*pair), evaluation.log_loss(*pair)
