import pytest
from claims_world import AS_MEASURED, record, results

from rnnsent import runs
from rnnsent.claims.record import Record
from rnnsent.errors import UserError


def test_a_record_is_read_back_as_it_was_written(tmp_path):
    made = record(results(AS_MEASURED, seeds=2))
    path = runs.write_record(tmp_path, made)
    assert runs.read_record(tmp_path, Record) == made
    assert path == tmp_path / "claims" / "record.json"


def test_a_folder_without_a_record_is_refused(tmp_path):
    with pytest.raises(UserError, match="claims/record.json cannot be read"):
        runs.read_record(tmp_path, Record)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"format": 3, "more": 2}', b"[1]", b"\xff"])
def test_a_damaged_record_is_refused_in_one_line(content, tmp_path):
    path = tmp_path / Record.FILE
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(UserError, match="cannot be read|earlier version") as error:
        runs.read_record(tmp_path, Record)
    assert "\n" not in str(error.value)
