"""How fast a training step and inference are: rnnsent, its peers, and the machine's limit.

Every subject does the same work on the same rows, in a process of its own, in turns with the
others; before the clock starts its logits and gradients are compared with a float64 reference.
"""

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.progress import Progress

from rnnsent import console, devices, runs
from rnnsent.config import DataOptions, cli, require
from rnnsent.data import Reviews
from rnnsent.model import PRESETS, ModelConfig
from rnnsent.benchmark import SUBJECTS, Case
from rnnsent.benchmark.measure import Plan, measure
from rnnsent.report import benchmark as report

NOT_QUICK = ("rnnsent-scan", "rnnsent-stored", "keras-jax", "torch-compile")
"""Left out by --quick, which takes one subject of each library."""

_SWEPT = ("rnnsent", "rnnsent-stored", "flax", "torch")


@dataclasses.dataclass(frozen=True)
class Study:
    """A question, as the cases that answer it.

    Attributes:
      values: what is varied, a case for each; one None where nothing is.
      subjects: who takes part unless the user says.
      guest: who takes part with a cell that is not the notebook's.
      rows: which rows it takes unless the user says, see :class:`Options`.
      least: steps of training in a sample at the least.
    """

    values: tuple[int | None, ...] = (None,)
    subjects: tuple[str, ...] = _SWEPT
    guest: tuple[str, ...] = ()
    rows: str = "full"
    least: int = 1


STUDIES = {
    "peers": Study(
        subjects=tuple(name for name in SUBJECTS if name != "rnnsent-seeds"),
        guest=("rnnsent", "flax"),
        rows="real",
        least=2,
    ),
    "packing": Study((132, 512), ("rnnsent", "rnnsent-scan"), rows="real"),
    "steps": Study((33, 66, 132, 264, 528, 1056)),
    "batch": Study((32, 128, 512, 2048)),
    "features": Study((32, 64, 128, 256, 512)),
    "seeds": Study((1, 2, 4, 8), ("rnnsent", "rnnsent-seeds")),
}


@dataclasses.dataclass(frozen=True)
class Options(DataOptions):
    """What to measure; the defaults take less than ten minutes on two cores."""

    study: tuple[Literal[tuple(STUDIES)], ...] = ("peers",)
    """peers: all subjects on the notebook's two models, and rnnsent and Flax on a GRU written as a
    user would write it. packing: real reviews of 132 and 512 steps, packed and not. steps, batch,
    features, seeds: the cost as it grows with the steps of time, the rows of a batch, the width of
    the layers, the models trained: one after another, and in one program. Several may be named."""
    cells: tuple[Literal["simple_rnn", "lstm", "gru"], ...] = ()
    """Cells of the models (default: the notebook's, in the study of peers a GRU too)."""
    subjects: tuple[Literal[tuple(SUBJECTS)], ...] = ()
    """Who takes part (default: what the study needs)."""
    rows: Literal["auto", "real", "full"] = "auto"
    """real: the reviews as they are, padded on the left, under the notebook's mask. full: reviews
    run together, so that all steps of a row are real and no peer needs a mask. auto: real for the
    peers and for packing, full where a cost is followed as it grows."""
    batch: int = 512
    """Rows in a step. Steps of time in a row: --maxlen."""
    rounds: int = 10
    """Samples of each subject."""
    seconds: float = 0.4
    """About how long a sample is, of one step or more; of rnnsent, whose training steps are one
    program, two in the study of peers."""
    quick: bool = False
    """For a first impression in less than two minutes: two short samples of one subject of each
    library on the LSTM. --cells and --subjects still choose others."""
    trace: bool = False
    """Also profile rnnsent's training step (jax.profiler) into the record's folder."""
    hlo: bool = False
    """Also write rnnsent's training step, as XLA compiled it, into the record's folder."""
    out: pathlib.Path = pathlib.Path("runs")
    """Where the folder with the record goes."""
    redraw: pathlib.Path | None = None
    """Measure nothing: write the tables and figures of this record's folder anew."""

    def __post_init__(self):
        require(bool(self.study), "Name at least one study.")
        for name in ("batch", "rounds"):
            value = getattr(self, name)
            require(value >= 1, f"--{name} is {value}, expected at least 1.")
        full = self.rows == "full" and "packing" in self.study
        require(not full, "There is nothing to pack in full rows; leave out --rows full.")
        require(self.seconds > 0, f"--seconds is {self.seconds}, expected more than 0.")


