from report.timed import case, record, row

from rnnsent.report import benchmark


def test_packing_is_a_row_per_work(tmp_path):
    page = benchmark.write(record(case("packing", 132)), tmp_path)
    assert row(page, "lstm training step") == ["132", "88.8", "100.0", "10.0", "12.5", "0.80"]


def test_a_case_that_failed_as_a_whole_says_why(tmp_path):
    failed = case()
    failed.results, failed.samples, failed.counts, failed.floor = {}, {}, None, {}
    failed.failed = "TypeError: of the cell"
    assert "failed: TypeError: of the cell" in benchmark.write(record(failed), tmp_path)
