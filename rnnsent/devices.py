"""How a run uses the machine: settings that must be made before JAX starts, and the device mesh."""

import gc
import math
import os
import pathlib

import jax
import numpy as np
from jax.sharding import AxisType, Mesh

SEEDS, ROWS = "seeds", "rows"
"""Names of the mesh axes that trainings, and a batch's rows, are spread over."""

_CPU_FLAGS = {
    "xla_cpu_multi_thread_eigen": "false",  # a core's matrix products stay on that core
    "xla_cpu_prefer_vector_width": "512",  # the compiler's default is half of what AVX-512 has
}


def configure(count: int | None = None) -> None:
    """Gives each CPU core an XLA device of its own; for entry points, before JAX is used.

    ``count`` is how many devices it shall be instead: results are the same for one number of them.

    Independent cores that each run their share of the rows beat cores that share every matrix
    product. Accelerators are not affected. What the user has set stays: ``JAX_NUM_CPU_DEVICES``
    or ``--xla_force_host_platform_device_count`` decide the number of devices, a flag already in
    ``XLA_FLAGS`` stands. ``JAX_NUM_CPU_DEVICES=1`` therefore switches to one device with XLA's own
    threads.

    Does nothing once JAX's backends are up: they cannot be changed any more.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if "JAX_NUM_CPU_DEVICES" in os.environ or "host_platform_device_count" in flags:
        return
    try:
        jax.config.update("jax_num_cpu_devices", count or len(os.sched_getaffinity(0)))
    except RuntimeError:  # the backends are up
        return
    ours = [flag for flag in _ours() if flag.partition("=")[0][2:] not in flags]
    os.environ["XLA_FLAGS"] = " ".join([flags, *ours]).strip()


def users(flags: str) -> str:
    """What of ``XLA_FLAGS`` is not by :func:`configure`."""
    return " ".join(flag for flag in flags.split() if flag not in _ours())


def _ours() -> list[str]:
    return [f"--{name}={value}" for name, value in _CPU_FLAGS.items()]


def forget_programs(share: float = 0.25) -> None:
    """Forgets what was compiled, where that takes a share of the memory maps a process may have.

    On a CPU a recipe's programs take about 900 of them, and XLA ends a process that has none left
    (of 65,530 by Linux's default) by a segmentation fault. Does nothing where they are not told.
    """
    try:
        most = int(pathlib.Path("/proc/sys/vm/max_map_count").read_text())
        with open("/proc/self/maps", "rb") as maps:
            used = sum(1 for _ in maps)
    except OSError:
        return
    if used > share * most:
        jax.clear_caches()
        gc.collect()  # what refers to itself holds programs too


def mesh(seeds: int = 1) -> Mesh:
    """All devices as (seeds x rows): whole trainings side by side, then rows of a batch.

    As many devices along ``SEEDS`` as divide both the seeds and a process's own devices evenly.
    Where several processes work together the rows of every training are spread over all of them.
    """
    own = jax.local_device_count()
    along = math.gcd(seeds, own)
    devices = np.array(jax.devices()).reshape(-1, along, own // along)
    return _mesh(devices.swapaxes(0, 1).reshape(along, -1))


def local_mesh() -> Mesh:
    """This process's own devices as (1 x rows)."""
    return _mesh(np.array(jax.local_devices())[None])


def _mesh(devices: np.ndarray) -> Mesh:
    return Mesh(devices, (SEEDS, ROWS), axis_types=(AxisType.Auto,) * 2)
