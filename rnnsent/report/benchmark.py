"""A benchmark's record as something to read: ``benchmark.md`` and its figures.

A record is what ``benchmark.json`` holds, so a page can be written again without measuring.
"""

import pathlib
from collections.abc import Iterable, Sequence

import numpy as np

from rnnsent.benchmark import SUBJECTS, clock
from rnnsent.benchmark.case import PLAIN
from rnnsent.benchmark.measure import TASKS, Task
from rnnsent.benchmark.record import Counts, Floor, Measured, Operations, Record, Result
from rnnsent.report import speed
from rnnsent.report.markdown import escape

HEAD = (
    *("subject", "ms", "min to max", "x rnnsent", "95% interval"),
    *("x floor", "reviews/s", "compile, s"),
)

READING = """\
*ms*: median time of a step. *x rnnsent*, *x floor*: that time as a multiple of rnnsent's and of the
floor, the least time in which this machine can do the counted operations, measured in the same run.
*95% interval*: of the multiple of rnnsent's, by the bootstrap over rounds.
*compile*: tracing and compiling the step, or what the first call took beyond the next one.\
"""

MEMORY = """\
*temporary*: what XLA sets aside for the step beside weights, optimizer state and rows
(`memory_analysis()`), as a multiple of what plain `lax.scan` autodiff of the whole batch takes.
*resident*: the process's peak, libraries included.\
"""

UNITS = {
    "steps": "steps of time (T)",
    "batch": "rows in a batch (B)",
    "features": "width of the lower layer (H)",
    "seeds": "seeds in training (S)",
}


def title_of(name: str) -> str:
    return SUBJECTS[name].title if name in SUBJECTS else escape(name)


def write(record: Record, folder: pathlib.Path) -> str:
    """Writes ``benchmark.md`` and the figures beside it; returns the page's text."""
    page = [_heading(record)]
    for study in ("peers", "implementations"):
        if compared := [case for case in record.cases if case.study == study]:
            page += _compared(compared, folder, study)
    if packed := [case for case in record.cases if case.study == "packing"]:
        page += _packing(packed)
    for study, unit in UNITS.items():
        if swept := [case for case in record.cases if case.study == study]:
            page += _sweep(swept, unit, folder / f"scaling-{study}.png")
    page.append(_setup(record.cases))
    text = "\n\n".join(page) + "\n"
    (folder / "benchmark.md").write_text(text, encoding="utf-8")
    return text


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table that is aligned as plain text too: names left, numbers right."""
    rows = [list(header), *map(list, rows)]
    widths = [max(2, *map(len, column)) for column in zip(*rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = []
    for row in [rows[0], rule, *rows[1:]]:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _heading(record: Record) -> str:
    provenance, settings = record.provenance, record.settings
    versions = provenance.versions | {
        package: version
        for case in record.cases
        for result in case.results.values()
        for package, version in result.versions.items()
    }
    padded = "run together so that no row is padded, except where a heading says so"
    samples = f"{settings.rounds} of each subject, of about {settings.seconds} s or more"
    lines = [
        f"machine: {provenance.device.name}",
        f"versions: {', '.join(f'{name} {number}' for name, number in versions.items() if number)}",
        f"revision: {provenance.git or 'unknown'}, started {provenance.started}",
        f"command: {provenance.command}",
        f"reviews: {provenance.data['title']}, {padded}",
        f"samples: {samples}, the subjects in turns",
    ]
    return "# Benchmark\n\n" + "\n".join(f"- {escape(line)}" for line in lines)


def median(case: Measured, task: str, name: str) -> float:
    """Seconds per step."""
    return clock.summarise(case.samples[task][name]).median


def multiple(case: Measured, task: str, name: str) -> clock.Ratio:
    """Time per step as a multiple of rnnsent's; nan where rnnsent has no samples."""
    if "rnnsent" not in case.names():
        return clock.Ratio(*[float("nan")] * 3)
    return clock.ratio(case.samples[task][name], case.samples[task]["rnnsent"])


def _interval(times: clock.Ratio) -> str:
    return f"{times.low:.2f} to {times.high:.2f}" if np.isfinite(times.low) else "-"


def _compared(cases: list[Measured], folder: pathlib.Path, study: str) -> list[str]:
    """All subjects side by side, case by case."""
    drawn = [case for case in cases if case.names()]
    roofed = [case for case in drawn if case.floor and case.floor["train"].flops]
    page = [READING]
    if drawn:
        speed.bars(drawn, folder / f"{study}.png")
        page.append(
            _figure(
                f"{study}.png",
                "Bars of the time per step of every subject, for training and inference",
                "Median time per step; the whisker goes from the fastest to the slowest sample, "
                "the dashed line is the floor.",
            )
        )
    for case in cases:
        label = escape(case.label)
        for task, title in TASKS.items():
            page += [f"## {label}: {title}", table(HEAD, _times(case, task))]
            page += [_fastest_peer(case, task)]
            page += [_floor_line(case.floor[task])] if task in case.floor else []
            page += [line] if (line := _same_rounds_floor(case, task)) else []
        page += [f"### {label}: memory of a training step", MEMORY]
        page.append(table(_MEMORY_HEAD, _memory(case)))
        if case.counts and case.floor and "rnnsent" in case.names():
            page += [f"### {label}: where rnnsent's training step spends its time"]
            page.append(table(("part", "ms", "share"), _breakdown(case, case.counts)))
        if absent := _absent(case):
            page.append("\n".join(f"- {line}" for line in absent))
    if roofed and study == "peers":
        speed.roofline(roofed, folder / "roofline.png")
        page.append(
            _figure(
                "roofline.png",
                "Roofline: rate of every subject against the arithmetic intensity of its work",
                "Counted operations of the matrix products per second, against counted operations "
                "per byte of memory traffic at the least. The roofs were measured in the same run.",
            )
        )
    return page


