"""One subject in a process of its own: ``python -m rnnsent.benchmark.worker NAME FOLDER``.

It reads one JSON request per line from stdin and answers each with one JSON line on stdout.
``FOLDER`` holds ``case.json``, ``rows.npz``, and once the subject "reference" ran, ``params.npz``
and ``reference.npz``.
"""

import importlib.metadata
import json
import os
import pathlib
import sys
import traceback
from typing import TYPE_CHECKING, Any, TextIO

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from rnnsent import arrays, data, devices
from rnnsent.benchmark import clock, costs, limits
from rnnsent.benchmark.case import SUBJECTS, Case, Subject, build

if TYPE_CHECKING:
    from rnnsent.benchmark.subjects.ours import Rnnsent


def flatten(tree: dict) -> dict[str, np.ndarray]:
    """Parameters or gradients as ``layer/name``."""
    return traverse_util.flatten_dict(tree, sep="/")


def unflatten(flat: dict[str, np.ndarray]) -> dict:
    """The inverse of :func:`flatten`, but for parts without arrays."""
    return traverse_util.unflatten_dict(flat, sep="/")


def differences(logits_B: np.ndarray, grads: dict, exact: dict[str, np.ndarray]) -> dict[str, Any]:
    """Largest difference of the logits, and of a gradient leaf as a share of its largest entry."""
    leaves = {
        path: float(np.abs(a - exact[path]).max() / (np.abs(exact[path]).max() or 1.0))
        for path, a in flatten(grads).items()
    }
    return {
        "logits": float(np.abs(logits_B - exact["logits"]).max()),
        "gradients": max(leaves.values()),
        "worst_leaf": max(leaves, key=leaves.__getitem__),
    }


def _moved(a: Any) -> np.ndarray:
    """Biases start at zero, which would hide one that is lost on the way to a peer."""
    if not jnp.issubdtype(a.dtype, jnp.floating):
        return np.asarray(a)
    return np.asarray(a + 0.01 * np.cos(np.arange(a.size)).reshape(a.shape), np.float32)


