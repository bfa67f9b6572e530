"""Made-up benchmarks: nothing is measured."""

import msgspec

from rnnsent.benchmark.record import Measured, Record

PLAIN = "rnnsent-scan-stored"
MS = {"rnnsent": 10.0, PLAIN: 15.0, "rnnsent-scan": 12.5, "flax": 30.0, "torch": 25.0}


def case(
    study: str = "peers", value: int | None = None, cell: str = "lstm", times: float = 1.0
) -> Measured:
    """A made-up case as ``benchmark.json`` holds it; training takes ``MS * times``."""
    samples, limits = {}, {}
    for task, part in (("train", 1.0), ("infer", 0.25)):
        scales = [times * part * f / 1e3 for f in (0.9, 1, 2)]
        samples[task] = {name: [ms * scale for scale in scales] for name, ms in MS.items()}
        limits[task] = [{"products": 4 * s, "elements": 1 * s} for s in scales]
    results = {
        name: {
            "status": "measured",
            "setting": "made up",
            "compile_seconds": {"train": 2.0, "infer": 1.0},
            "memory": {"resident": 500_000_000, "temporary": int(1e6 * ms * times)},
            "versions": {"flax": "9.9"},
        }
        for name, ms in MS.items()
    }
    results["torch"]["memory"]["temporary"] = None
    results["jax-cudnn"] = {"status": "skipped", "why": "needs a GPU"}
    bound = {
        "seconds": 0.005 * times,
        "products": 0.004 * times,
        "elements": 0.001 * times,
        "memory": 0.001,
        "flops": 3e9,
        "bytes": 1e8,
        "flops_per_second": 1e12,
        "elements_per_second": 1e9,
        "bytes_per_second": 1e10,
    }
    operations = {
        "forward": {"flops": 1e9, "transcendentals": 1e6},
        "gradient": {"flops": 4e9, "transcendentals": 2e6},
    }
    steps_run = {"train": 100.0, "infer": 90.0, "real": 88.8}
    model = {"cell": cell, "features": [128, 64]}
    content = {
        "study": study,
        "value": value,
        "label": f"{cell} {value}",
        "case": {"model": model, "batch": 512, "steps": 132, "masked": False, "seeds": 1},
        "results": results,
        "samples": samples,
        "limits": limits,
        "machine": {"cores": 2, "rows": 256, "steps": 132.0, "bytes_per_second": 1e10},
        "floor": {task: bound for task in samples},
        "counts": {"operations": operations, "steps_run": steps_run},
    }
    return msgspec.convert(content, Measured)


def record(*cases: Measured) -> Record:
    """As it is read back."""
    origin = {
        "device": {"platform": "cpu", "name": "A machine, 2 cores", "devices": 2},
        "versions": {"jax": "1.2", "absent": None},
        "git": None,
        "command": "benchmark.py --quick",
        "started": "today",
        "flags": {"XLA_FLAGS": "--xla_a=1"},
        "data": {
            **{"source": "toy", "title": "made-up reviews", "test_title": "accuracy"},
            **{"train": 1, "test": 1, "vocabulary": "counted", "num_words": 60, "maxlen": 16},
            **{"padding": "pre", "truncating": "pre"},
        },
    }
    content = {"settings": {"rounds": 3, "seconds": 0.4}, "origin": origin}
    encoded = msgspec.json.encode(content | {"cases": cases})
    return msgspec.json.decode(encoded, type=Record)


def row(page: str, name: str, occurrence: int = 0) -> list[str]:
    """The cells after the name of a table's row."""
    found = [line for line in page.splitlines() if line.startswith(f"| {name} ")]
    return [cell.strip() for cell in found[occurrence].strip("|").split("|")][1:]
