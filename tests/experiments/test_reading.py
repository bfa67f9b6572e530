"""evaluate, predict and inspect, on a folder that holds recipes of the user's own."""

import json
import pathlib
import re
import shutil
import sys

import jax
import msgspec
import numpy as np
import pytest
from scripts import refused, run

from experiments import convert, evaluate, export, inspect, predict
from rnnsent import (
    config,
    data,
    devices,
    evaluation,
    exported,
    inference,
    interop,
    provenance,
    runs,
)
from rnnsent.recipes import Recipe

GUEST = """
from rnnsent.cells import SimpleRNNCell


class Guest(SimpleRNNCell):
    \"\"\"A cell of the user's own.\"\"\"
"""
TINY = {"features": (8,), "head": 4, "embedding_size": 4, "epochs": 1}
FIRST = Recipe(name="first", cell="simple_rnn", **TINY)
SECOND = Recipe(name="second", cell="guest_of_scripts:Guest", **TINY)
CELL = ("--cell", SECOND.cell)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a user's module, and below ``runs`` two recipes of two seeds."""
    cwd = tmp_path_factory.mktemp("work")
    (cwd / "guest_of_scripts.py").write_text(GUEST)
    toy = data.load("toy", data.Encoding(num_words=60, maxlen=12))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(cwd)
        made = provenance.of(toy)
        with runs.open_folder(cwd / "runs", None, "test", toy, made) as folder:
            for recipe in (FIRST, SECOND):
                runs.train(folder, recipe, [0, 1], toy)
    sys.modules.pop("guest_of_scripts", None)  # another test may have compiled it all
    return cwd, folder


