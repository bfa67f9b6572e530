"""Subjects of a benchmark side by side: their times, their memory, and where ours is spent."""

import pathlib

from rnnsent.benchmark import SUBJECTS, clock
from rnnsent.benchmark.case import PLAIN
from rnnsent.benchmark.measure import TASKS
from rnnsent.benchmark.record import Counts, Floor, Measured, Operations
from rnnsent.report import speed
from rnnsent.report.markdown import escape
from rnnsent.report.timing import absent, figure, interval, median, multiple, table, title_of

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

MEMORY_HEAD = ("subject", "temporary, MB", "x plain autodiff", "resident, MB")


def compared(cases: list[Measured], folder: pathlib.Path, study: str) -> list[str]:
    """All subjects side by side, case by case."""
    drawn = [case for case in cases if case.names()]
    roofed = [case for case in drawn if case.floor and case.floor["train"].flops]
    page = [READING]
    if drawn:
        speed.bars(drawn, folder / f"{study}.png")
        page.append(
            figure(
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
        page.append(table(MEMORY_HEAD, _memory(case)))
        if case.counts and case.floor and "rnnsent" in case.names():
            page += [f"### {label}: where rnnsent's training step spends its time"]
            page.append(table(("part", "ms", "share"), _breakdown(case, case.counts)))
        if missing := absent(case):
            page.append("\n".join(f"- {line}" for line in missing))
    if roofed and study == "peers":
        speed.roofline(roofed, folder / "roofline.png")
        page.append(
            figure(
                "roofline.png",
                "Roofline: rate of every subject against the arithmetic intensity of its work",
                "Counted operations of the matrix products per second, against counted operations "
                "per byte of memory traffic at the least. The roofs were measured in the same run.",
            )
        )
    return page


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
                "" if name == "rnnsent" else interval(times),
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
        f"(95% interval {interval(times)})."
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
        f"{times.value:.2f} times as long (95% interval {interval(times)})."
    )


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
