"""Bad inputs of every kind: exit code 2, one line that says what, and nothing is changed."""

import re
import shutil

import pytest
from corpus import commands, files, folders
from scripts import refused

from experiments import evaluate, predict
from rnnsent import config, devices
from rnnsent.data import sources

GO_ON = "experiments.compare --data toy --maxlen 12 --num-words 60 --recipes tiny.toml --run run"
READ = ("evaluate run", "predict good --run run", "inspect run --text good")


@pytest.fixture
def says(finished_run, tmp_path, monkeypatch, capsys):
    """``says(bad, command)``: asserts that a script refuses it as it should."""
    place = tmp_path / "here"
    shutil.copytree(finished_run, place)
    monkeypatch.setattr(sources, "fetch", lambda *_: False)

    def asserted(bad, command=""):
        monkeypatch.chdir(place)
        bad.make(place)
        before = snapshot(place)
        said = refused(command or bad.command, place, monkeypatch, capsys)
        assert bad.says in said, said
        assert said.startswith("error: ") and said.count("\n") == 1
        assert len(said) < 900
        assert snapshot(place) == before

    return asserted


def snapshot(place):
    """Every file's content, but of what lies beside prepared data."""
    found = {path.relative_to(place): path for path in place.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name.parts[0] != "d"}


def of(*cases):
    return pytest.mark.parametrize("bad", cases, ids=lambda bad: bad.name)


@pytest.mark.parametrize("command", READ, ids=lambda command: command.split()[0])
@of(*folders.TRAINING)
def test_a_run_with_a_damaged_training_is_not_read(bad, command, says):
    says(bad, f"experiments.{command}")


@pytest.mark.parametrize("command", READ, ids=lambda command: command.split()[0])
@of(*folders.CHECKPOINT, *folders.OTHER_MODEL, *folders.FORGED)
def test_a_checkpoint_that_is_not_the_models_is_not_read(bad, command, says):
    says(bad, f"experiments.{command}")


@pytest.mark.parametrize("command", READ, ids=lambda command: command.split()[0])
@of(*folders.VOCABULARY)
def test_a_run_with_damaged_files_is_not_read(bad, command, says):
    says(bad, f"experiments.{command}")


@of(*folders.PROVENANCE)
def test_a_run_on_data_that_is_none_is_not_measured(bad, says):
    says(bad, "experiments.evaluate run")


@of(*folders.TRAINING, *folders.CHECKPOINT, *folders.KEPT)
def test_a_run_with_a_damaged_training_does_not_go_on(bad, says):
    says(bad, GO_ON)


@of(*folders.TRAINING, *folders.CHECKPOINT, *folders.KEPT, *folders.REPEATED)
def test_a_damaged_run_is_not_repeated(bad, says):
    says(bad, "experiments.compare --from run")


@of(*folders.VOCABULARY)
def test_a_run_with_damaged_files_is_not_repeated(bad, says):
    says(bad, "experiments.compare --from run")


@of(*files.RECIPES)
@pytest.mark.parametrize("script", ["compare", "claims"])
def test_a_recipe_that_is_none_is_refused(bad, script, says):
    says(bad, f"experiments.{script} --data toy --recipes bad.toml")


@of(*files.ARCHIVES)
def test_an_archive_that_is_none_is_refused(bad, says):
    says(bad, "experiments.compare --data imdb --archive bad.tar --data-dir d --recipes tiny.toml")


@of(*files.INDICES)
@pytest.mark.parametrize("source", ["imdb", "imdb-train"])
def test_an_index_that_is_none_is_refused(bad, source, says):
    index = "--word-index bad.json --data-dir d --recipes tiny.toml"
    says(bad, f"experiments.compare --data {source} {index}")


@of(*files.RECORDS)
def test_a_record_that_is_none_is_not_drawn(bad, says):
    says(bad, "experiments.compare --redraw run")


@of(*files.OTHER_RECORDS, *files.SWEEPS)
def test_a_record_or_a_sweep_that_is_none_is_refused(bad, says):
    says(bad)


@of(*files.WEIGHTS)
def test_a_model_of_others_that_is_none_is_not_converted(bad, says):
    says(bad)


@of(
    *commands.TRAINING,
    *commands.REPEATING,
    *commands.READING,
    *commands.BENCHMARK,
    *commands.OTHERS,
)
def test_options_that_cannot_be_meant_are_refused(bad, says):
    says(bad)


def test_the_run_itself_is_whole_and_a_forged_accuracy_is_said(
    finished_run, tmp_path, monkeypatch, capsys
):
    """What the damage is done to is read without a word; but nothing was trained in it."""
    shutil.copytree(finished_run, tmp_path / "here")
    monkeypatch.setattr(devices, "configure", lambda: None)
    monkeypatch.chdir(tmp_path / "here")
    config.cli(evaluate.main, config.RunOptions, ["run"])
    out, err = capsys.readouterr()
    (now,) = re.findall(r"50.00% when trained and (.*)% now is more than another", err)
    assert err.count("\n") == 1
    folders.field(f"{folders.SEED}/result.json", "fits.0.test_accuracy", float(now) / 100, "").make(
        tmp_path / "here"
    )
    config.cli(evaluate.main, config.RunOptions, ["run"])
    config.cli(predict.main, predict.Options, ["good", "--run", "run"])
    out, err = capsys.readouterr()
    assert out.count("tiny") == 2 and not err
