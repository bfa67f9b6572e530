"""What the machine can do at most: matrix products, tanh, memory."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from rnnsent.benchmark import clock
from rnnsent.benchmark.costs import Product


class Limit:
    """The machine's limit for a step's matrix products and element-wise work, as a subject.

    One XLA device per core (``devices.configure`` before JAX starts, on a CPU) works for itself on
    operands that stay in its cache, so nothing but the arithmetic units is measured. A product's
    count is that of every core.
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
            for loop, p in zip(self.loops, self.products, strict=True)
        ]
        products = sum(s * p.count for s, p in zip(per_product, self.products, strict=True))
        per_element = self._seconds(self.tanh, _BLOCK) / _BLOCK / self.cores
        return {"products": products, "elements": self.elements * per_element}

    def _seconds(self, loop: Callable, size: int) -> float:
        """Seconds of one turn of a loop, all cores turning."""
        seed = np.full((self.cores, 1), 1e-3, np.float32)
        repeats = max(8, min(self.repeats, int(self.repeats * 2**16 / size)))
        return clock.seconds(lambda: loop(repeats, seed)) / repeats


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

        def copy():
            return list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), pairs))

        copy()
        return 2 * size * cores / clock.seconds(copy)
