"""Runs that are killed, gone on with, and compared with one that never was.

python -m tests.kills                             at 20 random moments of a comparison
python -m tests.kills --moments 3 --seed 7        at as many, drawn from that seed
python -m tests.kills --events                    before every file event of a small one
python -m tests.kills --events --step 5           before every fifth

Each moment is a process of its own, ended by SIGKILL. What is left must be gone on with by the same
command, and come to the same: parameters and optimizer bit for bit, metrics, predictions, record
and the names of all files. Only times differ, and what is drawn from them.

A random moment is of any work in the folder: training, checkpoints, measuring, report. A file event
is what Python's own code does (files opened to be written, renamed, removed, folders made), as an
audit hook sees it; what Orbax's C++ threads write between two of them is not seen.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import random
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from typing import Any

RECIPE = """
cell = "simple_rnn"
features = [8]
head = 4
embedding_size = 4
epochs = 2
fits = 2
batch_size = 64
dropout = 0.1
learning_rate = 0.05
"""
OPTIONS = "--data toy --maxlen 12 --validation 0.3 --recipes tiny.toml --checkpoint-every 7 --run"
TIMES = ("seconds", "epoch_seconds", "training_seconds", "reviews_per_second", "origin")
EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate")
KILLED = -signal.SIGKILL
KILLS = 3
"""Random moments in one folder."""


def compare(run: pathlib.Path) -> None:
    """``experiments.compare`` as a user gives it, report included."""
    from experiments import compare
    from rnnsent import config

    config.cli(compare.main, compare.Options, [*shlex.split(OPTIONS), str(run)])


def train(run: pathlib.Path) -> None:
    """Its trainings only."""
    from rnnsent import data, provenance, recipes, runs

    recipe = recipes.find("tiny.toml")
    toy = data.load("toy", data.Encoding(num_words=60, maxlen=12), validation=0.3)
    with runs.open_folder(run.parent, run, "test", toy, provenance.of(toy)) as folder:
        runs.train(folder, recipe, [0, 1], toy, every=7)


PRELOADED = {
    "compare": ["experiments.compare", "matplotlib.pyplot"],
    "train": ["rnnsent.runs", "rnnsent.provenance"],
}


class Lab:
    """A place in which one work is done again and again, each time in a folder of its own.

    Compiled programs are kept for those that finish it; one that is killed has none, or a copy,
    since JAX does not write them atomically. All are forked from one that has imported everything.
    """

    def __init__(self, place: pathlib.Path, work: Callable[[pathlib.Path], None]):
        self.place, self.work = place, work
        self.programs = place / "programs"
        self.programs.mkdir()
        (place / "tiny.toml").write_text(RECIPE)
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(PRELOADED[work.__name__])

    def start(
        self, run: pathlib.Path, programs: pathlib.Path | None, event: int = 0
    ) -> BaseProcess:
        """The work as a process, which may be to kill itself before a file event."""
        process = self.context.Process(target=_process, args=(self.work, run, programs, event))
        process.start()
        return process

    def finish(self, run: pathlib.Path) -> dict[str, Any]:
        """Goes on to the end; what it came to."""
        process = self.start(run, self.programs)
        process.join(600)
        return self.finished(run, process)

    def finished(self, run: pathlib.Path, process: BaseProcess) -> dict[str, Any]:
        """What a process that has ended came to; an ``AssertionError`` where that is nothing."""
        said = run.with_suffix(".txt").read_text()
        if process.exitcode or "Traceback" in said:
            raise AssertionError(f"{run} was not gone on with:\n{said}")
        return come_to(run)

    def copied(self) -> pathlib.Path:
        """The programs for a process that will be killed."""
        copy = self.place / "copied"
        shutil.rmtree(copy, ignore_errors=True)
        return shutil.copytree(self.programs, copy)


def _process(
    work: Callable[[pathlib.Path], None],
    run: pathlib.Path,
    programs: pathlib.Path | None,
    event: int,
) -> None:
    """Does the work; what it says is in a file beside the folder."""
    import jax

    output = os.open(run.with_suffix(".txt"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.chdir(run.parent)
    os.environ["JAX_NUM_CPU_DEVICES"] = "1"
    jax.config.update("jax_num_cpu_devices", 1)
    jax.config.update("jax_compilation_cache_dir", programs and str(programs))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    if event:
        sys.addaudithook(_hook(str(run), event))
    work(run)


def _hook(run: str, event: int) -> Callable[[str, tuple], None]:
    """Ends this process before a file event below a folder."""
    left = event

    def hook(name: str, args: tuple) -> None:
        nonlocal left
        if name not in EVENTS or not isinstance(args[0], str | bytes | os.PathLike):
            return
        if name == "open" and not _writes(*args[1:3]):
            return
        if os.path.abspath(os.fsdecode(args[0])).startswith(run + os.sep):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    return hook


def _writes(mode: str | None, flags: int) -> bool:
    if mode:
        return any(letter in mode for letter in "wax+")
    return bool(flags & (os.O_WRONLY | os.O_RDWR))


def come_to(run: pathlib.Path) -> dict[str, Any]:
    """All that a finished run holds, without times."""
    import numpy as np

    from rnnsent.runs.reading import BEST, FINAL

    found: dict[str, Any] = {}
    if (run / "record.json").exists():
        found["record"] = _timeless(json.loads((run / "record.json").read_text()))
    for folder in sorted(run.glob("*/seed-*")):
        name = str(folder.relative_to(run))
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        found[f"{name}: metrics"] = [_timeless(json.loads(line)) for line in lines]
        found[f"{name}: result"] = _timeless(json.loads((folder / "result.json").read_text()))
        for kept in (FINAL, BEST):
            if (folder / kept).exists():
                states = _state(folder, kept).items()
                found |= {f"{name}: {kept} {leaf}": held for leaf, held in states}
        with np.load(folder / "predictions.npz") as held:
            found |= {f"{name}: {split}": held[split].tobytes() for split in held}
    paths = [path.relative_to(run) for path in sorted(run.rglob("*")) if path.is_file()]
    found["files"] = [str(path) for path in paths if not {FINAL, BEST} & {*path.parts}]
    return found


def _timeless(held: Any) -> Any:
    if isinstance(held, dict):
        return {name: _timeless(value) for name, value in held.items() if name not in TIMES}
    return [_timeless(value) for value in held] if isinstance(held, list) else held


def _state(folder: pathlib.Path, kept: str) -> dict[str, bytes]:
    """A state's arrays."""
    import jax
    import numpy as np

    from rnnsent import checkpoints, runs

    one = runs.read(folder)
    model = one.recipe.classifier(one.config.vocab_size)
    optimizer = one.recipe.optimizer(one.config.rows)
    state = checkpoints.restore(folder / kept, model, optimizer)
    state = state.replace(key=jax.random.key_data(state.key))
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {jax.tree_util.keystr(path): np.asarray(leaf).tobytes() for path, leaf in leaves}


