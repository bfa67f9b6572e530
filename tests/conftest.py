"""Shared by all tests."""

import os

import jax
import pytest

# Most of the suite's time is XLA's: less optimised, programs compile in half of it, those of the
# scripts too. The classifier beside the float64 loop and beside Keras is compiled as users have it.
_LEVEL = "xla_backend_optimization_level"
if _LEVEL not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --{_LEVEL}=0".strip()


@pytest.fixture(scope="session", autouse=True)
def _programs_are_compiled_once(tmp_path_factory):
    """What one test compiled serves the others, scripts too.

    Each of xdist's workers has a folder of its own, since JAX does not write there atomically.
    """
    options = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("programs")),
        "jax_persistent_cache_min_compile_time_secs": 0.1,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in options.items():
            patch.setenv(name.upper(), str(value))
            jax.config.update(name, value)
        yield


@pytest.fixture(params=("full", "left", "right", "interior", "empty"))
def kind(request) -> str:
    """A kind of mask, for ``reference.mask_of``."""
    return request.param
