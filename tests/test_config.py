import dataclasses
import re
import shlex
import subprocess
import sys

import pytest
from scripts import ROOT

from rnnsent import config
from rnnsent.errors import UserError
from rnnsent.recipes import SHIPPED, Recipe


def parsed(command: str) -> config.TrainOptions:
    taken = []

    def main(options: config.TrainOptions):
        taken.append(options)

    config.cli(main, config.TrainOptions, shlex.split(command))
    return taken[0]


def test_every_field_of_a_recipe_can_be_set():
    fields = {field.name for field in dataclasses.fields(config.Changes)}
    assert fields == set(Recipe.__struct_fields__) - {"name"}
    options = parsed(
        "--recipes notebook-lstm sound-gru --features 8 4 --learning-rate 3e-3 --clip 1 "
        "--schedule cosine --epochs 3"
    )
    lstm, gru = options.chosen()
    assert lstm.name == (
        "notebook-lstm+features=8,4+epochs=3+learning_rate=0.003+schedule=cosine+clip=1.0"
    )
    assert gru.name == "sound-gru+features=8,4+epochs=3+learning_rate=0.003"
    assert (gru.features, gru.epochs, gru.clip) == ((8, 4), 3, 1.0)


def test_by_default_the_shipped_recipes_are_trained_as_they_are():
    options = parsed("")
    assert options.chosen() == [SHIPPED[name] for name in options.recipes] and not options.changes


def test_a_cells_options_are_numbers_truths_or_texts():
    options = parsed("--cell-options a=1 b=1.5 c=True d=false e=x=y f=1e-3")
    (recipe,) = dataclasses.replace(options, recipes=("notebook-lstm",)).chosen()
    expected = {"a": 1, "b": 1.5, "c": True, "d": False, "e": "x=y", "f": 1e-3}
    assert recipe.cell_options == expected


def test_a_quick_run_says_so_in_its_recipes():
    options = parsed("--quick --data toy --recipes notebook-simple-rnn")
    assert [recipe.name for recipe in options.chosen()] == ["notebook-simple-rnn+epochs=2"]
    assert len(options.load().train) == 1024


@pytest.mark.parametrize(
    "command, message",
    [
        ("--epochs 0", "epochs is 0; expected int >= 1"),
        ("--learning-rate nan", "learning_rate is nan"),
        ("--learning-rate inf", "learning_rate is inf; it must be finite"),
        ("--features", r"features is \(\); expected"),
        ("--cell-options a", "--cell-options has 'a'; expected NAME=VALUE"),
        ("--recipes", "--recipes needs at least one value"),
        ("--recipes notebook-lstm notebook-lstm", "--recipes names one value twice"),
        ("--recipes nothing", "no recipe nothing"),
        ("--recipes nothing.toml", "nothing.toml cannot be read"),
        ("--seeds 1 1", "--seeds names one value twice"),
        ("--seeds", "--seeds needs at least one value"),
        ("--seeds=-1", "0 or above"),
        ("--seeds 0 4294967296", "below 2,147,483,648"),
        ("--out /dev/null", "no folder"),
        ("--checkpoint-every -1", "--checkpoint-every must be 0 or above"),
        ("--implementation fast", "fast"),
    ],
)
def test_a_users_mistake_is_one_message_and_code_2(capsys, command, message):
    with pytest.raises(SystemExit) as end:
        parsed(command)
    assert end.value.code == 2
    assert re.search(message, capsys.readouterr().err)


def test_two_files_of_one_name_are_refused(tmp_path):
    paths = [tmp_path / folder / "mine.toml" for folder in "ab"]
    for path in paths:
        path.parent.mkdir()
        path.write_text('cell = "gru"')
    with pytest.raises(UserError, match="a/mine.toml and .*b/mine.toml collide"):
        config.TrainOptions(recipes=tuple(map(str, paths)))


PROGRAM = """
import sys
from rnnsent import config

def main(options: config.RunOptions):
    for line in range(100_000):
        print("much is said of every review")

config.cli(main, config.RunOptions)
"""


def test_where_nobody_reads_on_a_script_ends_quietly(tmp_path):
    (tmp_path / "script.py").write_text(PROGRAM)
    command = f"{sys.executable} -m script | head -n 1; exit ${{PIPESTATUS[0]}}"
    env = {"PYTHONPATH": f"{ROOT}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (1, ""), done.stderr
    command = [sys.executable, "-m", "script", "--help"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.stdout.startswith("usage: python -m script ")
