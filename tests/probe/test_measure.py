"""Lengths that double, what a folder keeps of them, and how the work is counted."""

import pytest
from probe_world import length

from rnnsent import recipes
from rnnsent.errors import UserError
from rnnsent.probe import entrants, measure
from rnnsent.probe.entrants import Settings
from rnnsent.probe.measure import Probe, Work

SETTINGS = Settings((4,), 4, 100)


@pytest.fixture
def probe(tmp_path, monkeypatch):
    """A probe of three seeds to 32 steps whose trainings are made up, and what it measured."""
    measured, told = [], []
    (entrant,) = entrants.entrants(["sound-simple-rnn"], [], SETTINGS)
    solved = {8: (1, 1, 1), 16: (0, 1, 0), 32: (0, 0, 0), 64: (1, 1, 1)}

    def measured_as(self, entrant, task, steps):
        measured.append((task, steps))
        self.work.advanced(entrant, task, steps, 50, "half", False)
        self.work.advanced(entrant, task, steps, 50, "end", True)
        found = length(steps, solved[steps], task=task)
        return measure.Length(
            recipes.digest(entrant.recipe), task, steps, found.seconds, found.seeds
        )

    monkeypatch.setattr(Probe, "measure", measured_as)
    work = Work([entrant], ["adding"], 128, 100, lambda *one: told.append(one))
    return Probe(tmp_path, SETTINGS, (0, 1, 2), 128, work), entrant, measured, told


def test_lengths_double_until_no_seed_solves_one(probe):
    probe, entrant, measured, _ = probe
    row = probe.row(entrant, ["adding"])
    assert [one.length for one in row.tasks["adding"]] == [8, 16, 32]
    assert measured == [("adding", steps) for steps in (8, 16, 32)]


def test_what_the_folder_holds_is_not_measured_again_and_no_other_recipes(probe):
    probe, entrant, measured, _ = probe
    first = probe.row(entrant, ["adding"])
    del measured[:]
    assert probe.row(entrant, ["adding"]) == first and not measured
    (probe.run / entrant.folder / "adding-16.json").unlink()
    assert probe.row(entrant, ["adding"]) == first and measured == [("adding", 16)]
    (wider,) = entrants.entrants(["sound-simple-rnn"], [], Settings((5,), 4, 100))
    with pytest.raises(UserError, match="another recipe, width"):
        probe.row(wider, ["adding"])


def test_shares_of_the_work_grow_to_all_of_it(probe):
    probe, entrant, _, told = probe
    probe.row(entrant, ["adding"])
    shares = [share for share, *_ in told]
    assert shares == sorted(shares) and 0 < shares[0] < 0.05
    # What 32 steps took half of their budget for; 64 and 128 are known to be left out after it.
    assert shares[-1] == pytest.approx((4 + 8 + 16) / (4 + 8 + 16 + 64 + 128))


def test_a_recipe_keeps_how_it_starts_and_is_trained():
    first, second, cell = entrants.entrants(
        ["notebook-simple-rnn", "sound-simple-rnn"], ["gru"], Settings((6,), 4, 300)
    )
    assert first.recipe.recurrent_dropout == 0.1 and first.recipe.dropout == 0
    assert second.recipe.steps(4) == 300 and second.recipe.schedule == "cosine"
    assert second.recipe.recurrent_gain == 0.9 and second.recipe.features == (6,)
    assert (cell.name, cell.recipe.cell, cell.recipe.clip) == ("gru", "gru", 1)
    assert first.trial("parity", 8, SETTINGS).model.outputs == 2


@pytest.mark.parametrize(
    "named, words",
    [
        ((["sound-lstm", "sound-lstm"], []), "named twice"),
        ((["nothing"], []), "no recipe"),
        ((["sound-lstm"], ["nothing"]), "no cell"),
    ],
)
def test_who_cannot_take_part_is_refused(named, words):
    with pytest.raises(UserError, match=words):
        entrants.entrants(*named, SETTINGS)


def test_a_recipe_of_more_than_plain_layers_is_refused(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text('extends = "sound-lstm"\nbidirectional = true\npooling = "max"\n')
    with pytest.raises(UserError, match="my has bidirectional=True, pooling=max; the probe asks"):
        entrants.entrants([str(path)], [], SETTINGS)


def test_a_cell_that_cannot_start_so_is_refused_before_any_training(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text('extends = "sound-simple-rnn"\ncell = "lstm"\n')
    with pytest.raises(UserError, match="square"):
        entrants.check(entrants.entrants([str(path)], [], SETTINGS), ["adding"])
