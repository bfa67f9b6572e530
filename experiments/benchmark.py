"""How fast a training step and inference are: rnnsent, its peers, and the machine's limit.

Every subject does the same work on the same rows, in a process of its own, in turns with the
others; before the clock starts its logits and gradients are compared with a float64 reference.
"""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from rnnsent import console, costs, devices, runs, timing
from rnnsent.config import DataOptions, cli, require
from rnnsent.data import Reviews
from rnnsent.model import PRESETS, ModelConfig
from rnnsent.peers import SUBJECTS, Case, missing
from rnnsent.peers.worker import environment

TASKS = {"train": "training step", "infer": "inference"}

TOLERANCE = {"logits": 5e-5, "gradients": 1e-4}
"""Largest difference from the reference: of a logit, and of a gradient leaf as a share of its
largest entry."""

SWEEPS = {
    "none": (None,),
    "steps": (33, 66, 132, 264, 528, 1056),
    "batch": (32, 128, 512, 2048),
    "features": (32, 64, 128, 256, 512),
}


@dataclasses.dataclass(frozen=True)
class Options(DataOptions):
    """What to measure; the defaults take about ten minutes on two cores."""

    cells: tuple[Literal["simple_rnn", "lstm", "gru"], ...] = ("simple_rnn", "lstm", "gru")
    """The notebook's two models, and one with a GRU written as a user would write it."""
    subjects: tuple[Literal[tuple(SUBJECTS)], ...] = tuple(SUBJECTS)
    """Who takes part."""
    rows: Literal["full", "real"] = "full"
    """full: real reviews run together, so that all steps of a row are real and no peer needs a
    mask. real: the reviews as they are, padded on the left, under masks."""
    batch: int = 512
    """Rows in a step. Steps of time in a row: --maxlen."""
    rounds: int = 10
    """Samples of each subject."""
    train_steps: int = 3
    """Training steps in a sample."""
    infer_steps: int = 10
    """Batches of inference in a sample."""
    sweep: Literal[tuple(SWEEPS)] = "none"
    """Repeat for a row of values: of the steps of time, the batch, or the width of the layers."""
    quick: bool = False
    """Two rounds of one step for a first impression; less than two minutes."""
    out: pathlib.Path = pathlib.Path("runs")
    """Where the folder with the record goes."""

    def __post_init__(self):
        require(bool(self.cells and self.subjects), "Name at least one cell and one subject.")
        for name in ("batch", "rounds", "train_steps", "infer_steps"):
            value = getattr(self, name)
            require(value >= 1, f"--{name.replace('_', '-')} is {value}, expected at least 1.")


def main(options: Options) -> None:
    """Times training and inference against Keras, PyTorch and Flax on the same work."""
    devices.configure()
    if options.quick:
        options = dataclasses.replace(options, rounds=2, train_steps=1, infer_steps=2)
    reviews = options.load()
    folder = runs.new_folder(options.out, "benchmark")
    console.say(f"{reviews.provenance['title']}; record in {folder}")
    cases, results = list(expand(options)), Console()
    if not results.is_terminal:
        results.width = 120
    record = {"settings": options, "provenance": runs.provenance(reviews), "cases": []}
    with Progress(console=Console(stderr=True), transient=True) as bar:
        for label, case in bar.track(cases, description="cases"):
            rows = rows_for(case, options, reviews)
            measured = {"label": label, "case": case} | measure(case, rows, options, bar)
            record["cases"].append(measured)
            runs.write_json(folder / "benchmark.json", record)
            (folder / "benchmark.md").write_text(markdown(record))
            show(measured, results)
    console.say(f"record: {folder / 'benchmark.json'}")
    _complain(record)


def _complain(record: dict[str, Any]) -> None:
    """Ends with code 1 where a subject failed: a comparison without it is not the one asked for."""
    failed = [
        f"{SUBJECTS[name].title} failed on {case['label']}: {result['why']}"
        for case in record["cases"]
        for name, result in case["results"].items()
        if result.get("status") == "failed"
    ]
    if failed:
        raise SystemExit("\n".join(failed))


def expand(options: Options) -> Iterable[tuple[str, Case]]:
    """Every case with its name."""
    for cell in options.cells:
        config = PRESETS.get(cell, ModelConfig(cell=cell))
        config = dataclasses.replace(config, vocab_size=options.num_words)
        base = Case(config, options.batch, options.maxlen, masked=options.rows == "real")
        for value in SWEEPS[options.sweep]:
            yield _varied(base, options.sweep, value)


