"""Trainings on several devices and in several processes, against one device of this process."""

import concurrent.futures
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import on_devices
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from rnnsent import devices, processes
from rnnsent.errors import UserError

ROOT = pathlib.Path(__file__).parents[1]
SEEDS = (0, 3, 5)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def started(arguments: list[str], own_devices: int, **options) -> subprocess.Popen:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    env = os.environ | {"JAX_NUM_CPU_DEVICES": str(own_devices), "PYTHONPATH": path}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *arguments], env=env, **pipes, **options)


def said(running: list[subprocess.Popen]) -> list[tuple[str, str]]:
    """What each wrote on stdout and stderr; read at once, for each waits for the others."""
    with concurrent.futures.ThreadPoolExecutor(len(running)) as pool:
        return list(pool.map(lambda one: one.communicate(timeout=300), running))


@pytest.fixture(scope="module")
def one_device():
    assert jax.device_count() == 1
    return {seed: on_devices.stepped([seed])[0] for seed in SEEDS}, on_devices.whole()


def same_training(found, expected):
    """In float64, where rounding turns no path: the whole of it, losses and parameters."""
    for a, b in zip(found, expected, strict=True):
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-10), a, b)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "own_devices", "groups"),
    [
        pytest.param(1, 2, [[0], [0, 3], [0, 3, 5]], id="two devices"),
        pytest.param(1, 4, [[0]], id="four devices"),
        pytest.param(2, 1, [[0], [0, 3]], id="two processes"),
        pytest.param(4, 1, [[3]], id="four processes", marks=pytest.mark.ci),
    ],
)
def test_devices_and_processes_do_not_matter(one_device, count, own_devices, groups):
    """Seeds over devices, rows over them, and rows that do not divide."""
    steps, whole = one_device
    port = str(free_port())
    program = [str(ROOT / "tests/on_devices.py"), json.dumps(groups), str(count)]
    running = [started([*program, str(i), port], own_devices) for i in range(count)]
    for (out, err), one in zip(said(running), running, strict=True):
        assert one.returncode == 0, err
        devices_found, found, found_whole, summed = json.loads(out.splitlines()[-1])
        assert devices_found == count * own_devices
        same_training(found_whole, whole)
        # As docs/scaling.md counts: a gradient of every parameter, and three sums.
        assert summed in (4 * (sum(map(len, whole[1])) + 3), None)
        for seeds, results in zip(groups, found, strict=True):
            for seed, (loss, mean) in zip(seeds, results, strict=True):
                expected_loss, expected = steps[seed]
                assert loss == pytest.approx(expected_loss, rel=1e-6)
                for a, b in zip(mean, expected, strict=True):
                    np.testing.assert_allclose(a, b, rtol=0, atol=1e-6 * np.abs(b).max())


def test_micro_batches_do_not_matter(one_device):
    same_training(on_devices.whole(micro_batch=5), one_device[1])


ALONE = """
import jax, sys
from rnnsent import processes
jax.distributed.is_initialized = lambda: True
with processes.together():
    raise TypeError("a fault of ours")
"""


def test_a_fault_in_one_of_several_processes_ends_it_at_once():
    done = started(["-c", ALONE], 1)
    _, told = done.communicate(timeout=60)
    assert done.returncode == 1 and told.rstrip().endswith("TypeError: a fault of ours")


THROUGH = """
import jax, os
from rnnsent import processes
jax.distributed.is_initialized = lambda: True
with processes.together():
    print("the report")
os.abort()  # as JAX does where another process is gone
"""


def test_to_the_first_process_that_is_through_no_other_matters():
    done = started(["-c", THROUGH], 1)
    said, told = done.communicate(timeout=60)
    assert (done.returncode, said, told) == (0, "the report\n", f"{processes.DONE}\n")


def test_one_process_spreads_over_its_devices_and_holds_all():
    tree = {"a": jnp.arange(3.0)[None], "key": jax.random.key(1)[None]}
    sharding = NamedSharding(devices.mesh(), PartitionSpec(devices.SEEDS))
    found = processes.own(processes.spread(tree, sharding))
    np.testing.assert_array_equal(found["a"], tree["a"])
    assert jax.random.key_data(found["key"]).tolist() == jax.random.key_data(tree["key"]).tolist()


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ({"processes": 2}, "--coordinator"),
        ({"processes": 2, "process": 2, "coordinator": "a:1"}, "from 0"),
        ({"processes": 0}, "from 0"),
        ({"coordinator": "here"}, "HOST:PORT"),
        ({"coordinator": ":5678"}, "HOST:PORT"),
        ({"cluster": True, "processes": 2, "coordinator": "a:1"}, "--cluster"),
    ],
)
def test_places_that_are_none_are_refused(place, said):
    with pytest.raises(UserError, match=said):
        processes.Place(**place)


SCRIPT = (
    "-m experiments.compare --data toy --recipes notebook-simple-rnn --fits 1 --epochs 600 "
    "--maxlen 16 --features 4 --embedding-size 4 --head 4 --validation 0.2 --processes 2"
)


def together(cwd: pathlib.Path, *options: str) -> list[subprocess.Popen]:
    """Two processes of one comparison."""
    command = [*SCRIPT.split(), "--coordinator", f"127.0.0.1:{free_port()}", *options]
    return [started([*command, "--process", str(i)], 1, cwd=cwd) for i in range(2)]


@pytest.mark.ci
def test_a_process_that_dies_ends_the_others_and_the_run_goes_on(tmp_path):
    first, second = together(tmp_path)
    while not (kept := list(tmp_path.glob("runs/*/*/seed-0/last.json"))):
        assert first.poll() is None
        time.sleep(0.01)
    second.kill()
    (_, told), _ = said([first, second])
    assert first.returncode == 1
    assert told.splitlines()[-1] == processes.ENDED and "Traceback" not in told
    (folder,) = {path.parent for path in kept}
    assert not (folder / "result.json").exists()

    again = together(tmp_path, "--run", str(folder.parents[1]))
    (_, told), (out, _) = said(again)
    assert [one.returncode for one in again] == [0, 0]
    assert "goes on in epoch" in told and (folder / "result.json").exists()
    assert (folder / "best").exists()  # every process knows which it is, and the first keeps it
    assert "accuracy" not in out  # the first one alone reports
    assert len(list(tmp_path.glob("runs/*"))) == 1
