import sys

import numpy as np
import pytest

from rnnsent import inference, recipes, runs
from rnnsent.errors import UserError

GUEST = """
import jax.numpy as jnp
from rnnsent.cells import SimpleRNNCell


class Guest(SimpleRNNCell):
    \"\"\"A cell of the user's own.\"\"\"
"""


def test_each_file_of_a_finished_training_that_is_damaged_is_named(folder):
    changes = {
        "config.json": (b"{", b"{}", b"[]"),
        "metrics.jsonl": (b"x", b"", b"{}\n{}\n"),
        "predictions.npz": (b"PK", b"PK\3\4" + bytes(50), b""),
        "result.json": (b"{", b"{}", b"[]"),
    }
    for name, contents in changes.items():
        whole = (folder / name).read_bytes()
        for content in contents:
            (folder / name).write_bytes(content)
            with pytest.raises(UserError, match=f"{folder}.*(damaged|cannot be read|earlier)"):
                runs.load(folder)
        (folder / name).write_bytes(whole)
    runs.load(folder)


def test_the_parameters_come_back(finished, toy):
    model, seed, params = runs.restore(runs.read(runs.seed_folder(finished, "tiny", 3)))
    assert (model.cell, model.vocab_size, seed) == ("simple_rnn", 60, 3)
    trained = runs.load(runs.seed_folder(finished, "tiny", 3))
    assert runs.restore(trained, implementation="scan")[0] == model.clone(implementation="scan")
    logits_N = inference.predict(model, params, toy.test.ids_NT)
    np.testing.assert_array_equal(logits_N, trained.test_logits_N)


def test_a_guests_cell_is_run_only_where_it_is_named(toy, tmp_path, monkeypatch, capsys):
    """A run may come from someone else, and its cell's module may be anything."""
    (tmp_path / "guest_of_reading.py").write_text(GUEST)
    monkeypatch.syspath_prepend(tmp_path)
    cell = "guest_of_reading:Guest"
    recipe = recipes.Recipe(name="g", cell=cell, features=(4,), head=4, epochs=1)
    trained = runs.train(tmp_path / "run", recipe, [0], toy)[0]
    monkeypatch.delitem(sys.modules, "guest_of_reading")
    for named in ((), ("other:Guest",), ("guest_of_reading:Other",)):
        with pytest.raises(UserError, match=f"{cell}.*no part of rnnsent.*--cell {cell}"):
            runs.restore(runs.read(runs.seed_folder(tmp_path / "run", "g", 0)), named)
        assert "guest_of_reading" not in sys.modules
    model, _, params = runs.restore(runs.read(runs.seed_folder(tmp_path / "run", "g", 0)), [cell])
    logits_N = inference.predict(model, params, toy.test.ids_NT)
    np.testing.assert_array_equal(logits_N, trained.test_logits_N)
    assert "changed" not in capsys.readouterr().err
    (tmp_path / "guest_of_reading.py").write_text(GUEST + "# changed\n")
    runs.restore(runs.read(runs.seed_folder(tmp_path / "run", "g", 0)), [cell])
    assert f"source of the cell {cell} has changed" in capsys.readouterr().err
    with pytest.raises(UserError, match=f"another source of the cell {cell}"):
        runs.train(tmp_path / "run", recipe, [0], toy)