def _varied(case: Case, sweep: str, value: int | None) -> tuple[str, Case]:
    if sweep == "features":
        features = (value, value // 2)
        case = dataclasses.replace(case, config=dataclasses.replace(case.config, features=features))
    elif sweep != "none":
        case = dataclasses.replace(case, **{sweep: value})
    widths = "-".join(str(features) for features in case.config.features)
    return f"{case.config.cell} {widths}, B={case.batch}, T={case.steps}", case


def rows_for(case: Case, options: Options, reviews: Reviews) -> dict[str, np.ndarray]:
    """Distinct rows for eight batches; fewer where the reviews do not give as many."""
    if case.masked and case.steps != reviews.train.ids_NT.shape[1]:
        reviews = dataclasses.replace(options, maxlen=case.steps).load()
    ids_NT, label_N = reviews.train.ids_NT, reviews.train.label_N
    if case.masked:
        real_N = (ids_NT != 0).any(1)
        ids_NT, label_N = ids_NT[real_N], label_N[real_N]
    else:
        stream = ids_NT[ids_NT != 0]
        ids_NT = stream[: len(stream) // case.steps * case.steps].reshape(-1, case.steps)
    batches = max(1, min(8, len(ids_NT) // case.batch))
    rows_N = np.arange(batches * case.batch)
    return {"ids_NT": ids_NT[rows_N % len(ids_NT)], "label_N": label_N[rows_N % len(label_N)]}


class Process:
    """A subject's process, asked one thing at a time."""

    def __init__(self, name: str, folder: str):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rnnsent.peers.worker", name, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=os.environ | environment(name),
        )

    def ask(self, do: str, **arguments) -> dict[str, Any]:
        """The answer to one request; ``RuntimeError`` with its last words where it died."""
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if answer:
            return json.loads(answer)
        self.errors.seek(0)
        raise RuntimeError((self.errors.read().strip().splitlines() or ["it ended"])[-1])

    def close(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()


def measure(
    case: Case, rows: dict[str, np.ndarray], options: Options, bar: Progress
) -> dict[str, Any]:
    """All subjects on one case: what became of each, and the raw samples."""
    with tempfile.TemporaryDirectory(prefix="rnnsent-benchmark-") as folder:
        pathlib.Path(folder, "case.json").write_text(json.dumps(dataclasses.asdict(case)))
        np.savez(pathlib.Path(folder, "rows.npz"), **rows)
        # A sweep repeats what was checked at full size, so a part of the rows is enough.
        checked = case.batch if options.sweep == "none" else min(case.batch, 64)
        processes, results = {}, {}
        task = bar.add_task("preparing", total=len(options.subjects) + 2)
        try:
            reference = processes["reference"] = Process("reference", folder)
            reference.ask("reference", rows=checked)
            processes.pop("reference").close()
            bar.advance(task)
            limit = Process("limit", folder)
            processes["limit"] = limit
            results["limit"] = limit.ask("limit") | limit.ask("bandwidth")
            bar.advance(task)
            for name in options.subjects:
                bar.update(task, description=f"{SUBJECTS[name].title}: compile and check")
                results[name] = _prepare(name, folder, processes, options, checked)
                bar.advance(task)
            samples = _samples(processes, options, bar)
            for name, process in processes.items():
                if name != "limit":
                    results[name]["memory"] = process.ask("memory")
        finally:
            bar.remove_task(task)
            for process in processes.values():
                process.close()
    return {"results": results, "samples": samples, "floor": floor(case, samples, results["limit"])}


def _prepare(name, folder, processes, options, checked) -> dict[str, Any]:
    """Checks a subject and warms it up; it takes part only where its status is "measured"."""
    if gone := missing(name):
        return {"status": "skipped", "why": f"not installed: {', '.join(gone)}"}
    process = processes[name] = Process(name, folder)
    try:
        result = process.ask("prepare", rows=checked)
        for part, allowed in TOLERANCE.items():
            if not result["errors"][part] <= allowed:
                why = f"{part} differ from the reference by {result['errors'][part]:.1e}"
                raise RuntimeError(why)
        result["first_seconds"] = {
            task: process.ask("sample", task=task, steps=1)["seconds"] for task in TASKS
        }
        for task in TASKS:
            process.ask("sample", task=task, steps=2)
    except RuntimeError as error:
        processes.pop(name).close()
        return {"status": "failed", "why": str(error)}
    return {"status": "measured", **result}


def _samples(processes: dict, options: Options, bar: Progress) -> dict[str, dict[str, list]]:
    """Per task, the raw samples of every process in seconds per step, taken in turns."""
    steps = {"train": options.train_steps, "infer": options.infer_steps}
    out = {}
    for name, title in TASKS.items():
        task = bar.add_task(f"{title}, in turns", total=options.rounds * len(processes))
        subjects = {
            subject: _asker(process, subject, name, steps[name])
            for subject, process in processes.items()
        }
        out[name] = timing.interleave(subjects, options.rounds, lambda task=task: bar.advance(task))
        bar.remove_task(task)
    return out


def _asker(process: Process, subject: str, task: str, steps: int):
    if subject == "limit":
        return lambda: process.ask("bound", task=task)
    return lambda: process.ask("sample", task=task, steps=steps)["seconds"]


def floor(case: Case, samples: dict, limit: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Per task, the seconds that a step takes at the least, and what they are made of.

    Products and element-wise work share a core's units, so they add up; memory works meanwhile.
    The machine's best sample counts: a limit is not made by what disturbed the measurement.
    """
    out = {}
    for task, taken in samples.items():
        parts = {
            part: timing.summarise([sample[part] for sample in taken["limit"]]).low
            for part in ("products", "elements")
        }
        size = case.config, case.batch, case.steps
        flops = costs.flops(*size, train=task == "train")
        traffic = costs.traffic_bytes(*size, train=task == "train")
        parts["memory"] = traffic / limit["bytes_per_second"]
        seconds = max(parts["products"] + parts["elements"], parts["memory"])
        rate = flops / parts["products"]
        out[task] = {"seconds": seconds, "flops_per_second": rate, "flops": flops, **parts}
    return out


HEAD = ("subject", "ms, median", "min-max", "x rnnsent", "x floor", "reviews/s", "first call, s")
"""Columns: the median as a multiple of rnnsent's and of the floor; what compiling adds shows in
the first call."""


def table(measured: dict[str, Any], task: str) -> list[list[str]]:
    """A row per measured subject: ``HEAD``, and in training the peak of resident memory."""
    samples, bound = measured["samples"][task], measured["floor"][task]["seconds"]
    out = []
    for name, result in measured["results"].items():
        if name == "limit":
            continue
        if result["status"] != "measured":
            continue
        summary = timing.summarise(samples[name])
        ours = timing.summarise(samples["rnnsent"]).median if "rnnsent" in samples else float("nan")
        peak = result["memory"]["resident"] or float("nan")
        row = [
            SUBJECTS[name].title,
            f"{summary.median * 1e3:.1f}",
            f"{summary.low * 1e3:.1f}-{summary.high * 1e3:.1f}",
            f"{summary.median / ours:.2f}",
            f"{summary.median / bound:.2f}",
            f"{measured['case'].batch / summary.median:,.0f}",
            f"{result['first_seconds'][task]:.1f}",
        ]
        out.append([*row, f"{peak / 1e6:,.0f}"] if task == "train" else row)
    return out


def not_measured(measured: dict[str, Any]) -> list[str]:
    """A line for every subject that took no part, with the reason."""
    return [
        f"{SUBJECTS[name].title}: {result['status']}: {result['why']}"
        for name, result in measured["results"].items()
        if name != "limit" and result["status"] != "measured"
    ]


def _floor_line(bound: dict[str, float]) -> str:
    return (
        f"floor {bound['seconds'] * 1e3:.1f} ms: matrix products {bound['products'] * 1e3:.1f} "
        f"(at {bound['flops_per_second'] / 1e9:.0f} GFLOP/s), tanh and sigmoid "
        f"{bound['elements'] * 1e3:.1f}; memory traffic meanwhile {bound['memory'] * 1e3:.1f}"
    )


def show(measured: dict[str, Any], out: Console) -> None:
    """Prints one case: a table per task."""
    for task, title in TASKS.items():
        shown = Table(title=f"{measured['label']}: {title}")
        shown.caption = _floor_line(measured["floor"][task])
        for column in _head(task):
            shown.add_column(column, justify="left" if column == "subject" else "right")
        for row in table(measured, task):
            shown.add_row(*row)
        out.print(shown)
    for line in not_measured(measured):
        out.print(line, soft_wrap=True)


def _head(task: str) -> tuple[str, ...]:
    return (*HEAD, "peak MB") if task == "train" else HEAD


def markdown(record: dict[str, Any]) -> str:
    """The whole record for reading: machine, versions, tables, how the subjects were set up."""
    provenance = record["provenance"]
    versions = provenance["versions"] | {
        package: version
        for case in record["cases"]
        for result in case["results"].values()
        for package, version in result.get("versions", {}).items()
    }
    lines = [
        "# Benchmark",
        "",
        f"- machine: {provenance['device']['name']}",
        f"- versions: {', '.join(f'{k} {v}' for k, v in versions.items() if v)}",
        f"- revision: {provenance['git']}, started {provenance['started']}",
        f"- rows: {record['settings'].rows}, of {provenance['data']['title']}",
    ]
    for case in record["cases"]:
        for task, title in TASKS.items():
            lines += ["", f"## {case['label']}: {title}", ""]
            lines += ["| " + " | ".join(_head(task)) + " |", "|---" * len(_head(task)) + "|"]
            lines += ["| " + " | ".join(row) + " |" for row in table(case, task)]
            lines += ["", _floor_line(case["floor"][task])]
        lines += [f"\n{line}" for line in not_measured(case)]
    lines += ["", "## How the subjects were set up", ""]
    for name in record["settings"].subjects:
        settings = [case["results"][name].get("setting") for case in record["cases"]]
        notes = [note for note in (*settings[:1], SUBJECTS[name].difference) if note]
        lines.append(f"- {SUBJECTS[name].title}: {'; '.join(notes) or 'not measured'}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    cli(main, Options)
