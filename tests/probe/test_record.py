import json

import pytest
from probe_world import length, record, row

from rnnsent import runs
from rnnsent.errors import UserError
from rnnsent.probe import record as records
from rnnsent.probe.record import longest

MADE = record(row("a | <b>", length(8, (1, 1, 0)), length(16, (0, 0, 0), diverged=(2,))))


def test_a_record_is_read_back_as_it_was_written(tmp_path):
    runs.write_record(tmp_path, MADE)
    assert runs.read_record(tmp_path, records.Record) == MADE


@pytest.mark.parametrize("content", [b"", b"{}", b'{"format": 3, "more": 2}', b"[1]", b"\xff"])
def test_a_damaged_record_is_refused_in_one_line(content, tmp_path):
    with pytest.raises(UserError, match="record.json cannot be read"):
        runs.read_record(tmp_path, records.Record)
    (tmp_path / records.Record.FILE).write_bytes(content)
    with pytest.raises(UserError, match="cannot be read|earlier version") as error:
        runs.read_record(tmp_path, records.Record)
    assert "\n" not in str(error.value)


def test_the_longest_length_is_of_each_seed_and_said_to_be_capped_where_it_may_be_more():
    found = longest([length(8, (1, 1, 0)), length(16, (0, 1, 1)), length(32, (0, 0, 0))])
    assert found.each == (8, 16, 16) and found.median == 16 and found.span == (8, 16)
    assert found.cap is None
    assert longest([length(8, (0, 0, 0))]).each == (0, 0, 0)
    assert longest([length(8, (1, 0, 0))]).cap == 8


def test_what_diverged_is_told():
    (line,) = MADE.lost()
    assert "adding, 16 steps, seed 2" in line


def test_a_kept_length_is_of_the_same_training(tmp_path):
    path = tmp_path / "adding-8.json"
    assert records.kept(path, "digest", (0, 1)) is None
    held = length(8, (1, 0))
    runs.write_json(path, held)
    assert records.kept(path, "digest", (0, 1)) == held
    for digest, seeds in (("other", (0, 1)), ("digest", (0,)), ("digest", (1, 0))):
        with pytest.raises(UserError, match="another recipe"):
            records.kept(path, digest, seeds)


def test_a_folder_is_for_one_process_and_one_experiment(tmp_path):
    with records.open_folder(tmp_path, None) as folder:
        with pytest.raises(UserError, match="Another process"):
            with records.open_folder(tmp_path, folder):
                pass
    with records.open_folder(tmp_path, folder) as again:
        assert again == folder
    (folder / "config.json").write_text(json.dumps({"experiment": "compare", "format": 3}))
    with pytest.raises(UserError, match="run of compare"):
        with records.open_folder(tmp_path, folder):
            pass
