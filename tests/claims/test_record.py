import pytest
from claims_world import AS_MEASURED, record, results

from rnnsent.claims import record as records
from rnnsent.errors import UserError


def test_a_record_is_read_back_as_it_was_written(tmp_path):
    made = record(results(AS_MEASURED, seeds=2))
    records.write(tmp_path, made)
    assert records.read(tmp_path) == made


def test_a_folder_without_a_record_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no claims"):
        records.read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"format": 2, "more": 2}', b"[1]", b"\xff"])
def test_a_damaged_record_is_refused_in_one_line(content, tmp_path):
    records.place(tmp_path).mkdir()
    (records.place(tmp_path) / records.NAME).write_bytes(content)
    with pytest.raises(UserError, match="cannot be read|earlier version") as error:
        records.read(tmp_path)
    assert "\n" not in str(error.value)
