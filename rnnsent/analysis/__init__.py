"""What a prediction rests on: pure functions over a trained model's parameters and token ids."""

from rnnsent.analysis.changes import (
    BLAME,
    NEUTRAL,
    PRAISE,
    Flips,
    append,
    flips,
    keep_last,
    largest_jump,
    replace_first,
    turns,
)
from rnnsent.analysis.words import (
    Attribution,
    integrated_gradients,
    memory,
    occlusion,
    trajectory,
)

__all__ = [
    "BLAME",
    "NEUTRAL",
    "PRAISE",
    "Attribution",
    "Flips",
    "append",
    "flips",
    "integrated_gradients",
    "keep_last",
    "largest_jump",
    "memory",
    "occlusion",
    "replace_first",
    "trajectory",
    "turns",
]
