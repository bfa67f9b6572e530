"""What is kept of trainings under way, and what they make of it when they go on."""

import dataclasses
import os
import re
import resource
import shutil
import signal
import threading

import kills
import msgspec
import pytest
from runs.made import TWO_FITS

from rnnsent import config, fitting, inference, provenance, runs
from rnnsent.errors import UserError
from rnnsent.runs import courses, last

STEPS = 16  # of an epoch


class Killed(BaseException):
    """What nothing catches."""


def die(*_, **__):
    raise Killed


def at(epoch, step, then):
    """Does something when a step of an epoch is done."""

    def told(recipe, seeds, now):
        if (now.epoch, now.step) == (epoch, step):
            then()

    return told


def train(run, toy, seeds=(3,), *, recipe=TWO_FITS, **options):
    return runs.train(run, recipe, seeds, toy, every=7, **options)


def killed(run, toy, epoch, step, seeds=(3,)):
    with pytest.raises(Killed):
        train(run, toy, seeds, progress=at(epoch, step, die))


@pytest.fixture(scope="module")
def whole(toy, tmp_path_factory):
    """What seed 3 comes to that is never interrupted."""
    run = tmp_path_factory.mktemp("whole")
    runs.train(run, TWO_FITS, [3], toy)
    return kills.come_to(run)


@pytest.fixture
def folder(tmp_path):
    return runs.seed_folder(tmp_path, "tiny", 3)


def test_a_training_goes_on_wherever_it_was_killed(tmp_path, toy, whole, folder, no_waiting, capfd):
    for epoch, step in ((1, 7), (1, STEPS), (2, 14), (3, 7), (4, STEPS)):
        killed(tmp_path, toy, epoch, step)
        assert (folder / "last.json").exists() == ((epoch, step) != (1, 7))
    train(tmp_path, toy)
    assert kills.come_to(tmp_path) == whole
    told = [line.partition(": ")[2] for line in capfd.readouterr().err.splitlines()]
    assert told == [
        "goes on in epoch 1, step 14.",
        "goes on in epoch 2, step 7.",
        "goes on after epoch 2.",  # with its measurement
        "goes on in epoch 4, step 14.",
    ]


def test_one_that_is_killed_as_it_is_measured_is_not_trained_again(
    tmp_path, toy, whole, no_waiting, monkeypatch, capfd
):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(inference, "predict", die)
        train(tmp_path, toy)
    fits = []
    fit = fitting.fit
    monkeypatch.setattr(fitting, "fit", lambda *a, **o: fits.append(o["epochs"]) or fit(*a, **o))
    train(tmp_path, toy)
    assert fits == [2] and kills.come_to(tmp_path) == whole
    assert "goes on after epoch 2." in capfd.readouterr().err


@pytest.mark.ci
def test_seeds_of_one_program_go_on_as_one(tmp_path, toy, monkeypatch, no_waiting):
    """Rounding differs in another group, so one that has finished goes along, and stays."""
    monkeypatch.setattr(runs.trainings, "seeds_together", lambda seeds: max(seeds, 1))
    train(tmp_path / "whole", toy, (3, 5))
    run, keep = tmp_path / "run", courses.Course.keep
    killed(run, toy, 3, 7, (3, 5))
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(
            courses.Course,
            "keep",
            lambda self, *a: die() if "5" in self.folder.name else keep(self, *a),
        )
        train(run, toy, (5, 3))
    assert runs.pending(run, TWO_FITS, [3, 5]) == [5]
    before = (runs.seed_folder(run, "tiny", 3) / "result.json").read_bytes()
    train(run, toy, (5,))
    assert kills.come_to(run) == kills.come_to(tmp_path / "whole")
    assert (runs.seed_folder(run, "tiny", 3) / "result.json").read_bytes() == before