class Worker:
    """Answers requests about one subject; one public method per request."""

    def __init__(self, name: str, folder: pathlib.Path):
        self.name, self.folder = name, folder
        self.subject: Subject | None = None
        self.case = Case.from_json(json.loads((folder / "case.json").read_text()))
        with np.load(folder / "rows.npz") as rows:
            self.ids_NT, self.label_N = rows["ids_NT"], rows["label_N"]

    def _built(self) -> Subject:
        if self.subject is None:
            raise RuntimeError("what is asked of a subject comes after build")
        return self.subject

    def _ours(self) -> "Rnnsent":
        from rnnsent.benchmark.subjects.ours import Rnnsent

        subject = self._built()
        if not isinstance(subject, Rnnsent):
            raise RuntimeError("only rnnsent's subjects count and print their program")
        return subject

    def reference(self, rows: int) -> dict[str, Any]:
        """Writes fresh parameters and, in float64, their exact logits and gradients."""
        from rnnsent import model
        from rnnsent.benchmark.subjects import ours

        params = jax.tree.map(_moved, model.init(self.case.model, jax.random.key(0)))
        ids_BT, label_B = self.ids_NT[:rows], self.label_N[:rows]
        logits_B, grads = ours.exact(self.case.model, params, ids_BT, label_B)
        arrays.save(self.folder / "params.npz", flatten(params))
        arrays.save(self.folder / "reference.npz", {"logits": logits_B, **flatten(grads)})
        return {"dtype": str(logits_B.dtype)}

    def build(self) -> dict[str, Any]:
        """Imports the subject's library and gives it weights and rows; nothing is compiled."""
        with np.load(self.folder / "params.npz") as flat:
            params = unflatten(dict(flat))
        self.subject = subject = build(self.name, self.case, params, self.ids_NT, self.label_N)
        setting = subject.setting
        if _NO_TRITON in os.environ.get("XLA_FLAGS", "") and jax.default_backend() == "gpu":
            setting += ", without XLA's Triton products, which take minutes to tune here"
        return {"setting": setting, "versions": _versions()}

    def check(self, rows: int) -> dict[str, Any]:
        """Compares logits and gradients of the first rows with the reference; before training."""
        logits_B, grads = self._built().reference(self.ids_NT[:rows], self.label_N[:rows])
        with np.load(self.folder / "reference.npz") as exact:
            errors = differences(logits_B, grads, dict(exact))
        clock.reset_peak()
        return errors

    def warm(self, task: str, seconds: float) -> dict[str, float]:
        """First calls: how long compiling takes, and how many steps make a sample of ``seconds``.

        Compiling is what the subject measured itself, or what the first call took beyond the last.
        """
        first, _, again = (self.sample(task, 1)["seconds"] for _ in range(3))
        compiling = getattr(self.subject, "compile_seconds", None) if task == "train" else None
        compiling = max(first - again, 0.0) if compiling is None else compiling
        return {"compile_seconds": compiling, "steps": clock.repeats(again, seconds)}

    def sample(self, task: str, steps: int) -> dict[str, float]:
        """Seconds per step of ``steps`` steps of "train" or "infer"."""
        run = getattr(self.subject, task)
        return {"seconds": clock.seconds(lambda: run(steps)) / steps}

    def memory(self) -> dict[str, int | None]:
        """Peak resident size since the check, and what XLA sets aside for a train step.

        The latter is beside arguments and results, summed over devices; None for other compilers.
        """
        program, temporary = getattr(self.subject, "program", None), None
        if program is not None:
            temporary = program.memory_analysis().temp_size_in_bytes
            temporary *= getattr(self.subject, "devices", 1)
        return {"resident": clock.peak_resident_bytes(), "temporary": temporary}

    def counts(self) -> dict[str, Any]:
        """What rnnsent's own step counts of itself: operations, and steps of time run."""
        subject = self._ours()
        operations = subject.operations()
        return {
            "operations": {name: counted._asdict() for name, counted in operations.items()},
            "steps_run": subject.steps_run(),
        }

    def trace(self, path: str) -> None:
        """Profiles two training steps into a folder, for TensorBoard or Perfetto."""
        with jax.profiler.trace(path):
            self._built().train(2)

    def hlo(self, path: str) -> None:
        """Writes the train step as XLA compiled it."""
        text = self._ours().program.as_text()
        if text is None:
            raise RuntimeError("XLA does not show what it compiled")
        pathlib.Path(path).write_text(text)

    def limit(self) -> dict[str, Any]:
        """Becomes the machine's limit on this case, to be asked for samples by ``bound``."""
        case, cores = self.case, jax.local_device_count()
        steps = float(data.lengths(self.ids_NT).mean())  # padding need not be computed
        share = -(-case.batch // cores)
        rows = min(share, 256)  # a core's cache holds the operands, and they fill its units
        times = steps * case.seeds * share / rows
        self.limits = {
            task: limits.Limit(
                costs.products(case.model, rows, times, train=task == "train"),
                costs.transcendentals(case.model, case.batch, steps) * case.seeds,
            )
            for task in ("train", "infer")
        }
        return {"cores": cores, "rows": rows, "steps": steps}

    def bound(self, task: str) -> dict[str, float]:
        """Seconds that the step's products and element-wise work take at the least."""
        return self.limits[task].sample()

    def bandwidth(self) -> dict[str, float]:
        return {"bytes_per_second": limits.copy_bytes_per_second()}


def _versions() -> dict[str, str]:
    packages = ("jax", "jaxlib", "flax", "optax", "keras", "tensorflow", "tensorflow_cpu", "torch")
    found = {}
    for package in packages:
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
        if package.removesuffix("_cpu") in sys.modules:
            found[package] = version
    return found


_NO_TRITON = "--xla_gpu_enable_triton_gemm=false"


def environment(name: str) -> dict[str, str]:
    """Variables that a subject's process starts with, beside those of this one."""
    variables = {
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # processes share an accelerator's memory
        "NVIDIA_TF32_OVERRIDE": "0",  # float32 is float32 for everyone
        "JAX_TRACEBACK_FILTERING": "off",  # a traceback ends with the error, not with a note on it
    }
    if jax.default_backend() == "gpu":
        variables |= {"JAX_DEFAULT_MATMUL_PRECISION": "highest"} | _xla_flags(name)
    if name == "reference":
        return variables | {"JAX_ENABLE_X64": "1"}
    return variables | (SUBJECTS[name].environment if name in SUBJECTS else {})


def _xla_flags(name: str) -> dict[str, str]:
    """Tuning Triton's products took minutes for programs of this size (H200, JAX 0.11.2)."""
    flags = os.environ.get("XLA_FLAGS", "")
    foreign = name in SUBJECTS and {"torch", "tensorflow"} & set(SUBJECTS[name].needs)
    if foreign or "xla_gpu_enable_triton_gemm" in flags:
        return {}
    return {"XLA_FLAGS": f"{flags} {_NO_TRITON}".strip()}


def main(name: str, folder: str) -> None:
    """Answers until stdin ends; the last line on stderr says in one line what went wrong."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # libraries that print do not disturb the answers
    try:
        _serve(name, pathlib.Path(folder), replies)
    except Exception as error:
        traceback.print_exc()
        first = (str(error).strip().splitlines() or [""])[0]
        raise SystemExit(f"{type(error).__name__}: {first}") from error


def _serve(name: str, folder: pathlib.Path, replies: TextIO) -> None:
    if name == "limit" or (name in SUBJECTS and SUBJECTS[name].ours):
        devices.configure()
    worker = Worker(name, folder)
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(worker, request.pop("do"))(**request)
        replies.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
