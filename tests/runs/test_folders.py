import json

import pytest

from rnnsent import data, provenance, runs
from rnnsent.data import Encoding, Vocabulary, encode_text
from rnnsent.errors import UserError


def opened(out, reviews, run=None):
    with runs.open_folder(out, run, "test", reviews, provenance.of(reviews)) as folder:
        return folder


def test_new_folders_never_collide(tmp_path):
    assert len({runs.new_folder(tmp_path, "x") for _ in range(3)}) == 3
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot create"):
        runs.new_folder(tmp_path / "file", "x")


def test_a_run_is_for_one_process_at_a_time(tmp_path, toy):
    run = tmp_path / "run"
    with runs.open_folder(tmp_path, run, "test", toy, provenance.of(toy)) as folder:
        before = {path: path.read_bytes() for path in folder.iterdir()}
        with pytest.raises(UserError, match=f"Another process works on {folder}"):
            opened(tmp_path, toy, run)
        assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert opened(tmp_path, toy, run) == folder


def test_a_place_that_cannot_take_a_run_is_refused_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match="file is no folder.*--out"):
            runs.check_place(place, None)
        with pytest.raises(UserError, match="file is no folder.*--run"):
            runs.check_place(tmp_path, place)
    with pytest.raises(UserError, match="holds no run"):
        runs.check_place(tmp_path, tmp_path / "other")
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / ".lock").write_text("")  # by a process that came no further
    runs.check_place(tmp_path, tmp_path / "left")
    runs.check_place(tmp_path / "new" / "deep", None)
    runs.check_place(tmp_path / "file", tmp_path / "new")


def test_a_run_of_an_earlier_version_is_refused_in_one_line(tmp_path, toy):
    (tmp_path / "config.json").write_text('{"models": ["lstm"], "epochs": 10}')
    (tmp_path / "provenance.json").write_text("{}")
    for use in (
        lambda: runs.check_place(tmp_path, tmp_path),
        lambda: opened(tmp_path, toy, tmp_path),
        lambda: runs.readable(tmp_path),
    ):
        with pytest.raises(UserError, match=f"{tmp_path}.*is of an earlier version"):
            use()


def test_a_run_goes_on_with_its_own_data_only(tmp_path, toy):
    folder = opened(tmp_path, toy)
    assert folder.name.startswith("test-toy-") and runs.data_of(folder) == toy.provenance
    assert opened(tmp_path, toy, folder) == folder
    longer = data.load("toy", Encoding(num_words=60, maxlen=13))
    with pytest.raises(UserError, match="holds a run on other data .toy task"):
        opened(tmp_path, longer, folder)


@pytest.mark.parametrize("damage", [3, {}, {"source": "toy"}, None])
def test_what_a_run_says_of_its_data_is_checked(tmp_path, toy, damage):
    path = opened(tmp_path, toy) / "provenance.json"
    held = json.loads(path.read_text())
    for content in (json.dumps(held | {"data": damage}), "[", "{}"):
        path.write_text(content)
        with pytest.raises(UserError, match="provenance.json cannot be read"):
            runs.data_of(path.parent)
    for name in ("train", "test"):
        path.write_text(json.dumps(held | {"data": toy.provenance | {name: -1}}))
        with pytest.raises(UserError, match="provenance.json cannot be read"):
            runs.data_of(path.parent)


def test_places_of_training_are_named_once(tmp_path, toy):
    here = provenance.of(toy)
    for name, git in (("a", "one"), ("b", "two"), ("c", "one")):
        (tmp_path / name).mkdir()
        runs.write_json(tmp_path / name / "provenance.json", here | {"git": git})
    places = [tmp_path / name for name in "abc"]
    machine = here["device"]["name"]
    assert runs.origins(places) == [f"revision one on {machine}", f"revision two on {machine}"]


def test_the_vocabulary_comes_back(tmp_path, toy):
    runs.save_vocabulary(tmp_path, toy.vocabulary, toy.encoding)
    vocabulary, same = runs.load_vocabulary(tmp_path)
    assert same == toy.encoding and vocabulary == toy.vocabulary
    path = tmp_path / "vocabulary.json"
    for change in ({"encoding": {"num_words": "60"}}, {"words": [3]}):
        path.write_text(json.dumps({"origin": "x", "encoding": {}, "words": []} | change))
        with pytest.raises(UserError, match="vocabulary.json cannot be read"):
            runs.load_vocabulary(tmp_path)


def test_a_rare_word_of_a_new_text_is_read_as_in_training(tmp_path, toy):
    vocabulary = Vocabulary(("good", "fine", "rare"), "test")
    encoding = Encoding(num_words=5, maxlen=4)  # of which two are words
    runs.save_vocabulary(tmp_path, vocabulary, encoding)
    ids_1T = encode_text("good rare unseen", *runs.load_vocabulary(tmp_path))
    assert ids_1T.tolist() == [[0, 1, 4, 2]]


def test_the_newest_finished_run_is_found(tmp_path):
    with pytest.raises(UserError, match="no finished run"):
        runs.latest(tmp_path)
    for name in ("older", "newer"):
        (tmp_path / name / "tiny" / "seed-0").mkdir(parents=True)
        (tmp_path / name / "tiny" / "seed-0" / "result.json").write_text("")
    assert runs.latest(tmp_path).name == "newer"
