import shutil

import pytest

from rnnsent import runs
from rnnsent.errors import UserError


def test_a_runs_recipes_are_listed_shipped_ones_first(folder, tmp_path):
    run = tmp_path / "run"
    for name in ("sound-lstm", "another"):
        shutil.copytree(folder, runs.seed_folder(run, name, 3))
    twelfth = runs.seed_folder(run, "another", 12)
    shutil.copytree(folder, twelfth)
    with pytest.raises(UserError, match="seed-12 is damaged .result.json: it is of seed 3"):
        runs.finished(run)
    for name in ("config.json", "result.json"):
        held = (twelfth / name).read_text()
        (twelfth / name).write_text(held.replace('"seed": 3', '"seed": 12'))
    assert [one.folder.relative_to(run).as_posix() for one in runs.finished(run)] == [
        "sound-lstm/seed-3",
        "another/seed-3",
        "another/seed-12",
        "tiny/seed-3",
    ]
    assert runs.seeds(run, "another") == [3, 12] and runs.seeds(run, "none") == []
    with pytest.raises(UserError, match="holds no finished model"):
        runs.readable(tmp_path / "none")