def _figure(name: str, alt: str, caption: str) -> str:
    return f"![{alt}]({name})\n\n*{caption}*"


def _times(case: Measured, task: str) -> list[list[str]]:
    """A row per measured subject: ``HEAD``."""
    bound = case.floor[task].seconds if task in case.floor else float("nan")
    rows = []
    for name in case.names():
        times = multiple(case, task, name)
        summary = clock.summarise(case.samples[task][name])
        rows.append(
            [
                title_of(name),
                f"{summary.median * 1e3:.1f}",
                f"{summary.low * 1e3:.1f} to {summary.high * 1e3:.1f}",
                f"{times.value:.2f}",
                "" if name == "rnnsent" else _interval(times),
                f"{summary.median / bound:.2f}",
                f"{case.case.batch / summary.median:,.0f}",
                f"{case.results[name].compile_seconds[task]:.1f}",
            ]
        )
    return rows


def _fastest_peer(case: Measured, task: str) -> str:
    names = case.names()
    peers = [name for name in names if name in SUBJECTS and not SUBJECTS[name].ours]
    if not peers or "rnnsent" not in names:
        return "No peer to compare with."
    fastest = min(peers, key=lambda name: median(case, task, name))
    times = multiple(case, task, fastest)
    return (
        f"The fastest peer, {title_of(fastest)}, takes {times.value:.2f} times as long as rnnsent "
        f"(95% interval {_interval(times)})."
    )


def _floor_line(bound: Floor) -> str:
    products, elements, memory = (
        f"{s * 1e3:.1f}" for s in (bound.products, bound.elements, bound.memory)
    )
    if bound.flops_per_second:
        products += f" (at {bound.flops_per_second / 1e9:.0f} GFLOP/s)"
    if bound.elements_per_second:
        elements += f" (at {bound.elements_per_second / 1e9:.1f} G/s)"
    return (
        f"Floor {bound.seconds * 1e3:.1f} ms: matrix products {products}, tanh and sigmoid "
        f"{elements}; memory traffic meanwhile {memory} (at "
        f"{bound.bytes_per_second / 1e9:.0f} GB/s)."
    )


def _same_rounds_floor(case: Measured, task: str) -> str:
    """Like with like on an unsteady machine: the floor above is that of its best moment."""
    floors = [sample.products + sample.elements for sample in case.limits.get(task, [])]
    if "rnnsent" not in case.names() or not all(floors) or not floors:
        return ""
    times = clock.ratio(case.samples[task]["rnnsent"], floors)
    return (
        f"Against products, tanh and sigmoid as fast as in the same rounds rnnsent takes "
        f"{times.value:.2f} times as long (95% interval {_interval(times)})."
    )


_MEMORY_HEAD = ("subject", "temporary, MB", "x plain autodiff", "resident, MB")


def _memory(case: Measured) -> list[list[str]]:
    plain = case.temporary_bytes(PLAIN)
    rows = []
    for name in case.names():
        own, resident = case.temporary_bytes(name), case.results[name].memory.resident
        ratio = f"{own / plain:.2f}" if own and plain else "-"
        rows.append([title_of(name), _megabytes(own), ratio, _megabytes(resident)])
    return rows


def _megabytes(size: int | None) -> str:
    return f"{size / 1e6:,.1f}" if size else "-"


def _breakdown(case: Measured, counts: Counts) -> list[list[str]]:
    """Parts of rnnsent's training step in ms at the machine's rates, and what is left."""
    bound, counted = case.floor["train"], counts.operations

    def times(operations: Operations) -> tuple[float, float]:
        flops, elements = bound.flops_per_second, bound.elements_per_second
        return (
            operations.flops / flops if flops else 0.0,
            operations.transcendentals / elements if elements else 0.0,
        )

    (products, elements), (all_products, all_elements) = (
        times(of) for of in (counted["forward"], counted["gradient"])
    )
    taken = median(case, "train", "rnnsent")
    parts = {
        "matrix products, forward": products,
        "matrix products, gradients": 2 * products,
        "matrix products, forward computed again": max(all_products - 3 * products, 0.0),
        "tanh and sigmoid, forward": elements,
        "tanh and sigmoid, computed again": max(all_elements - elements, 0.0),
    }
    parts["the rest: element-wise gradients, dropout, masks, embedding, Adam"] = taken - sum(
        parts.values()
    )
    parts["in all"] = taken
    return [[name, f"{s * 1e3:.1f}", f"{100 * s / taken:.0f}%"] for name, s in parts.items()]


