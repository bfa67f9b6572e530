"""Whether trainings that were repeated came to the same, to the bit; times are never compared.

The same recipe, seed and data give the same bits on the same machine with the same versions and
number of devices. Elsewhere sums are taken in another order, and from the first rounding on the
paths can part.
"""

import pathlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from rnnsent.cells import is_trusted
from rnnsent.errors import UserError
from rnnsent.recipes import Recipe
from rnnsent.recurrence import IMPLEMENTATIONS
from rnnsent.runs import files, folders, loading, reading, records
from rnnsent.runs.loading import Trained
from rnnsent.runs.reading import Training
from rnnsent.runs.records import Part, Provenance


class Gap(Part, frozen=True, kw_only=True):
    """How far two lists of numbers are apart.

    Attributes:
      identical: to the bit.
      largest: absolute difference; None where it is no finite number, or there are not as many.
    """

    identical: bool
    largest: float | None


class Repeat(Part, frozen=True, kw_only=True):
    """One training and its repetition.

    Attributes:
      title: of the recipe.
      seed: of both.
      losses: of the epochs, in training and on reviews that are held out, in nats.
      accuracies: likewise.
      measured_losses: after each fit, on the training and the measured reviews.
      measured_accuracies: likewise.
      logits: of all reviews.
      flipped: reviews that were measured on and are now predicted on the other side; None where
        one of the two has no predictions.
      ends: in which epoch each of them diverged, None where it did not.
      reasons: what is recorded otherwise, each as "what: then, now".
    """

    title: str
    seed: int
    losses: Gap
    accuracies: Gap
    measured_losses: Gap
    measured_accuracies: Gap
    logits: Gap
    flipped: int | None
    ends: tuple[int | None, int | None]
    reasons: tuple[str, ...]

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """All that is compared, in the order of the fields."""
        measured = self.measured_losses, self.measured_accuracies
        return (self.losses, self.accuracies, *measured, self.logits)

    @property
    def identical(self) -> bool:
        """Whether both came to the same in everything, to the bit."""
        return self.ends[0] == self.ends[1] and all(gap.identical for gap in self.gaps)


class Repetition(records.Record, frozen=True, kw_only=True):
    """A run and its repetition.

    Attributes:
      run: the folder that was repeated, as it was given.
      repeats: its finished trainings.
    """

    FILE: ClassVar[str] = "repetition.json"

    run: str
    repeats: tuple[Repeat, ...]

    @property
    def others(self) -> list[Repeat]:
        """The trainings that did not come to the same."""
        return [one for one in self.repeats if not one.identical]


def recorded(run: pathlib.Path, cells: Collection[str] = ()) -> list[tuple[Recipe, list[int], str]]:
    """What a run has trained: recipe, seeds and implementation of what is trained at once.

    Args:
      run: its folder.
      cells: that may be imported, as ``module:Class``, besides the shipped ones.

    Raises:
      UserError: if there is none, one is damaged or of other data than the run, or has a cell that
        was not named.
    """
    found = reading.finished(run)
    if unknown := sorted(set(cells) - {one.recipe.cell for one in found}):
        raise UserError(f"--from-cells: no model of {run} has the cell {', '.join(unknown)}.")
    groups: dict[tuple[str, str], tuple[Recipe, list[int], str]] = {}
    for one in found:
        _check(run, one, cells)
        recipe, implementation = one.recipe, one.config.implementation
        key = recipe.folder, implementation
        groups.setdefault(key, (recipe, [], implementation))[1].append(one.seed)
    return list(groups.values())


