"""Trained models to other kinds of files and back."""

import re

import numpy as np
import pytest
from scripts import COMPARED, refused

from experiments import convert
from rnnsent import config, data, devices, inference, interop, runs
from rnnsent.runs import reading

TOY = data.Encoding(maxlen=int(COMPARED[-1]))


@pytest.fixture
def training(compared, tmp_path, monkeypatch):
    """A finished training of the LSTM, from a folder of one's own."""
    (run,) = (compared[0] / "runs").iterdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(devices, "configure", lambda: None)  # it is for a process of its own
    return next(one for one in reading.finished(run) if one.recipe.cell == "lstm")


def converted(capsys, *arguments) -> str:
    capsys.readouterr()
    config.cli(convert.main, convert.Options, list(map(str, arguments)))
    return capsys.readouterr().out


def test_a_training_goes_through_every_kind_of_file_and_predicts_the_same(
    training, tmp_path, capsys
):
    said = converted(capsys, training.folder, "a.keras")
    assert "lstm of 128, 64" in said and "mask_zero=True" in said
    converted(capsys, "a.keras", "a.weights.h5")
    recipe = training.recipe.base
    assert "Weights do not say" in converted(
        capsys, "a.weights.h5", "a.safetensors", "--recipe", recipe
    )
    held = interop.load(tmp_path / "a.safetensors")
    model, _, params = runs.restore(training)
    assert held.model.clone(implementation="scan") == model.clone(implementation="scan")
    reviews = data.load("toy", TOY)
    np.testing.assert_array_equal(
        inference.predict(held.model, held.params, reviews.test.ids_NT),
        inference.predict(held.model, params, reviews.test.ids_NT),
    )


@pytest.mark.parametrize(
    "command, message",
    [
        ("{run} x.keras", "models; give one of"),
        ("{training} x.h5", "no model's file by its name"),
        ("{training} taken.keras", "exists already"),
        ("{training} nowhere/x.keras", "in a folder that exists"),
        ("nothing.keras x.safetensors", "There is no file nothing.keras"),
        ("nothing x.safetensors", "no model's file by its name"),
        (". x.safetensors", "holds no finished model"),
        ("taken.keras x.safetensors", "damaged or no .keras file"),
        ("{training} x.keras --recipe sound-lstm", "leave out --recipe"),
        ("{training} x.keras --cell a:B", "--cell: no model of this run .* 'a:B'; .*lstm"),
        ("{run} x.keras --cell a:B", "--cell: no model of this run .* 'a:B'; there is"),
        ("ours.keras x.safetensors --cell a:B", "ours.keras has not the cell 'a:B'; it has 'lstm'"),
        ("ours.safetensors x.keras --cell a:B", "has not the cell 'a:B'; it has 'lstm'"),
        ("ours.keras x.safetensors --recipe sound-lstm", "leave out --recipe"),
        ("ours.weights.h5 x.safetensors --recipe sound-gru", "cell is lstm, and gru in the recipe"),
        ("ours.weights.h5 x.safetensors --recipe none", "no recipe none"),
    ],
)
def test_a_users_mistake_is_one_line_and_nothing_is_written(
    training, tmp_path, monkeypatch, capsys, command, message
):
    (tmp_path / "taken.keras").write_text("mine")
    model, _, params = runs.restore(training)
    for name in ("ours.keras", "ours.weights.h5", "ours.safetensors"):
        interop.save(tmp_path / name, interop.Portable(model, params))
    before = sorted(tmp_path.iterdir())
    places = {"run": training.folder.parents[1], "training": training.folder}
    command = f"experiments.convert {command.format(**places)}"
    said = refused(command, tmp_path, monkeypatch, capsys)
    last = said.strip().splitlines()[-1]
    assert re.search(message, last) and sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "taken.keras").read_text() == "mine"
