import json

import msgspec
import pytest
from compare.made import ORIGIN

from rnnsent.errors import UserError
from rnnsent.recipes import SHIPPED
from rnnsent.runs import read_json, write_json
from rnnsent.runs.files import FORMAT
from rnnsent.runs.records import Config, Measured, Provenance, Result


def strictly(path):
    """What is read of JSON that must be valid: no bare NaN."""
    return json.loads(path.read_text(), parse_constant=pytest.fail)


def test_a_trainings_config_comes_back(tmp_path):
    path = tmp_path / "config.json"
    for recipe in SHIPPED.values():
        config = Config(recipe, "0" * 64, 3, 1000, 60, "packed")
        write_json(path, config)
        assert read_json(path, Config) == config
    held = strictly(path)
    for change in ({"seed": -1}, {"recipe": {}}, {"recipe": held["recipe"] | {"epochs": 0}}):
        write_json(path, held | change)
        with pytest.raises(UserError, match="config.json cannot be read"):
            read_json(path, Config)
    for number, version in ((1, "an earlier"), (FORMAT - 1, "an earlier"), (FORMAT + 1, "another")):
        write_json(path, held | {"format": number})
        with pytest.raises(UserError, match=f"of {version} version"):
            read_json(path, Config)


def test_a_provenance_of_before_flags_were_recorded_is_read(tmp_path):
    write_json(tmp_path / "provenance.json", ORIGIN)
    held = strictly(tmp_path / "provenance.json")
    assert held.pop("flags")
    write_json(tmp_path / "provenance.json", held)
    found = read_json(tmp_path / "provenance.json", Provenance)
    assert found == msgspec.structs.replace(ORIGIN, flags=None)


@pytest.mark.parametrize("fits, diverged", [(0, None), (1, 3), (0, 0)])
def test_a_result_is_measured_or_diverged(tmp_path, fits, diverged):
    measured = Measured(0.9, 0.8, 0.1, 0.2)
    data = {"source": "toy", "title": "t", "test_title": "tt", "train": 1, "test": 1}
    result = Result("T", 0, msgspec.convert(data, type=dict), (measured,), None, (1.0,), 1.0)
    path = tmp_path / "result.json"
    write_json(path, result)
    assert read_json(path, Result).final == measured
    write_json(path, strictly(path) | {"fits": [measured] * fits, "diverged": diverged})
    with pytest.raises(UserError, match="result.json cannot be read"):
        read_json(path, Result)