def _check(run: pathlib.Path, one: Training, cells: Collection[str]) -> None:
    """Raises ``UserError`` unless a training is whole, of its run, and of a cell that is named."""
    loading.check(one.folder)
    if one.folder != reading.seed_folder(run, one.recipe.folder, one.seed):
        raise files.damaged(one.folder / "config.json", f"it is of {one.recipe.folder}")
    if one.config.implementation not in IMPLEMENTATIONS:
        raise files.damaged(one.folder / "config.json", "its implementation is unknown")
    data = folders.data_of(run)
    if _provenance(one).data != data or one.config.vocab_size != data["num_words"]:
        raise files.damaged(one.folder / "provenance.json", "it is of other data than the run")
    cell = one.recipe.cell
    if not is_trusted(cell, cells):
        raise UserError(
            f"{one.folder} was trained with the cell {cell!r}, which is no part of rnnsent: "
            f"training it again runs that module. If you trust it, add --from-cells {cell}"
        )


def compare(run: pathlib.Path, now: Trained) -> Repeat:
    """A run's training and its repetition."""
    then = loading.load(reading.seed_folder(run, now.recipe.folder, now.seed))
    both = (then, now)
    return Repeat(
        title=then.title,
        seed=then.seed,
        losses=_gap(*(_of_epochs(one, "loss") for one in both)),
        accuracies=_gap(*(_of_epochs(one, "accuracy") for one in both)),
        measured_losses=_gap(*(_measured(one, "loss") for one in both)),
        measured_accuracies=_gap(*(_measured(one, "accuracy") for one in both)),
        logits=_gap(*(np.concatenate([one.train_logits_N, one.test_logits_N]) for one in both)),
        flipped=_flipped(then.test_logits_N, now.test_logits_N),
        ends=(then.diverged, now.diverged),
        reasons=tuple(_reasons(then, now)),
    )


def _of_epochs(one: Trained, kind: str) -> list[float | None]:
    """In training, then on the reviews held out, where there are any."""
    held_out = [getattr(epoch, f"validation_{kind}") for epoch in one.history]
    trained = [getattr(epoch, kind) for epoch in one.history]
    return [*trained, *(value for value in held_out if value is not None)]


def _measured(one: Training, kind: str) -> list[float]:
    splits = ("train", "test")
    return [getattr(fit, f"{split}_{kind}") for fit in one.result.fits for split in splits]


def _gap(then: Any, now: Any) -> Gap:
    """Of numbers, of which some may be None."""
    first_N, second_N = (np.asarray(one, np.float64) for one in (then, now))
    if first_N.shape != second_N.shape:
        return Gap(identical=False, largest=None)
    if first_N.tobytes() == second_N.tobytes():
        return Gap(identical=True, largest=0.0)
    largest = float(np.abs(first_N - second_N).max())
    return Gap(identical=False, largest=largest if np.isfinite(largest) else None)


def _flipped(then_N: np.ndarray, now_N: np.ndarray) -> int | None:
    if then_N.shape != now_N.shape or not then_N.size:
        return None
    return int(((then_N > 0) != (now_N > 0)).sum())


def _reasons(then: Training, now: Training) -> Iterator[str]:
    """What is recorded otherwise of two trainings and can be why their numbers are others."""
    for name, (old, new) in _recorded(then, now).items():
        if old != new:
            yield f"{name}: {old}, now {new}"
    if then.config.digest != now.config.digest:
        yield f"the source of the cell {then.recipe.cell}, or of what it imports, has changed"


def _recorded(then: Training, now: Training) -> dict[str, tuple[Any, Any]]:
    old, new = _provenance(then), _provenance(now)
    named = _pairs(old.versions, new.versions)
    if old.flags is not None and new.flags is not None:
        named |= _pairs(old.flags, new.flags)
    return named | {
        "platform": (old.device.platform, new.device.platform),
        "device": (old.device.name, new.device.name),
        "number of devices": (old.device.devices, new.device.devices),
        "revision": (old.git, new.git),
        "implementation": (then.config.implementation, now.config.implementation),
        "seeds trained at once": (then.result.together, now.result.together),
    }


def _pairs(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Both values of each name; None where it is not there."""
    return {name: (old.get(name), new.get(name)) for name in dict.fromkeys([*old, *new])}


def _provenance(one: Training) -> Provenance:
    return files.read_json(one.folder / "provenance.json", Provenance, files.damaged)
