"""A stopwatch: samples that end when the work has ended, and what they say in a few numbers.

Nothing here knows what is measured. Compilation and warm-up are the caller's first calls, which it
times apart; a sample is a call that returns when all its results exist.
"""

import contextlib
import ctypes
import gc
import pathlib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np


def seconds(run: Callable[[], Any]) -> float:
    """How long one call takes, the computation of any JAX arrays it returns included."""
    started = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - started


def compile(
    function: jax.stages.Wrapped, *args: Any, **kwargs: Any
) -> tuple[jax.stages.Compiled, float]:
    """A jitted function lowered and compiled for these arguments, and the seconds that took."""
    started = time.perf_counter()
    compiled = function.lower(*args, **kwargs).compile()
    return compiled, time.perf_counter() - started


def repeats(one: float, sample: float) -> int:
    """How often to do what takes ``one`` second(s) for a sample of about ``sample`` seconds."""
    return max(1, min(1000, round(sample / max(one, 1e-9))))


def interleave(
    subjects: Mapping[str, Callable[[], Any]],
    rounds: int,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, list[Any]]:
    """Samples of every subject in turn, A B C A B C …, so that a drift of the machine hits all.

    Every other round goes backwards, so that nobody always runs after the same neighbour.

    Args:
      subjects: each call gives one sample.
      rounds: samples of each.
      advance: called after every sample.

    Returns:
      The raw samples of each subject in the order they were taken.
    """
    samples: dict[str, list[Any]] = {name: [] for name in subjects}
    for turn in range(rounds):
        names = list(subjects) if turn % 2 == 0 else list(subjects)[::-1]
        for name in names:
            samples[name].append(subjects[name]())
            advance()
    return samples


class Summary(NamedTuple):
    """Raw samples in a few numbers, in the samples' unit."""

    median: float
    low: float
    high: float
    samples: int


def summarise(samples: Sequence[float]) -> Summary:
    """Median, smallest and largest of at least one sample."""
    return Summary(statistics.median(samples), min(samples), max(samples), len(samples))


class Ratio(NamedTuple):
    """A multiple of something, and its 95% interval (nan for a single sample)."""

    value: float
    low: float
    high: float


def ratio(samples: Sequence[float], base: Sequence[float]) -> Ratio:
    """Median of ``samples`` over that of ``base``, taken in the same rounds.

    The interval is the percentile bootstrap's (Efron & Tibshirani, 1993, chapter 13) over rounds:
    what disturbs one sample of a round often disturbs its neighbours too, so they stay together.
    """
    from scipy import stats  # over a second, which every process that only takes samples is spared

    def of_medians(a, b, axis=-1):
        return np.median(a, axis=axis) / np.median(b, axis=axis)

    value = float(of_medians(samples, base))
    if len(samples) < 2:
        return Ratio(value, float("nan"), float("nan"))
    drawn = stats.bootstrap(
        (samples, base), of_medians, paired=True, method="percentile", rng=np.random.default_rng(0)
    )
    return Ratio(value, *map(float, drawn.confidence_interval))


def peak_resident_bytes() -> int | None:
    """The most memory this process has held since :func:`reset_peak`; None where not known."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


def reset_peak() -> None:
    """Gives freed memory back and forgets the peak so far, where Linux lets us."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/clear_refs").write_text("5")
