"""Trainings that diverge: they end, are named, and leave the others' numbers as they are."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import pytest

from experiments import claims, compare, evaluate, predict
from rnnsent import config, devices, training
from rnnsent.model import PRESETS

pytestmark = pytest.mark.slow
OPTIONS = ["--data", "toy", "--quick", "--maxlen", "12", "--epochs", "1", "--seeds", "0", "1"]
TINY = {"features": (6, 4), "head": 4, "embedding_size": 4}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    presets = {name: dataclasses.replace(one, **TINY) for name, one in PRESETS.items()}
    for script in (compare, claims):
        monkeypatch.setattr(script, "PRESETS", presets)
    monkeypatch.setattr(devices, "configure", lambda: None)  # it is for a process of its own


@pytest.fixture
def lose(monkeypatch):
    """``lose((cell, seed), ...)``: the weights of those trainings come to be no numbers."""
    fit = training.fit

    def losing(*lost):
        def fitted(config, optimizer, state, *arguments, **options):
            this = (config.cell, int(jax.random.key_data(state.key)[-1]))
            state, history = fit(config, optimizer, state, *arguments, **options)
            if this in lost:
                state = state.replace(params=jax.tree.map(lambda a: a * jnp.nan, state.params))
            return state, history

        monkeypatch.setattr(training, "fit", fitted)

    return losing


def ended(script, *command) -> str:
    """What a script that must end with code 1 said at its end."""
    with pytest.raises(SystemExit) as end:
        config.cli(script.main, script.Options, list(map(str, command)))
    assert isinstance(end.value.code, str) and "\n" not in end.value.code  # code 1, and a line
    assert "--learning-rate" in end.value.code and "clip" in end.value.code
    return end.value.code


@pytest.mark.parametrize(
    "lost, counts, shown",
    [
        ([("lstm", 0)], ["n = 2", "one seed"], "seed 1"),
        ([("lstm", 0), ("simple_rnn", 1)], ["one seed", "one seed"], "SimpleRNN seed 0, LSTM"),
        ([("lstm", 0), ("lstm", 1)], ["n = 2"], "seed 0"),
    ],
)
def test_a_comparison_names_and_leaves_out_what_diverged(tmp_path, lose, lost, counts, shown):
    lose(*lost)
    run = tmp_path / "run"
    said = ended(compare, *OPTIONS, "--run", run)
    report = (run / "report.md").read_text()
    assert f"## Twenty reviews ({shown}" in report and "nan" not in report
    rows = [line for line in report.splitlines() if line.count("%") > 3]
    assert len(rows) == len(counts)
    assert all(count in row for count, row in zip(counts, rows, strict=True))
    titles = {"lstm": "LSTM", "simple_rnn": "SimpleRNN"}
    for cell, seed in lost:
        assert f"{titles[cell]} seed {seed} diverged in epoch 1" in said
        assert f"{titles[cell]} seed {seed} diverged in epoch 1" in report
        result = json.loads((run / cell / f"seed-{seed}" / "result.json").read_text())
        assert result["diverged"] == {"epoch": 1} and "test_accuracy" not in result
    assert (run / "report.html").read_text().count("<article") == 20
    assert ended(compare, *OPTIONS, "--run", run) == said


def test_where_all_diverged_nothing_is_reported(tmp_path):
    run = tmp_path / "run"
    command = [*OPTIONS, "--models", "simple_rnn", "--learning-rate", "1e30", "--run", run]
    said = ended(compare, *command)
    assert "seed 0 diverged" in said and "seed 1 diverged" in said and "nothing is left" in said
    assert not (run / "report.md").exists()
    assert ended(compare, *command) == said


def test_what_is_left_of_a_run_is_still_read(tmp_path, lose, capsys):
    lose(("lstm", 0))
    ended(compare, *OPTIONS, "--run", tmp_path)
    capsys.readouterr()
    config.cli(evaluate.main, config.RunOptions, [str(tmp_path)])
    out, err = capsys.readouterr()
    assert out.count("%") == 6 and "nan" not in out
    assert err == "Left out: lstm seed 0 diverged in epoch 1.\n"
    config.cli(predict.main, predict.Options, ["good film", "--run", str(tmp_path)])
    out, err = capsys.readouterr()
    assert out.count("0.") == 3 and "lstm seed 0" in err


def test_the_claims_leave_a_seed_out_of_all_conditions(tmp_path, lose):
    lose(("lstm", 1))
    said = ended(claims, *OPTIONS, "--run", tmp_path)
    report = (tmp_path / "report.md").read_text()
    assert "LSTM seed 1 diverged in epoch 1" in said and "LSTM seed 1 diverged" in report
    assert "\nSeeds 0; " in report
    assert not (tmp_path / "lstm" / "seed-1" / "measured.json").exists()
    assert ended(claims, *OPTIONS, "--run", tmp_path) == said
