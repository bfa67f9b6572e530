from report.timed import case, record, row

from rnnsent.report import benchmark


def test_growth_is_a_table_with_its_exponent_and_a_figure(tmp_path):
    cases = [case("steps", value, times=value / 100) for value in (100, 200, 400, 800)]
    del cases[1].samples["train"]["flax"], cases[1].samples["infer"]["flax"]
    cases[1].results["flax"].status, cases[1].results["flax"].why = "failed", "of no memory"
    page = benchmark.write(record(*cases), tmp_path)
    assert row(page, "200")[0] == "20.0" and row(page, "200")[3] == "nan"
    assert set(row(page, "exponent")) == {"1.00"}
    assert "failed: of no memory" in page
    assert "](scaling-steps.png)" in page
