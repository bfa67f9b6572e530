import dataclasses
import threading
import time

import msgspec
import pytest

from rnnsent import data, provenance, recipes, runs
from rnnsent.recipes import Recipe
from rnnsent.sweep import plan, work

ENCODING = data.Encoding(num_words=40, maxlen=16)
TINY = Recipe(name="tiny", cell="simple_rnn", features=(4,), head=2, embedding_size=2, epochs=2)
PLAN = plan.Plan((TINY, recipes.changed(TINY, {"dropout": 0.3})), (0, 1), ("dropout",))


@pytest.fixture(scope="module")
def reviews():
    return data.load("toy", ENCODING, validation=0.2)


@pytest.fixture
def folder(reviews, tmp_path):
    with runs.open_folder(tmp_path, None, "sweep", reviews, provenance.of(reviews)) as folder:
        pass
    return folder


@pytest.fixture
def jobs(folder, reviews):
    return work.jobs(folder, PLAN, work.source(reviews))


def text(job):
    return msgspec.json.encode(job).decode()


def test_a_job_is_done_once_whoever_is_handed_it(jobs, folder, reviews):
    assert [job.seeds for job in jobs] == [(0, 1), (0, 1)]
    assert work.train(text(jobs[0])) == work.train(text(jobs[0])) == ""
    assert runs.seeds(folder, TINY.folder) == [0, 1]
    left = work.jobs(folder, PLAN, work.source(reviews))
    assert [job.recipe for job in left] == [PLAN.members[1]]
    (one, _) = runs.train(folder, TINY, [0, 1], reviews)
    assert one.result.data.test == 205


def test_a_worker_trains_as_the_command_would(folder, reviews, monkeypatch):
    how = {"implementation": "scan", "every": 3, "debug_nans": True}
    job, _ = work.jobs(folder, PLAN, work.source(reviews), **how)
    asked = []
    monkeypatch.setattr(runs, "train", lambda *arguments, **options: asked.append(options))
    assert work.train(text(job)) == "" and asked == [how]


@pytest.mark.parametrize(
    "change, said",
    [
        ({"run": "/gone"}, "does not see /gone"),
        ({"digest": "0"}, "another source of the cell simple_rnn"),
    ],
)
def test_what_a_worker_cannot_do_is_told_as_a_line(jobs, folder, change, said):
    told = work.train(text(msgspec.structs.replace(jobs[0], **change)))
    assert said in told and TINY.name in told and "\n" not in told
    assert not runs.seeds(folder, TINY.folder)


def test_a_worker_with_other_reviews_trains_nothing(jobs, folder):
    other = msgspec.structs.replace(jobs[0].source, validation=0.3)
    told = work.train(text(msgspec.structs.replace(jobs[0], source=other)))
    assert "other reviews" in told and "validation" in told
    assert not runs.seeds(folder, TINY.folder)


def test_what_a_worker_is_handed_is_checked(jobs):
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        work.train(text(jobs[0]).replace('"run"', '"runs"'))


def test_places_that_the_environment_names_are_handed_over(reviews, monkeypatch, tmp_path):
    monkeypatch.setenv("RNNSENT_IMDB_ARCHIVE", "here.tar")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("RNNSENT_IMDB_WORD_INDEX", raising=False)
    monkeypatch.chdir(tmp_path)
    found = work.source(reviews)
    assert (found.archive, found.data_dir) == (None, str(tmp_path))  # toy reviews have no archive
    assert found.word_index is None and found.encoding == ENCODING
    imdb = dataclasses.replace(reviews, provenance=reviews.provenance | {"source": "imdb"})
    assert work.source(imdb).archive == f"{tmp_path}/here.tar"


def test_a_member_waits_for_whoever_trains_it(tmp_path, capsys):
    order = []
    with work.alone(tmp_path / "m"):
        waiting = threading.Thread(target=_waits, args=(tmp_path / "m", order))
        waiting.start()
        while "this one waits" not in capsys.readouterr().err:
            time.sleep(0.01)
        order.append("first")
    waiting.join(timeout=60)
    assert order == ["first", "second"]


def _waits(folder, order):
    with work.alone(folder, seconds=0.01):
        order.append("second")