@pytest.fixture
def folder(trained, tmp_path, monkeypatch):
    """A copy of the run that may be changed, in the working directory."""
    shutil.copytree(trained[1], tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(trained[0])
    monkeypatch.setattr(devices, "configure", lambda: None)  # it is for a process of its own
    yield tmp_path / "run"
    sys.modules.pop("guest_of_scripts", None)


@pytest.fixture
def printed(capsys):
    """``printed(script, *command)``: what it printed."""

    def ran(script, *command):
        capsys.readouterr()
        options = script.Options if hasattr(script, "Options") else config.RunOptions
        config.cli(script.main, options, list(map(str, command)))
        return capsys.readouterr().out

    return ran


@pytest.mark.slow
def test_a_user_reads_the_newest_run_from_its_folder(trained):
    """In processes of their own, where a guest's cell is found beside the user."""
    cwd, folder = trained
    said = run("experiments.predict", "a good film", *CELL, cwd=cwd)
    assert "Trained on: toy" in said.stdout and len(re.findall(r"0\.\d{3}", said.stdout)) == 4
    done = run("experiments.inspect", "--review", "3", *CELL, cwd=cwd)
    assert "test review 3 (truth: " in done.stdout.splitlines()[0]
    assert (folder / "test-review-3.html").read_text().count("<article") == 1


def test_evaluate_measures_the_checkpoints_again(folder, printed):
    rows = [line for line in printed(evaluate, folder, *CELL).splitlines() if "%" in line]
    assert [row.split()[:2] for row in rows] == [
        [name, seed] for name in ("first", "second") for seed in "01"
    ]
    for row in rows:
        now, then = re.findall(r"\d+\.\d\d%", row)
        assert now == then


def test_what_is_read_takes_the_implementation_that_is_chosen(folder, printed, monkeypatch):
    restore, chosen = runs.restore, []

    def watched(*arguments):
        model, *others = restore(*arguments)
        chosen.append(model.implementation)
        return model, *others

    monkeypatch.setattr(runs, "restore", watched)
    option = ("--implementation", "scan")
    printed(evaluate, folder, *option)
    printed(predict, "good film", "--run", folder, *option)
    printed(inspect, folder, "--text", "good film", "--recipes", "first", *option)
    assert set(chosen) == {"scan"} and len(chosen) == 5


COMMANDS = ("evaluate run", "predict film --run run", "inspect run --text film")


@pytest.mark.parametrize("command", COMMANDS)
def test_what_needs_a_cell_that_was_not_named_is_left_out(folder, printed, capsys, command):
    name, *arguments = command.split()
    script = {"evaluate": evaluate, "predict": predict, "inspect": inspect}[name]
    whole = [line.split() for line in printed(script, *arguments, *CELL).splitlines()]
    sys.modules.pop("guest_of_scripts", None)
    config.cli(script.main, getattr(script, "Options", config.RunOptions), arguments)
    out, err = capsys.readouterr()
    err = re.sub(r"The page is .*\n$", "", err)
    assert "first" in out and "second" not in out and "guest_of_scripts" not in sys.modules
    lines = [line.split() for line in out.splitlines() if re.match("first(:| {2,})", line)]
    assert lines and all(line in whole for line in lines)
    assert err.startswith("Left out: second,") and err.endswith(f"add --cell {SECOND.cell}\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("cell", ["nomod:Nope", "guest_of_scripts:Typo", "lstm"])
def test_a_cell_that_no_model_has_is_said(folder, monkeypatch, capsys, command, cell):
    said = refused(f"experiments.{command} --cell {cell}", folder.parent, monkeypatch, capsys)
    assert f"the cell '{cell}'; there is 'simple_rnn', '{SECOND.cell}'." in said
    assert said.count("\n") == 1 and "guest_of_scripts" not in sys.modules


@pytest.mark.parametrize("command", COMMANDS)
def test_a_cell_whose_module_is_gone_is_said(folder, monkeypatch, capsys, command):
    path = folder / "second/seed-0/config.json"
    held = json.loads(path.read_text())
    held["recipe"]["cell"] = "nomod:Nope"
    path.write_text(json.dumps(held))
    said = refused(f"experiments.{command} --cell nomod:Nope", folder.parent, monkeypatch, capsys)
    assert "no cell 'nomod:Nope' (ModuleNotFoundError" in said or "cell nomod:Nope has no" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_where_every_cell_has_to_be_named_nothing_is_read(folder, monkeypatch, capsys, command):
    shutil.rmtree(folder / "first")
    said = refused(f"experiments.{command}", folder.parent, monkeypatch, capsys)
    assert f"add --cell {SECOND.cell}" in said and "guest_of_scripts" not in sys.modules


def test_inspect_says_what_predict_says(folder, printed):
    text = printed(predict, "a good film", "--run", folder, *CELL)
    options = ("--text", "a good film", "--seed", "1", "--out", "mine.html", *CELL)
    said = dict(
        re.findall(r"^(\S+): .* of positive (0\.\d\d)$", printed(inspect, folder, *options), re.M)
    )
    assert set(said) == {"first", "second"}
    for title, p in said.items():
        (line,) = [row for row in text.splitlines() if row.startswith(title)]
        by_seed = [float(value) for value in re.findall(r"0\.\d{3}", line)]
        assert float(p) == pytest.approx(by_seed[1], abs=0.006)
    assert "good" in (folder.parent / "mine.html").read_text()


def test_a_guests_model_is_converted_where_its_cell_is_named(folder, printed):
    source, target = folder / "second" / "seed-0", folder.parent / "x.safetensors"
    assert "guest_of_scripts:Guest of 8" in printed(convert, source, target, *CELL)
    assert target.exists()


def test_an_exported_model_says_what_predict_says(folder, printed):
    pytest.importorskip("flatbuffers")
    text = "a good film zzz"
    options = ("--out", "mine.pyz", *CELL)
    said = printed(export, folder / "second/seed-1", *options)
    assert "second, seed 1: " in said and "python mine.pyz" in said
    (line,) = [
        row
        for row in printed(predict, text, "--run", folder, *CELL).splitlines()
        if row.startswith("second")
    ]
    held = exported.load("mine.pyz")
    assert re.findall(r"0\.\d{3}", line)[1] == f"{held.probability([text])[0]:.3f}"
    assert held.about["trained_on"].startswith("toy: ")


@pytest.mark.ci
def test_the_best_epoch_is_read_where_it_is_asked_for(tmp_path, printed, monkeypatch):
    """Of a run with a validation part; a learning rate with which it is not the last one."""
    held_out = data.load("toy", data.Encoding(num_words=60, maxlen=12), validation=0.3)
    recipe = Recipe(name="swings", cell="simple_rnn", **TINY | {"epochs": 4}, batch_size=64)
    recipe = msgspec.structs.replace(recipe, learning_rate=0.05)
    monkeypatch.chdir(tmp_path)
    made = provenance.of(held_out)
    with runs.open_folder(tmp_path, tmp_path / "run", "test", held_out, made) as folder:
        (trained,) = runs.train(folder, recipe, [3], held_out)
    best, last = trained.best, trained.history[-1]
    assert best != last
    for option, line in (((), last), (("--best",), best)):
        said = printed(evaluate, "run", *option)
        assert said.count(f"{100 * line.validation_accuracy:.2f}%") == 2
        assert f"{line.validation_loss:.4f}" in said
        said = printed(inspect, "run", "--review", 1, *option)
        assert said.startswith("validation review 1 (")
        printed(convert, trained.folder, f"{len(option)}.safetensors", *option)
        model, _, params = runs.restore(trained, best=bool(option))
        written = interop.load(pathlib.Path(f"{len(option)}.safetensors"), ()).params
        jax.tree.map(np.testing.assert_array_equal, written, params)
        said = printed(predict, "good film", "--run", "run", *option)
        rows = data.encode_text("good film", *runs.load_vocabulary(folder))
        assert f"{evaluation.probability(inference.predict(model, params, rows))[0]:.3f}" in said


def test_predict_says_how_many_words_it_leaves_out(folder, printed):
    said = printed(predict, "A good film, zzz \x1b[31mqqq", "--run", folder)
    assert "Left out: 3 of 6 words," in said and "\x1b" not in said


def test_one_recipe_alone_can_be_inspected(folder, printed):
    """Without the guest's cell, which the other one has."""
    said = printed(inspect, folder, "--review", 3, "--recipes", "first")
    assert "first: " in said and "second" not in said


@pytest.mark.parametrize(
    "command, message",
    [
        ("inspect run --review 1 --recipes second", "add --cell guest_of_scripts:Guest"),
        ("inspect run --review 256 --recipes first", "0 to 255"),
        (
            "inspect run --review 1 --recipes gru",
            "no finished recipe gru; the run has first, second",
        ),
        ("inspect run --review 1 --seed 7", "no seed 7 of first; there is"),
        ("inspect run --review 1 --recipes first second third", "one or two"),
        ("inspect run --review 1 --text words", "either"),
        ("inspect run", "either"),
        ("inspect run --text zzz", "No known word"),
        ("predict zzz --run run", "No known word"),
        ("predict hello", "no finished run"),
        ("evaluate nothing", "no finished model"),
        ("evaluate run --best", "run/first/seed-0 has no best epoch"),
        ("predict film --run run --best", "run/first/seed-0 has no best epoch"),
        ("convert run/first/seed-0 x.safetensors --best", "seed-0 has no best epoch"),
        ("convert run.keras x.safetensors --best", "run.keras holds one state only"),
        ("export run/first/seed-0 --out x.pyz --best", "seed-0 has no best epoch"),
        ("export run --out x.pyz", "holds 2 models; give one of run/first/seed-0,"),
        ("export run/second/seed-0 --out x.pyz", "add --cell guest_of_scripts:Guest"),
        ("export run/first/seed-0 --out guest/x.pyz", "in a folder that exists"),
        ("export nothing --out x.pyz", "no finished model"),
        ("export --out x.pyz", "no finished run"),
        ("convert run/second/seed-0 x.safetensors", "add --cell guest_of_scripts:Guest"),
    ],
)
def test_a_users_mistake_is_one_message_and_code_2(folder, monkeypatch, capsys, command, message):
    said = refused(f"experiments.{command}", folder.parent, monkeypatch, capsys)
    assert message in " ".join(said.split())
    assert "guest_of_scripts" not in sys.modules


def test_what_a_run_of_others_says_is_text(folder, printed):
    """Neither the title of its data, nor a recipe's name, nor the folder's brings a file along."""
    secret = folder.parent / "secret.txt"
    secret.write_text("the canary sings")
    hostile = f"![x]({secret}) [click](http://evil.example/x) <b>[/red]"
    for name, key in (("provenance.json", "data"), ("first/seed-0/config.json", "recipe")):
        held = json.loads((folder / name).read_text())
        held[key]["title" if key == "data" else "name"] = hostile
        (folder / name).write_text(json.dumps(held))
    folder = folder.rename(folder.parent / "R![x](config.json)")
    out = folder.parent / "page.html"
    said = printed(inspect, folder, "--text", "good film", "--recipes", hostile, "--out", out)
    html = out.read_text()
    assert hostile in said and folder.name in html
    assert 'href="http' not in html and "<img" not in html and "<b>" not in html
    assert "base64" not in html and "the canary sings" not in html
    assert hostile.split()[0] in "".join(printed(predict, "good", "--run", folder, *CELL).split())
