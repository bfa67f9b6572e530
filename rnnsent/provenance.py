"""What a result rests on: data, versions, machine, revision of the source, command and time."""

import datetime
import importlib.metadata
import os
import pathlib
import platform
import shlex
import subprocess
import sys
from typing import Any

import jax

from rnnsent.data import Reviews

_PACKAGES = (
    "rnnsent",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "numpy",
    "orbax-checkpoint",
    "msgspec",
)


_ENVIRONMENT = ("XLA_FLAGS", "LIBTPU_INIT_ARGS", "NVIDIA_TF32_OVERRIDE")
_DEFAULTS = {
    "jax_default_matmul_precision": None,
    "jax_enable_x64": False,
    "jax_numpy_dtype_promotion": "standard",
    "jax_default_prng_impl": "threefry2x32",
    "jax_threefry_partitionable": True,
    "jax_disable_jit": False,
}
"""Of JAX's settings that change a result, what they are unless someone sets them."""


def of(reviews: Reviews) -> dict[str, Any]:
    """What a result on these reviews rests on, as JSON can hold it."""
    return {"data": reviews.provenance} | here()


def here() -> dict[str, Any]:
    """The same without data: versions, machine, flags, revision, command and time."""
    return {
        "versions": {"python": platform.python_version()} | {p: version(p) for p in _PACKAGES},
        "device": device(),
        "flags": flags(),
        "git": revision(),
        "command": command(),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def command() -> str:
    """The command line of this process, without the folders its script lies in."""
    return shlex.join([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]])


def device() -> dict[str, Any]:
    """The devices JAX uses and the processor's name."""
    devices = jax.local_devices()
    name = devices[0].device_kind if devices[0].platform != "cpu" else processor()
    return {"platform": devices[0].platform, "name": name, "devices": jax.device_count()}


def flags() -> dict[str, str]:
    """The settings of XLA and of JAX that numbers depend on, of which those that are set.

    Of the platform and the number of devices :func:`device` tells.
    """
    environment = {name: os.environ[name] for name in _ENVIRONMENT if os.environ.get(name)}
    of_jax = {name: getattr(jax.config, name, default) for name, default in _DEFAULTS.items()}
    changed = {name: str(v) for name, v in of_jax.items() if v != _DEFAULTS[name]}
    return environment | changed


def processor() -> str:
    """The processor's name and number of cores, as far as the system tells them."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.machine()


def version(package: str) -> str | None:
    """Version of an installed package; None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def revision() -> str | None:
    """Revision of the source this package runs from, ``+`` where it has changes; None without.

    A package that merely lies inside someone else's repository (a virtual environment's) has none.
    """
    source = pathlib.Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(source), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", str(pathlib.Path(__file__)))
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
