"""What is said of trainings that diverged, and what to try."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rnnsent.divergence import Divergence


def said(title: str, seed: int, epoch: int | None, found: Divergence | None = None) -> str:
    """What is said of a training that diverged in an epoch, or in the step that was found."""
    if found is None:
        return f"{title} seed {seed} diverged in epoch {epoch}"
    return f"{title} seed {seed} diverged in {found.place} ({found.why})"


def option(field: str) -> str:
    """How the command line spells a recipe's field."""
    return f"--{field.replace('_', '-')}"


def advice(
    lost: Iterable[tuple[Mapping[str, Any], Divergence | None]],
    spelled: Callable[[str], str] = option,
) -> str:
    """What to try where trainings diverged.

    Args:
      lost: of each the fields of its recipe, and the step where it was found.
      spelled: how a field is called where it can be set.
    """
    tries = {"learning_rate"}
    for fields, found in lost:
        if not fields.get("clip"):
            tries.add("clip")
        name = (found and found.largest or ("", 0.0))[0]
        if name.endswith("recurrent_kernel") and fields.get("recurrent_gain", 0.0) >= 1:
            tries.add("recurrent_gain")
    *others, last = [text.format(spelled(name)) for name, text in _TRIED.items() if name in tries]
    return f"Try {', '.join(others)}{' or ' if others else ''}{last}."


_TRIED = {"clip": "{} 1", "learning_rate": "a lower {}", "recurrent_gain": "{} below 1"}
"""In this order."""
