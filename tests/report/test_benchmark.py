import pathlib

import msgspec
import pytest

from rnnsent.benchmark import SUBJECTS
from rnnsent.benchmark.record import Measured, Record
from rnnsent.report import benchmark, speed

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


def test_times_stand_beside_their_multiples(tmp_path):
    page = benchmark.write(record(case()), tmp_path)
    assert row(page, "Flax nn.RNN") == [
        *("30.0", "27.0 to 60.0", "3.00", "3.00 to 3.00"),
        *("6.00", "17,067", "2.0"),
    ]
    assert "fastest peer, PyTorch eager, takes 2.50 times as long as rnnsent (95% inte" in page
    assert "as in the same rounds rnnsent takes 2.00 times as long (95% interval 2.00 to" in page
    assert "Floor 5.0 ms: matrix products 4.0 (at 1000 GFLOP/s)" in page
    assert "jax.experimental.rnn (cuDNN): skipped: needs a GPU" in page
    assert "command: benchmark.py --quick" in page
    assert "machine: A machine, 2 cores" in page and "jax 1.2, flax 9.9" in page
    assert (tmp_path / "benchmark.md").read_text() == page


def test_memory_is_a_multiple_of_plain_autodiffs(tmp_path):
    page = benchmark.write(record(case()), tmp_path)
    memory = page[page.index("memory of a training step") :]
    assert row(memory, "rnnsent") == ["10.0", "0.67", "500.0"]
    assert row(memory, "PyTorch eager") == ["-", "-", "500.0"]


def test_the_parts_of_a_step_add_up(tmp_path):
    page = benchmark.write(record(case()), tmp_path)
    assert row(page, "matrix products, gradients") == ["2.0", "20%"]
    assert row(page, "matrix products, forward computed again") == ["1.0", "10%"]
    assert row(page, "tanh and sigmoid, computed again") == ["1.0", "10%"]
    assert row(page, "the rest: element-wise gradients, dropout, masks, embedding, Adam") == [
        *("4.0", "40%")
    ]


def test_growth_is_a_table_with_its_exponent_and_a_figure(tmp_path):
    cases = [case("steps", value, times=value / 100) for value in (100, 200, 400, 800)]
    del cases[1].samples["train"]["flax"], cases[1].samples["infer"]["flax"]
    cases[1].results["flax"].status, cases[1].results["flax"].why = "failed", "of no memory"
    page = benchmark.write(record(*cases), tmp_path)
    assert row(page, "200")[0] == "20.0" and row(page, "200")[3] == "nan"
    assert set(row(page, "exponent")) == {"1.00"}
    assert "failed: of no memory" in page
    assert "](scaling-steps.png)" in page


def test_packing_is_a_row_per_work(tmp_path):
    page = benchmark.write(record(case("packing", 132)), tmp_path)
    assert row(page, "lstm training step") == ["132", "88.8", "100.0", "10.0", "12.5", "0.80"]


def test_a_page_without_rnnsent_compares_nothing(tmp_path):
    alone = case()
    for part in (alone.results, *alone.samples.values()):
        part.pop("rnnsent")
    alone.counts = None
    page = benchmark.write(record(alone), tmp_path)
    assert "No peer to compare with." in page and "nan" in row(page, "Flax nn.RNN")


def test_a_page_without_a_floor_has_none(tmp_path):
    bare = case()
    bare.machine, bare.floor, bare.limits, bare.failed = None, {}, {}, "no floor: it ended"
    page = benchmark.write(record(bare), tmp_path)
    assert row(page, "rnnsent")[0] == "10.0" and "Floor" not in page
    assert "failed: no floor: it ended" in page and not (tmp_path / "roofline.png").exists()


def test_a_case_that_failed_as_a_whole_says_why(tmp_path):
    failed = case()
    failed.results, failed.samples, failed.counts, failed.floor = {}, {}, None, {}
    failed.failed = "TypeError: of the cell"
    assert "failed: TypeError: of the cell" in benchmark.write(record(failed), tmp_path)


def test_work_without_products_has_no_rates(tmp_path):
    light = case()
    for bound in light.floor.values():
        bound.flops, bound.products, bound.flops_per_second = 0.0, 0.0, None
    page = benchmark.write(record(light), tmp_path)
    assert "matrix products 0.0, tanh" in page and "roofline" not in page


def test_implementations_stand_side_by_side(tmp_path):
    page = benchmark.write(record(case("implementations", 132)), tmp_path)
    assert "](implementations.png)" in page and row(page, "rnnsent")[0] == "10.0"


@pytest.mark.parametrize("kind", ("bars", "roofline", "scaling"))
def test_every_figure_is_a_file(kind, tmp_path):
    path: pathlib.Path = tmp_path / "figure.png"
    cases = [case("batch", value, cell) for cell in ("lstm", "gru") for value in (32, 64)]
    if kind == "scaling":
        speed.scaling(cases, "rows", path)
    else:
        getattr(speed, kind)(cases, path)
    assert path.stat().st_size > 5000


def test_every_subject_has_a_look_of_its_own():
    looks = [speed._look(name) for name in SUBJECTS]
    assert len(set(looks)) == len(looks) and speed._look("unknown") not in looks
