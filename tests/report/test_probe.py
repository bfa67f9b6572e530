from probe_world import length, record, row

from rnnsent import runs
from rnnsent.probe import record as records
from rnnsent.report import probe
from rnnsent.report.blocks import Figure, Table, plain

MADE = record(
    row("good", length(8, (1, 1, 1)), length(16, (1, 1, 0)), length(32, (0, 1, 0))),
    row("bad <i>", length(8, (0, 0, 0), diverged=(1,))),
    row("lost", length(8, (0, 0, 0), diverged=(0, 1, 2))),
)


def table(number):
    tables = [block for block in probe.blocks(MADE) if isinstance(block, Table)]
    return [[plain(cell) for cell in row] for row in tables[number].rows]


def test_the_longest_lengths_stand_with_their_spread():
    good, bad, lost = table(0)
    assert good == ["good", "lstm", "16 (8 to ≥ 32)"]
    assert bad == ["bad <i>", "lstm", "–"] == ["bad <i>", *lost[1:]]


def test_each_length_has_its_seeds_score_and_gradients():
    assert table(1) == [
        ["good", "16 (8 to ≥ 32)", "3 of 3 (99.00%)", "2 of 3 (99.00%)", "1 of 3 (50.00%)"],
        ["bad <i>", "–", "0 of 3 (50.00%)", "–", "–"],
        ["lost", "–", "0 of 3 (diverged)", "–", "–"],
    ]
    good, _, lost = table(2)
    assert good[:3] == ["good", "16 (8 to ≥ 32)", "5.0e-01 → 2.5e-01"]
    assert lost == ["lost", "–", "5.0e-01 → –", "–", "–"]


def test_the_page_is_drawn_and_drawn_again_alike(tmp_path):
    report = probe.write(MADE, tmp_path)
    page = (tmp_path / "report.html").read_bytes()
    assert page.count(b"<img") == 2 == sum(isinstance(block, Figure) for block in report)
    assert b"bad &lt;i&gt;" in page and b"<i>" not in page
    assert "seed 1: diverged" in (tmp_path / "report.md").read_text()
    runs.write_record(tmp_path, MADE)
    probe.write(runs.read_record(tmp_path, records.Record), tmp_path)
    assert (tmp_path / "report.html").read_bytes() == page
