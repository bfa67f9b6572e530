"""A sweep as one tidy table: a row for each member and seed, as CSV and as Parquet.

It holds what follows from recipe, seed and data and nothing else: times are in the record. So two
runs of one sweep on one machine make the same table, byte for byte.
"""

import csv
import io
import json
import os
import pathlib
import typing
from collections.abc import Iterable
from typing import Any

from rnnsent import console
from rnnsent.recipes import Recipe
from rnnsent.sweep.record import Figures, Member, Record, Training

CSV, PARQUET = "table.csv", "table.parquet"

WITHOUT = "table.parquet is left out: it needs pip install 'rnnsent[tables]'; table.csv is there."


def write(record: Record, folder: pathlib.Path) -> None:
    """Writes both files, the second where pyarrow is installed."""
    kinds, rows = columns(), list(rows_of(record))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, kinds, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    _replace(folder / CSV, out.getvalue().encode("utf-8"))
    if (content := _parquet(kinds, rows)) is None:
        console.say(WITHOUT)
    else:
        _replace(folder / PARQUET, content)


def _replace(path: pathlib.Path, content: bytes) -> None:
    """Writes all of a file or nothing of it."""
    partial = path.with_suffix(path.suffix + ".partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def columns() -> dict[str, type]:
    """Type of each column; a recipe's lists and tables are texts of JSON.

    ``rank`` is of the member, ``diverged`` the epoch in which a training did; both may be missing,
    and the four figures are where it did.
    """
    hints = typing.get_type_hints(Recipe)
    fields = {name: _kind(hint) for name, hint in hints.items() if name != "name"}
    measured = dict.fromkeys(Figures.__struct_fields__, float)
    told = {"member": str, "digest": str, "rank": int, "seed": int}
    return told | measured | {"epochs_trained": int, "diverged": int} | fields


def _kind(hint: Any) -> type:
    return hint if hint in (bool, int, float) else str


def rows_of(record: Record) -> Iterable[dict[str, Any]]:
    """The rows, members in their order, of each the seeds in theirs."""
    for member in record.members:
        for training in member.trainings:
            yield _row(member, training)


def _row(member: Member, training: Training) -> dict[str, Any]:
    figures = training.figures
    measured = {n: getattr(figures, n) if figures else None for n in Figures.__struct_fields__}
    return (
        {"member": member.name, "digest": member.digest, "rank": member.rank}
        | {"seed": training.seed}
        | measured
        | {"epochs_trained": training.epochs, "diverged": training.diverged}
        | {name: _scalar(value) for name, value in member.fields.items()}
    )


def _scalar(value: Any) -> Any:
    return json.dumps(value, sort_keys=True) if isinstance(value, list | tuple | dict) else value


def _parquet(kinds: dict[str, type], rows: list[dict[str, Any]]) -> bytes | None:
    """The file's content; None without pyarrow."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return None
    types = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
    schema = pa.schema([(name, types[kind]) for name, kind in kinds.items()])
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), out)
    return out.getvalue()
