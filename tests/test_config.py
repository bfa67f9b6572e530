import dataclasses
import io
import re
import shlex
import subprocess
import sys
import types

import pytest
from rich.console import Console
from scripts import ROOT

from rnnsent import config, console, runs
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


def at(epoch, step=1):
    values = {"epoch": epoch, "step": step, "steps": 2, "epochs": 9, "loss": 0.5, "accuracy": 0.8}
    return types.SimpleNamespace(**values, rows=10, seconds=1.0)


def test_progress_is_of_the_whole(tmp_path, capsys):
    """By work: an epoch of the LSTM is four of the SimpleRNN; what is there already is not in."""
    small = {"features": (8,), "embedding_size": 8, "epochs": 2, "head": 4}
    rnn, lstm = (Recipe(name=n, cell=c, **small) for n, c in (("r", "simple_rnn"), ("l", "lstm")))
    assert lstm.work() == 4 * rnn.work() == 4 * 2 * (16 + 1) * 8
    place = runs.seed_folder(tmp_path, "l", 1)
    place.mkdir(parents=True)
    (place / "result.json").write_text("")
    with config.progress(tmp_path, [rnn, lstm], [0, 1]) as told:
        told(rnn, [0], at(1))
        told(rnn, [0], at(1, 2))
        told(rnn, [1], at(1, 2))  # the other diverged
        told(lstm, [0], at(2, 2))
    first, *lines = capsys.readouterr().err.splitlines()
    assert first == "To be trained: 3 of 4 trainings."
    shares = [line.split("; ")[1].split(" done")[0] for line in lines]
    assert shares == ["8%", "25%", "100%"]
    assert lines[0].startswith("r, seed 0, epoch 1/2: loss 0.5000, accuracy 0.8000, 10 reviews/s")
    with config.progress(tmp_path, [lstm], [1]) as told:
        assert told is None
    nothing = Recipe(name="n", cell="guests:ConstantCell", **small)
    assert nothing.work() == 0
    with config.progress(tmp_path, [nothing], [0]) as told:
        told(nothing, [0], at(2, 2))
    assert "100% done" in capsys.readouterr().err


def test_a_bar_shows_names_to_the_letter():
    screen = Console(force_terminal=True, width=100, file=io.StringIO())
    with console.whole_progress(2.0, screen) as tell:
        tell(1.0, "[/red] mine", False)
    assert "[/red] mine" in screen.file.getvalue()
    assert [console.duration(seconds) for seconds in (7, 99, 150)] == ["7 s", "99 s", "2 min"]
