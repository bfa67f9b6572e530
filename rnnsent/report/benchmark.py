"""A benchmark's record as something to read: ``benchmark.md`` and its figures.

A record is what ``benchmark.json`` holds, so a page can be written again without measuring.
"""

import pathlib

from rnnsent.benchmark import SUBJECTS
from rnnsent.benchmark.measure import TASKS, Task
from rnnsent.benchmark.record import Counts, Measured, Record, Result
from rnnsent.report import growth, peers
from rnnsent.report.markdown import escape
from rnnsent.report.setting import flags
from rnnsent.report.timing import absent, median, table, title_of


def write(record: Record, folder: pathlib.Path) -> str:
    """Writes ``benchmark.md`` and the figures beside it; returns the page's text."""
    page = [_heading(record)]
    for study in ("peers", "implementations"):
        if compared := [case for case in record.cases if case.study == study]:
            page += peers.compared(compared, folder, study)
    if packed := [case for case in record.cases if case.study == "packing"]:
        page += _packing(packed)
    for study, unit in growth.UNITS.items():
        if swept := [case for case in record.cases if case.study == study]:
            page += growth.sweep(swept, unit, folder / f"scaling-{study}.png")
    page.append(_setup(record.cases))
    text = "\n\n".join(page) + "\n"
    (folder / "benchmark.md").write_text(text, encoding="utf-8")
    return text


def _heading(record: Record) -> str:
    origin, settings = record.origin, record.settings
    versions = origin.versions | {
        package: version
        for case in record.cases
        for result in case.results.values()
        for package, version in result.versions.items()
    }
    padded = "run together so that no row is padded, except where a heading says so"
    samples = f"{settings.rounds} of each subject, of about {settings.seconds} s or more"
    lines = [
        f"machine: {origin.device.name}",
        f"versions: {', '.join(f'{name} {number}' for name, number in versions.items() if number)}",
        f"revision: {origin.git or 'unknown'}, started {origin.started}.{flags(origin)}",
        f"command: {origin.command}",
        f"reviews: {origin.source.title}, {padded}",
        f"samples: {samples}, the subjects in turns",
    ]
    return "# Benchmark\n\n" + "\n".join(f"- {escape(line)}" for line in lines)


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
    missing = sorted({line for case in cases for line in absent(case)})
    return ["## What packing saves", text, table(head, rows), *(f"- {one}" for one in missing)]


def _packed_row(case: Measured, counts: Counts, task: Task, title: str) -> list[str]:
    packed, plain = (median(case, task, name) for name in ("rnnsent", "rnnsent-scan"))
    run = counts.steps_run
    numbers = (run["real"], run[task], packed * 1e3, plain * 1e3)
    steps = str(case.case.steps)
    return [title, steps, *(f"{number:.1f}" for number in numbers), f"{packed / plain:.2f}"]


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
