"""What is done to rows of ids (N, T), whatever they come from. 0 is padding."""

import numpy as np

from rnnsent.data.vocabulary import PAD


def lengths(ids_NT: np.ndarray) -> np.ndarray:
    """How many ids of each row are real, wherever they stand: int32 (N,)."""
    return np.count_nonzero(ids_NT != PAD, axis=1).astype(np.int32)


def pack_rows(ids_NT: np.ndarray) -> np.ndarray:
    """Each row's real ids first, padding after: the same review to every model here.

    A masked step keeps the carry, so only the order of the real steps counts.
    """
    order_NT = np.argsort(ids_NT == PAD, axis=1, kind="stable")
    return np.take_along_axis(ids_NT, order_NT, axis=1)
