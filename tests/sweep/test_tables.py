import csv
import sys

import pytest
from sweep import made

from rnnsent import recipes
from rnnsent.sweep import tables

HELD = made.of(
    ({}, [0.5, 1 / 3]), ({"dropout": 0.3}, [0.7, None]), ({"features": [8, 4]}, [0.1, 0.2])
)


def read(folder):
    with (folder / tables.CSV).open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_for_each_member_and_seed_says_the_whole_recipe(tmp_path):
    tables.write(HELD, tmp_path)
    rows = read(tmp_path)
    assert [(row["member"], row["seed"]) for row in rows] == [
        (member.name, str(seed)) for member in HELD.members for seed in (0, 1)
    ]
    assert rows[1]["validation_accuracy"] == repr(1 / 3)
    assert rows[3]["diverged"] == "2" and rows[3]["validation_accuracy"] == rows[3]["rank"] == ""
    assert rows[4]["features"] == "[8, 4]" and rows[4]["cell_options"] == "{}"
    for row in rows:
        recipe = recipes.changed(made.BASE, {"dropout": float(row["dropout"])})
        recipe = recipes.changed(recipe, {"features": eval(row["features"])})
        assert row["digest"] == recipes.digest(recipe) and row["member"] == recipe.name
        assert set(recipe.fields()) < set(row)


def test_parquet_holds_the_same_with_types(tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    tables.write(HELD, tmp_path)
    table = pq.read_table(tmp_path / tables.PARQUET)
    assert {n: str(table.schema.field(n).type) for n in ("rank", "seed", "dropout", "cell")} == {
        "rank": "int64", "seed": "int64", "dropout": "double", "cell": "string"
    }  # fmt: skip
    kinds = tables.columns() | dict.fromkeys(
        ("bidirectional", "residual", "layer_norm"), {"True": True, "False": False}.__getitem__
    )
    for typed, text in zip(table.to_pylist(), read(tmp_path), strict=True):
        assert typed == {n: kinds[n](value) if value else None for n, value in text.items()}


def test_without_pyarrow_the_other_is_written_and_a_line_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    tables.write(HELD, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [tables.CSV]
    assert "rnnsent[tables]" in capsys.readouterr().err