def random_moments(lab: Lab, moments: int, seed: int) -> Iterator[str]:
    """Kills at random moments, up to three times in one folder; yields a line on each folder.

    Raises:
      AssertionError: for one that cannot be gone on with, or comes to something else.
    """
    draws = random.Random(seed)
    process = lab.start(lab.place / "whole", lab.programs)
    began = _begun(lab.place / "whole", process)
    process.join()
    lasted = time.monotonic() - began
    expected = lab.finished(lab.place / "whole", process)
    left = moments
    while left > 0:
        run, killed = lab.place / f"run-{left}", []
        while left > 0 and len(killed) < KILLS:
            process = lab.start(run, None)  # it compiles anew, so it takes as long
            begun = _begun(run, process)
            wait = draws.random() * lasted
            process.join(max(0.0, begun + wait - time.monotonic()))
            process.kill()
            process.join()
            if process.exitcode != KILLED:
                break
            killed.append(f"after {wait:.1f} s")
            left -= 1
        yield _judged(lab, run, f"killed {', '.join(killed) or 'never'}", expected)


def _begun(run: pathlib.Path, process: BaseProcess) -> float:
    """When the process had the folder."""
    while not run.with_suffix(".txt").exists() and process.exitcode is None:
        time.sleep(0.005)
    return time.monotonic()


def every_event(lab: Lab, step: int = 1) -> Iterator[str]:
    """Kills before every ``step``-th file event; yields a line on each; see ``random_moments``."""
    expected = lab.finish(lab.place / "whole")
    event = 1
    while True:
        run = lab.place / f"run-{event}"
        process = lab.start(run, lab.copied(), event)
        process.join()
        if process.exitcode != KILLED:
            assert process.exitcode == 0, run.with_suffix(".txt").read_text()
            yield f"There are fewer than {event} file events, by a few from run to run."
            return
        yield _judged(lab, run, f"killed at file event {event}", expected)
        event += step


def _judged(lab: Lab, run: pathlib.Path, what: str, expected: dict[str, Any]) -> str:
    """Goes on with what was left; says that it came to the same, or raises what did not."""
    left = sorted(path.name for path in run.glob("*/seed-*/*"))
    found = lab.finish(run)
    different = [name for name in found | expected if found.get(name) != expected.get(name)]
    if different:
        raise AssertionError(f"{run}, {what}: {', '.join(different)} differ")
    shutil.rmtree(run)
    return f"{what}, leaving {' '.join(left) or 'no training'}: the same"


def main() -> None:
    """Says a line on each moment; ends with an error at the first that is not as it should be."""
    parser = argparse.ArgumentParser(description="Kills runs, goes on with them, and compares.")
    parser.add_argument("--moments", type=int, default=20, help="how many random moments")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument("--events", action="store_true", help="before file events instead")
    parser.add_argument("--step", type=int, default=1, help="before every so manieth of them")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        lab = Lab(pathlib.Path(place), compare)
        if options.events:
            lines = every_event(lab, options.step)
        else:
            lines = random_moments(lab, options.moments, options.seed)
        for line in lines:
            print(line, flush=True)


if __name__ == "__main__":
    main()
