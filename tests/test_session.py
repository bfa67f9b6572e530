import time

import pytest

from rnnsent import runs, session
from rnnsent.epochs import Progress
from rnnsent.recipes import Recipe


def at(epoch, step=1):
    values = {"epoch": epoch, "step": step, "steps": 2, "epochs": 9, "loss": 0.5, "accuracy": 0.8}
    return Progress(**values, rows=10, seconds=1.0)


def test_progress_is_of_the_whole(tmp_path, capsys):
    """By work: an epoch of the LSTM is four of the SimpleRNN; what is there already is not in."""
    small = {"features": (8,), "embedding_size": 8, "epochs": 2, "head": 4}
    rnn, lstm = (Recipe(name=n, cell=c, **small) for n, c in (("r", "simple_rnn"), ("l", "lstm")))
    assert lstm.work() == 4 * rnn.work() == 4 * 2 * (16 + 1) * 8
    place = runs.seed_folder(tmp_path, "l", 1)
    place.mkdir(parents=True)
    (place / "result.json").write_text("")
    with session.progress(tmp_path, [rnn, lstm], [0, 1]) as told:
        told(rnn, [0], at(1))
        told(rnn, [0], at(1, 2))
        told(rnn, [1], at(1, 2))  # the other diverged
        told(lstm, [0], at(2, 2))
    first, *lines = capsys.readouterr().err.splitlines()
    assert first == "To be trained: 3 of 4 trainings."
    shares = [line.split("; ")[1].split(" done")[0] for line in lines]
    assert shares == ["8%", "25%", "100%"]
    assert lines[0].startswith("r, seed 0, epoch 1/2: loss 0.5000, accuracy 0.8000, 10 reviews/s")
    with session.progress(tmp_path, [lstm], [1]) as told:
        assert told is None
    nothing = Recipe(name="n", cell="guests:ConstantCell", **small)
    assert nothing.work() == 0
    with session.progress(tmp_path, [nothing], [0]) as told:
        told(nothing, [0], at(2, 2))
    assert "100% done" in capsys.readouterr().err


@pytest.fixture
def later(monkeypatch):
    """``later(seconds)`` moves the clock."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


def left(capsys):
    return capsys.readouterr().err.rpartition("done, ")[2].strip()


def test_the_time_left_is_by_the_steps_that_ran_here_after_compilation(tmp_path, capsys, later):
    """Of two trainings of ten epochs, two steps each, the first goes on from its seventh epoch."""
    recipe = Recipe(name="r", cell="simple_rnn", features=(8,), epochs=10)
    with session.progress(tmp_path, [recipe], [0, 1]) as told:
        later(50)
        told(recipe, [0], at(7, 2))
        assert left(capsys) == "? left"
        later(2)
        told(recipe, [0], at(8, 1))
        later(2)
        told(recipe, [0], at(8, 2))
        assert left(capsys) == "48 s left"  # twelve epochs of 4 s
        for epoch in (9, 10):
            later(4)
            told(recipe, [0], at(epoch, 2))
        later(30)
        told(recipe, [1], at(1, 1))
        later(2)
        told(recipe, [1], at(1, 2))
        assert left(capsys) == "36 s left"
        later(4)
        told(recipe, [1], at(10, 2))
        assert left(capsys) == "0 s left"