def main(options: Options) -> None:
    """Times training and inference against Keras, PyTorch and Flax on the same work."""
    if options.redraw is not None:
        record = runs.read_json(options.redraw / "benchmark.json")
        print(report.write(record, options.redraw))
        return
    devices.configure()
    if options.quick:
        options = dataclasses.replace(options, rounds=2, seconds=0.1)
    reviews = options.load()
    folder = runs.new_folder(options.out, "benchmark")
    console.say(f"{reviews.provenance['title']}; record in {folder}")
    record = {"settings": options, "provenance": runs.provenance(reviews), "cases": []}
    with Progress(console=Console(stderr=True), transient=True) as bar:
        for measured in _measured(options, reviews, folder, bar):
            record["cases"].append(measured)
            runs.write_json(folder / "benchmark.json", record)
            text = report.write(runs.read_json(folder / "benchmark.json"), folder)
    print(text)
    console.say(f"record: {folder / 'benchmark.json'}")
    _complain(record)


def _measured(
    options: Options, reviews: Reviews, folder: pathlib.Path, bar: Progress
) -> Iterator[dict[str, Any]]:
    """The cases of all studies, measured, one by one."""
    cases = [one for study in options.study for one in expand(study, options)]
    task = bar.add_task("", total=len(cases))
    for number, (label, named, case) in enumerate(cases, 1):

        def advance(doing, share, label=label):
            bar.update(task, advance=share, description=f"{label}: {doing}")

        plan = _plan(options, named, case, folder)
        measured = measure(case, rows_for(case, options, reviews), plan, advance)
        bar.update(task, completed=number)
        console.say(f"{label}: measured ({number} of {len(cases)})")
        yield named | {"label": label, "case": case} | measured


def _plan(options: Options, named: dict, case: Case, folder: pathlib.Path) -> Plan:
    # In a large case a few rows are enough; elsewhere a full batch spares its own compilation.
    large = case.batch * case.steps > Options.batch * Options.maxlen
    place = "-".join(str(part) for part in (*named.values(), case.config.cell) if part is not None)
    quick = options.quick and not options.subjects and named["study"] == "peers"
    return Plan(
        subjects_of(named["study"], case.config.cell, options),
        options.rounds,
        options.seconds,
        1 if options.quick else STUDIES[named["study"]].least,
        min(case.batch, 64) if large else case.batch,
        left_out=dict.fromkeys(NOT_QUICK, "left out by --quick") if quick else {},
        trace=folder / "trace" / place if options.trace else None,
        hlo=folder / "hlo" / f"{place}.txt" if options.hlo else None,
    )


def subjects_of(study: str, cell: str, options: Options) -> tuple[str, ...]:
    """Who takes part in a case."""
    chosen = STUDIES[study]
    if options.subjects:
        return options.subjects
    return chosen.guest if chosen.guest and cell not in PRESETS else chosen.subjects


def expand(study: str, options: Options) -> Iterator[tuple[str, dict[str, Any], Case]]:
    """Every case of a study: its label, what names it in the record, and the work."""
    guests = ("gru",) if STUDIES[study].guest else ()
    usual = ("lstm",) if options.quick else (*PRESETS, *guests)
    for cell in options.cells or usual:
        config = PRESETS.get(cell, ModelConfig(cell=cell))
        config = dataclasses.replace(config, vocab_size=options.num_words)
        rows = STUDIES[study].rows if options.rows == "auto" else options.rows
        base = Case(config, options.batch, options.maxlen, masked=rows == "real")
        for value in STUDIES[study].values:
            case = _varied(base, study, value)
            yield _label(case), {"study": study, "value": value}, case


def _varied(case: Case, study: str, value: int | None) -> Case:
    if study == "features":
        config = dataclasses.replace(case.config, features=(value, max(value // 2, 1)))
        return dataclasses.replace(case, config=config)
    field = {"packing": "steps"}.get(study, study)
    return case if value is None else dataclasses.replace(case, **{field: value})


def _label(case: Case) -> str:
    widths = "-".join(str(features) for features in case.config.features)
    label = f"{case.config.cell} {widths}, B={case.batch}, T={case.steps}"
    label += f", seeds={case.seeds}" if case.seeds > 1 else ""
    return label + (", padded reviews" if case.masked else "")


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


def _complain(record: dict[str, Any]) -> None:
    """Ends with code 1 where a subject failed: a comparison without it is not the one asked for."""
    failed = [
        f"{SUBJECTS[name].title} failed on {case['label']}: {result['why']}"
        for case in record["cases"]
        for name, result in case["results"].items()
        if result["status"] == "failed"
    ]
    if failed:
        raise SystemExit("\n".join(failed))


if __name__ == "__main__":
    cli(main, Options)
