"""Measuring: samples that end when the work has ended, and what the machine can do at most.

Nothing here knows what is measured. Compilation and warm-up are the caller's first calls, which it
times apart; a sample is a call that returns when all its results exist.
"""

import contextlib
import ctypes
import functools
import gc
import os
import pathlib
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P


def seconds(run: Callable[[], Any]) -> float:
    """How long one call takes, the computation of any JAX arrays it returns included."""
    started = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - started


def compile(function: Callable, *args, **kwargs) -> tuple[jax.stages.Compiled, float]:
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
    samples = {name: [] for name in subjects}
    for turn in range(rounds):
        names = list(subjects) if turn % 2 == 0 else list(reversed(subjects))
        for name in names:
            samples[name].append(subjects[name]())
            advance()
    return samples


class Summary(NamedTuple):
    """Raw samples in a few numbers, in the samples' unit."""

    median: float
    low: float
    high: float
    count: int


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


class Product(NamedTuple):
    """A matrix product (m, k) x (k, n) that a step does ``count`` times on every core at once."""

    m: int
    k: int
    n: int
    count: float

    @property
    def flops(self) -> float:
        return 2 * self.m * self.k * self.n * self.count


class Limit:
    """The machine's limit for a step's matrix products and element-wise work, as a subject.

    One XLA device per core (``devices.configure`` before JAX starts, on a CPU) works for itself on
    operands that stay in its cache, so nothing but the arithmetic units is measured.
    """

    def __init__(self, products: Iterable[Product], elements: float, *, repeats: int = 200):
        self.products, self.elements, self.repeats = list(products), elements, repeats
        self.cores = jax.local_device_count()
        self.loops = [_product_loop(self._each, *product[:3]) for product in self.products]
        self.tanh = _tanh_loop(self._each)
        self.sample()

    def _each(self, loop: Callable) -> Callable:
        """The loop on every device, with operands of its own."""
        mesh = jax.make_mesh((self.cores,), ("cores",), axis_types=(AxisType.Auto,))
        spec = {"in_specs": (P(), P("cores")), "out_specs": P("cores"), "check_vma": False}
        return jax.jit(jax.shard_map(loop, mesh=mesh, **spec))

    def sample(self) -> dict[str, float]:
        """Seconds that one step's products and its element-wise work take at the least."""
        per_product = [
            self._seconds(loop, p.m * p.k)
            for loop, p in zip(self.loops, self.products, strict=False)
        ]
        products = sum(s * p.count for s, p in zip(per_product, self.products, strict=True))
        per_element = self._seconds(self.tanh, _BLOCK) / _BLOCK / self.cores
        return {"products": products, "elements": self.elements * per_element}

    def _seconds(self, loop: Callable, size: int) -> float:
        """Seconds of one turn of a loop, all cores turning."""
        seed = np.full((self.cores, 1), 1e-3, np.float32)
        repeats = max(8, min(self.repeats, int(self.repeats * 2**16 / size)))
        return seconds(lambda: loop(repeats, seed)) / repeats


_BLOCK = 1 << 14
"""Elements of a block that stays in the first-level cache: 64 KiB in and out."""


def _product_loop(each: Callable, m: int, k: int, n: int) -> Callable:
    def loop(repeats, seed_1x1):
        a_mk = jnp.full((2, m, k), 1e-3) * seed_1x1
        b_kn = jnp.full((k, n), 1e-3) * seed_1x1

        def turn(i, out_mn):  # the operand changes with i, so no product can be left out
            return jax.lax.dynamic_update_index_in_dim(out_mn, a_mk[i % 2] @ b_kn, i % 2, 0)

        return jax.lax.fori_loop(0, repeats, turn, jnp.zeros((2, m, n)))[:, :1, :1]

    return each(loop)


def _tanh_loop(each: Callable) -> Callable:
    def loop(repeats, seed_1x1):
        x = jnp.full((1, _BLOCK), 0.5) + seed_1x1
        return jax.lax.fori_loop(0, repeats, lambda _, x: jnp.tanh(x), x)[:, :1]

    return each(loop)


def copy_bytes_per_second(size: int = 1 << 28) -> float:
    """Memory traffic (bytes read plus written) of all cores copying arrays of ``size`` bytes."""
    cores = len(os.sched_getaffinity(0))
    pairs = [(np.ones(size // 8), np.zeros(size // 8)) for _ in range(cores)]
    with ThreadPoolExecutor(cores) as pool:
        copy = functools.partial(lambda: list(pool.map(lambda p: np.copyto(p[1], p[0]), pairs)))
        copy()
        return 2 * size * cores / seconds(copy)
