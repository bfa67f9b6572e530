from report.timed import case, record, row

from rnnsent.report import benchmark


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


def test_work_without_products_has_no_rates(tmp_path):
    light = case()
    for bound in light.floor.values():
        bound.flops, bound.products, bound.flops_per_second = 0.0, 0.0, None
    page = benchmark.write(record(light), tmp_path)
    assert "matrix products 0.0, tanh" in page and "roofline" not in page


def test_implementations_stand_side_by_side(tmp_path):
    page = benchmark.write(record(case("implementations", 132)), tmp_path)
    assert "](implementations.png)" in page and row(page, "rnnsent")[0] == "10.0"