def _flip(folder):
    path = max(folder.rglob("d/*"), key=lambda path: path.stat().st_size)
    held = bytearray(path.read_bytes())
    held[len(held) // 2] ^= 1
    path.write_bytes(held)


DAMAGE = {
    "no JSON": lambda folder: (folder / "last.json").write_bytes(b"{"),
    "states elsewhere": lambda folder: (folder / "last.json").write_bytes(
        (folder / "last.json").read_bytes().replace(b'"last-', b'"../last-')
    ),
    "a bit": _flip,
    "no list": lambda folder: next(folder.glob("last-*.json")).unlink(),
    "no states": lambda folder: shutil.rmtree(next(folder.glob("last-*[0-9]"))),
    "another rate": lambda folder: (folder / "last.json").write_bytes(
        (folder / "last.json")
        .read_bytes()
        .replace(b'"learning_rate": 0.001', b'"learning_rate": 0.1')
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_checkpoint_that_is_damaged_is_told_and_not_used(
    tmp_path, toy, whole, folder, what, capfd
):
    killed(tmp_path, toy, 2, STEPS)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    DAMAGE[what](folder)
    assert before != {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    capfd.readouterr()
    train(tmp_path, toy)
    (line,) = capfd.readouterr().err.splitlines()
    assert str(folder / "last.json") in line and "trained from its start" in line
    assert "Delete" not in line, "it is trained again without that"
    assert kills.come_to(tmp_path) == whole


def test_what_a_killed_process_left_half_written_goes(tmp_path, toy, whole, folder):
    """Here with no checkpoint; and what is left of a training that has its result."""
    for place in ("last-0-7.orbax-checkpoint-tmp/d", "last-1-0"):
        (folder / place).mkdir(parents=True)
    (folder / "last-1-0.json").write_text("{}")
    train(tmp_path, toy)
    assert kills.come_to(tmp_path) == whole
    (folder / "last-2-0").mkdir()
    train(tmp_path, toy)
    assert not list(folder.glob("last*"))


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_checkpoints_first_and_says_how_to_go_on(
    tmp_path, toy, whole, capfd, number, code
):
    assert threading.current_thread() is threading.main_thread()
    seen = []

    @dataclasses.dataclass(frozen=True)
    class Options:
        """None."""

    def tell(recipe, seeds, now):
        seen.append((now.epoch, now.step))
        if seen[-1] == (2, 7):
            os.kill(os.getpid(), number)

    def main(options: Options) -> None:
        """Trains."""
        made = provenance.of(toy)
        with runs.open_folder(tmp_path, tmp_path / "a run", "test", toy, made) as run:
            runs.train(run, TWO_FITS, [3], toy, progress=tell)

    with pytest.raises(SystemExit) as end:
        config.cli(main, Options, [])
    assert end.value.code == code
    *_, line = capfd.readouterr().err.splitlines()
    assert line == (f"interrupted; go on with the same options and --run '{tmp_path / 'a run'}'")
    assert seen[-1] == (2, 14)  # the dispatch that was under way
    held = last.find(runs.seed_folder(tmp_path / "a run", "tiny", 3))
    assert (held.epoch, held.step) == (1, 14)
    seen.clear()
    config.cli(main, Options, [])
    assert seen[0] == (2, STEPS)
    ended = kills.come_to(tmp_path / "a run")
    assert {name: ended[name] for name in whole if name != "files"} == {
        name: whole[name] for name in whole if name != "files"
    }


def test_a_disk_that_gets_full_keeps_the_checkpoint_before(tmp_path, toy, opened, no_room, capfd):
    """The line says what to do, and the next start goes on."""
    with pytest.raises(UserError, match="Cannot write to .*run: File too large. Make room"):
        with opened() as run:
            train(run, toy, progress=at(3, 7, lambda: no_room(50_000)))
    no_room(resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    assert not list(tmp_path.rglob("*.partial"))
    with opened() as run:
        (one,) = train(run, toy)
    assert len(one.history) == 4 and re.search("goes on (in|after) epoch", capfd.readouterr().err)


def test_a_folder_that_is_deleted_as_it_trains_is_one_line(tmp_path, toy, opened):
    with pytest.raises(UserError, match="Cannot write to .*run: No such file or directory"):
        with opened() as run:
            train(run, toy, progress=at(1, 7, lambda: shutil.rmtree(run)))
    assert not (tmp_path / "run").exists()
    with opened() as run:
        train(run, toy)


def test_when_a_checkpoint_is_due(tmp_path):
    with last.Saver(tmp_path, 10) as saver:
        assert [saver.due(step, False) for step in (7, 14)] == [False, True]
        saver.saved = 14
        assert [saver.due(*at) for at in ((21, False), (28, False), (30, True))] == [
            False,
            True,
            True,
        ]
        assert [saver.due(*at) for at in ((7, False), (14, False))] == [False, True]
    with last.Saver(tmp_path, 0) as saver:
        assert [saver.due(*at) for at in ((700, False), (701, True))] == [False, True]


def test_a_record_of_it_comes_back(tmp_path):
    config = runs.courses.Config(TWO_FITS, "x", 3, 10, 60, "scan")
    held = last.Last(
        (last.Seed(config),), "last-1-7", 0, 1, 7, ((float("nan"),),) * 3, 1.5, 2.5, "m"
    )
    runs.write_json(tmp_path / "last.json", held)
    back = last.find(tmp_path)
    assert back.position.sums[0][0] != back.position.sums[0][0]  # no number
    assert msgspec.structs.replace(back, sums=()) == msgspec.structs.replace(held, sums=())
