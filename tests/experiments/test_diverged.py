"""Trainings that diverge: they end, are named, and leave the others' numbers as they are."""

import jax
import jax.numpy as jnp
import pytest

from experiments import compare, evaluate, predict
from rnnsent import config, devices, fitting, runs
from rnnsent.compare.record import Record

pytestmark = pytest.mark.slow
OPTIONS = ("--data", "toy", "--maxlen", "12", "--seeds", "0", "1")
TINY = "features = [6, 4]\nhead = 4\nembedding_size = 4\nepochs = 1\n"
RECIPES = {"rnn": "simple_rnn", "lstm": "lstm"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The working directory, with two recipes in it."""
    for name, cell in RECIPES.items():
        (tmp_path / f"{name}.toml").write_text(f'cell = "{cell}"\n{TINY}')
    monkeypatch.setattr(devices, "configure", lambda: None)  # it is for a process of its own
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def lose(monkeypatch):
    """``lose((cell, seed), ...)``: the weights of those trainings come to be no numbers."""
    fit = fitting.fit

    def losing(*lost):
        def fitted(model, optimizer, states, *arguments, **options):
            (seed,) = (int(jax.random.key_data(state.key)[-1]) for state in states)
            (state,), history = fit(model, optimizer, states, *arguments, **options)
            if (model.cell, seed) in lost:
                state = state.replace(params=jax.tree.map(lambda a: a * jnp.nan, state.params))
            return [state], history

        monkeypatch.setattr(fitting, "fit", fitted)

    return losing


def ended(*command) -> str:
    """What a comparison that must end with code 1 said at its end."""
    command = [*OPTIONS, "--recipes", "rnn.toml", "lstm.toml", *map(str, command)]
    with pytest.raises(SystemExit) as end:
        config.cli(compare.main, compare.Options, command)
    assert isinstance(end.value.code, str) and "\n" not in end.value.code  # code 1, and a line
    assert "--learning-rate" in end.value.code and "--clip" in end.value.code
    return end.value.code


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param([("lstm", 0)], marks=pytest.mark.ci),
        [("lstm", 0), ("simple_rnn", 1)],
        pytest.param([("lstm", 0), ("lstm", 1)], marks=pytest.mark.ci),
    ],
)
def test_a_comparison_names_and_leaves_out_what_diverged(folder, lose, lost):
    lose(*lost)
    run = folder / "run"
    said = ended("--run", run)
    report = (run / "report.md").read_text()
    assert "nan" not in report
    for entrant in runs.read_record(run, Record).entrants:
        kept = [seed for seed in (0, 1) if (RECIPES[entrant.name], seed) not in lost]
        assert [one.seed for one in entrant.trainings if one.measured is not None] == kept
        for seed in {0, 1} - set(kept):
            assert f"{entrant.name} seed {seed} diverged in epoch 1" in said
            result = runs.read(runs.seed_folder(run, entrant.name, seed)).result
            assert result.diverged == 1 and not result.fits
    assert "diverged" in report and (run / "report.html").exists()
    assert ended("--run", run) == said


def test_where_all_diverged_a_page_says_so(folder):
    run = folder / "run"
    said = ended("--learning-rate", "1e30", "--run", run)
    assert "seed 0 diverged" in said and "seed 1 diverged" in said and "nothing is left" in said
    page = (run / "report.md").read_text()
    assert page.startswith("# Nothing is left to report") and "--learning-rate" in page
    assert page.count("in epoch 1, step 2 of ") == page.count("in epoch 1") == 4
    assert (
        "step 2 of" in said
        and page.count("largest gradient") == 4
        and (run / "report.html").exists()
    )
    assert not (run / "record.json").exists()
    assert ended("--learning-rate", "1e30", "--run", run) == said


@pytest.mark.ci
def test_what_is_left_of_a_run_is_still_read(folder, lose, capsys):
    lose(("lstm", 0))
    ended("--run", "run")
    capsys.readouterr()
    config.cli(evaluate.main, config.RunOptions, ["run"])
    out, err = capsys.readouterr()
    assert out.count("%") == 6 and "nan" not in out
    assert err == "Left out: lstm seed 0 diverged in epoch 1.\n"
    config.cli(predict.main, predict.Options, ["good film", "--run", "run"])
    out, err = capsys.readouterr()
    assert out.count("0.") == 3 and "lstm seed 0" in err
