import json
import re

import jax
import pytest

from rnnsent import data, provenance


@pytest.fixture(scope="module")
def toy():
    return data.load("toy", data.Encoding(num_words=60, maxlen=12))


def test_provenance_says_what_a_result_rests_on(toy):
    found = json.loads(json.dumps(provenance.of(toy)))
    assert found["data"]["source"] == "toy"
    assert found["versions"]["jax"] == jax.__version__
    assert found["device"]["devices"] == jax.local_device_count()
    assert re.match(r"[0-9a-f]{40}\+?$", found["git"] or "0" * 40)
    assert found["command"] and found["started"]


def test_what_is_set_of_what_changes_numbers_is_said(toy, monkeypatch):
    for name in ("XLA_FLAGS", "LIBTPU_INIT_ARGS", "NVIDIA_TF32_OVERRIDE"):
        monkeypatch.delenv(name, raising=False)
    assert provenance.flags() == {}, "of a JAX as it is installed"
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    with jax.default_matmul_precision("highest"):
        found = provenance.of(toy)["flags"]
    assert found == {
        "XLA_FLAGS": "--xla_cpu_enable_fast_math=true",
        "jax_default_matmul_precision": "highest",
    }


def test_a_package_inside_a_strangers_repository_has_no_revision(monkeypatch):
    monkeypatch.setattr(provenance, "__file__", jax.__file__)
    assert provenance.revision() is None
