"""Shared by all tests."""

import os
import resource
import signal
import subprocess
import sys
import threading

import hypothesis
import jax
import pytest

from rnnsent import devices

# Most of the suite's time is XLA's. Less optimised, and without the newer way to emit a CPU's
# fusions, a recurrence and its gradients compile in an eighth of it, those of the scripts too. What
# is compared with the float64 loop and with Keras is compiled as users have it
# (``reference.OPTIMISED``), and so is everything where XLA_FLAGS hold a level, 3 for theirs.
_LEVEL = "--xla_backend_optimization_level=0"
_EMITTERS = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"


def _known(flags: str) -> bool:
    """Whether this XLA takes them: it ends a process at a flag that it does not know."""
    env = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", "import jax; jax.devices()"]
    return subprocess.run(command, env=env, capture_output=True).returncode == 0


def pytest_configure():
    """Before JAX starts; xdist's workers, and all scripts, inherit the flags.

    Ctrl-C is tested too: whoever starts the suite in the background may have had it ignored.
    """
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    flags = os.environ.get("XLA_FLAGS", "")
    if _LEVEL.partition("=")[0] in flags:
        return
    quick = f"{flags} {_LEVEL} {_EMITTERS}".strip()
    os.environ["XLA_FLAGS"] = quick if _known(quick) else f"{flags} {_LEVEL}".strip()


# The same examples every day; HYPOTHESIS_PROFILE=search draws new ones, and keeps what fails.
hypothesis.settings.register_profile("repeat", derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile("search", derandomize=False, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))


@pytest.fixture(scope="session", autouse=True)
def _programs_are_compiled_once(tmp_path_factory):
    """What one test compiled serves the others, scripts too.

    Each of xdist's workers has a folder of its own, since JAX does not write there atomically. JAX
    0.12 has ended a process by a segmentation fault as it wrote a program, so it keeps none.
    """
    if jax.__version_info__ >= (0, 12):
        yield
        return
    options = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("programs")),
        "jax_persistent_cache_min_compile_time_secs": 0.1,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in options.items():
            patch.setenv(name.upper(), str(value))
            jax.config.update(name, value)
        yield


@pytest.fixture(scope="module", autouse=True)
def _programs_are_forgotten():
    """A suite compiles more than a process can hold."""
    yield
    devices.forget_programs()


@pytest.fixture(params=("full", "left", "right", "interior", "empty"))
def kind(request) -> str:
    """A kind of mask, for ``reference.mask_of``."""
    return request.param


@pytest.fixture(scope="session")
def keras():
    """Keras on JAX's backend."""
    os.environ["KERAS_BACKEND"] = "jax"
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "jax":
        pytest.skip(f"Keras runs on {keras.backend.backend()}")
    return keras


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """A folder with the run that the corpus damages; tests take a copy."""
    from corpus import folders

    place = tmp_path_factory.mktemp("made")
    folders.make(place)
    return place


@pytest.fixture
def opened(tmp_path, toy):
    """``opened()``: a run folder as a script opens it; of the test file's own ``toy`` reviews."""
    from rnnsent import provenance, runs

    made = provenance.of(toy)
    return lambda: runs.open_folder(tmp_path, tmp_path / "run", "test", toy, made)


@pytest.fixture
def no_room():
    """No file may grow beyond some bytes, as on a disk that is full."""
    held = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, held[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, held)
