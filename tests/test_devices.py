import json
import os
import subprocess
import sys

import jax
import pytest

from rnnsent import devices

SHOW = """
import json, os
from rnnsent import devices
{configure}
import jax
print(json.dumps([jax.local_device_count(), os.environ.get("XLA_FLAGS", "")]))
"""


def show(configure: str, **env: str):
    clean = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", "JAX_NUM_CPU_DEVICES")}
    command = [sys.executable, "-c", SHOW.format(configure=configure)]
    out = subprocess.run(command, env=clean | env, capture_output=True, text=True, check=True)
    return json.loads(out.stdout)


def test_importing_changes_nothing():
    assert show("") == [1, ""]


def test_each_core_gets_a_device():
    count, flags = show("devices.configure()")
    assert count == len(os.sched_getaffinity(0))
    assert "--xla_cpu_multi_thread_eigen=false" in flags
    assert devices.users(flags) == ""


def test_what_a_user_set_is_told_from_what_was_added():
    _, flags = show("devices.configure()", XLA_FLAGS="--xla_cpu_enable_fast_math=true")
    assert len(flags.split()) == 3 and devices.users(flags) == "--xla_cpu_enable_fast_math=true"


@pytest.mark.parametrize(
    "env, count, flags",
    [
        ({"JAX_NUM_CPU_DEVICES": "3"}, 3, ""),
        (
            {"XLA_FLAGS": "--xla_force_host_platform_device_count=3"},
            3,
            "--xla_force_host_platform_device_count=3",
        ),
    ],
)
def test_what_the_user_set_stays(env, count, flags):
    assert show("devices.configure()", **env) == [count, flags]


def test_programs_are_forgotten_where_they_take_too_many_of_a_process_memory_maps():
    program = jax.jit(lambda x: x + 1)
    program(1)
    devices.forget_programs()
    assert program._cache_size() == 1, "far from the limit"
    devices.forget_programs(share=0.0)
    assert program._cache_size() == 0 and program(1) == 2


def test_too_late_is_harmless():
    assert show("import jax; jax.devices(); devices.configure()")[1] == ""