def _absent(case: Measured) -> list[str]:
    """A line for every subject that took no part, with the reason, and for a case without one."""
    lines = [
        f"{title_of(name)}: {escape(result.status)}: {escape(result.why)}"
        for name, result in case.results.items()
        if name not in case.names()
    ]
    return lines + ([f"failed: {escape(case.failed)}"] if case.failed else [])


def _packing(cases: list[Measured]) -> list[str]:
    head = ("work", "T", "real steps", "steps run", "packed, ms", "not packed, ms", "packed / not")
    rows = []
    for case in cases:
        if {"rnnsent", "rnnsent-scan"} <= set(case.names()) and case.counts:
            for task, title in TASKS.items():
                cell = escape(case.case.cell)
                rows.append(_packed_row(case, case.counts, task, f"{cell} {title}"))
    text = (
        "Real reviews as they are. Each row's real steps stand first and rows of similar length "
        "run together, so that a micro-batch takes only the steps of its longest row. *real "
        "steps*: a row's mean. *steps run*: a micro-batch's mean, of T."
    )
    absent = {line for case in cases for line in _absent(case)}
    return ["## What packing saves", text, table(head, rows), *(f"- {one}" for one in absent)]


def _packed_row(case: Measured, counts: Counts, task: Task, title: str) -> list[str]:
    packed, plain = (median(case, task, name) for name in ("rnnsent", "rnnsent-scan"))
    run = counts.steps_run
    numbers = (run["real"], run[task], packed * 1e3, plain * 1e3)
    steps = str(case.case.steps)
    return [title, steps, *(f"{number:.1f}" for number in numbers), f"{packed / plain:.2f}"]


def _sweep(cases: list[Measured], unit: str, figure: pathlib.Path) -> list[str]:
    page = [f"## Growth with the {unit}"]
    speed.scaling(cases, unit, figure)
    for cell in dict.fromkeys(case.case.cell for case in cases):
        own = [case for case in cases if case.case.cell == cell]
        names = list(dict.fromkeys(name for case in own for name in case.names()))
        for task, title in TASKS.items():
            columns = {title_of(name): _column(own, task, name, 1e3) for name in names}
            columns["floor"] = [
                case.floor[task].seconds * 1e3 if task in case.floor else float("nan")
                for case in own
            ]
            page += [f"### {escape(cell)}, {title}: ms", _growth(own, unit, columns)]
        columns = {title_of(name): [_mb(case, name) for case in own] for name in names}
        columns = {name: sizes for name, sizes in columns.items() if any(map(np.isfinite, sizes))}
        page += [
            f"### {escape(cell)}, memory of a training step: temporary MB",
            _growth(own, unit, columns),
        ]
    page.append(
        _figure(
            figure.name,
            f"Time and memory of a step against the {unit}, on logarithmic axes",
            f"Growth with the {unit}; a line of slope 1 doubles when the work doubles. The "
            "exponent is that of a power law through the upper half of the values.",
        )
    )
    absent = {line for case in cases for line in _absent(case)}
    return [*page, *(f"- {line}" for line in sorted(absent))]


def _column(cases: list[Measured], task: str, name: str, scale: float) -> list[float]:
    return [
        median(case, task, name) * scale if name in case.names() else float("nan") for case in cases
    ]


def _mb(case: Measured, name: str) -> float:
    return (case.temporary_bytes(name) or float("nan")) / 1e6


def _growth(cases: list[Measured], unit: str, columns: dict[str, list[float]]) -> str:
    """A row per value, and the exponent of a power law through the upper half of them."""
    values = [case.varied for case in cases]
    rows = [
        [f"{value:,}", *(f"{column[i]:,.1f}" for column in columns.values())]
        for i, value in enumerate(values)
    ]
    rows.append(["exponent", *(f"{_exponent(values, column):.2f}" for column in columns.values())])
    return table((unit, *columns), rows)


def _exponent(values: Sequence[float], column: Sequence[float]) -> float:
    upper = len(values) // 2
    x, y = np.log(values[upper:]), np.log(column[upper:])
    return float(np.polyfit(x, y, 1)[0]) if len(x) > 1 and np.isfinite(y).all() else float("nan")


def _setup(cases: list[Measured]) -> str:
    """How each subject was configured, and where its work differs."""
    results: dict[str, Result] = {}
    for case in cases:
        for name, result in case.results.items():
            if name not in results or not results[name].setting:
                results[name] = result
    lines = []
    for name, result in results.items():
        difference = SUBJECTS[name].difference if name in SUBJECTS else ""
        text = "; ".join(filter(None, (result.setting, difference)))
        text = text if result.setting else f"{result.status}: {result.why}"
        lines.append(f"- {title_of(name)}: {escape(text)}")
    return "## How the subjects were set up\n\n" + "\n".join(lines)
