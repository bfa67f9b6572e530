import json

import msgspec
import numpy as np
import pytest

from rnnsent.errors import UserError
from rnnsent.runs import read_json, write_json


class Closed(msgspec.Struct, forbid_unknown_fields=True):
    """A file that holds nothing."""


def test_json_has_null_for_what_is_no_number(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"x": [np.float64("nan"), np.array([1.5, np.inf])], "y": tmp_path})
    assert json.loads(path.read_text(), parse_constant=pytest.fail) == {
        "x": [None, [1.5, None]],
        "y": str(tmp_path),
    }


def test_half_a_file_is_never_seen(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"x": 1})
    circular = []
    circular.append(circular)
    with pytest.raises((ValueError, RecursionError)):
        write_json(path, circular)
    assert read_json(path, dict) == {"x": 1}
    with pytest.raises(UserError, match="none.json cannot be read .No such file"):
        read_json(tmp_path / "none.json", dict)


@pytest.mark.parametrize("content", ['{"a": 1}', "[", '{"a\\nb": 1}', ""])
def test_a_damaged_file_is_one_line(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError, match="a.json cannot be read") as error:
        read_json(tmp_path / "a.json", Closed)
    assert "\n" not in str(error.value)
