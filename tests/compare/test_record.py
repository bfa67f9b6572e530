import json

import msgspec
import pytest
from compare import made

from rnnsent import runs
from rnnsent.compare import entrants
from rnnsent.compare.record import Record
from rnnsent.errors import UserError
from rnnsent.report import compare as report
from rnnsent.report import markdown


def written(tmp_path):
    path = runs.write_record(tmp_path, made.default(seeds=2))
    return path, json.loads(path.read_text())


def test_a_record_is_read_back_as_it_was_written(tmp_path):
    user = made.entrant("mine", [0.7], lost_seeds=(1,), gain=0.9)
    held = made.of(*made.default().entrants, user)
    runs.write_record(tmp_path, held)
    again = runs.read_record(tmp_path, Record)
    assert msgspec.json.encode(again) == msgspec.json.encode(held)
    assert [p.name for p in tmp_path.iterdir()] == ["record.json"]


def change_at(content, path, value):
    *before, last = path
    for step in before:
        content = content[step]
    content[last] = value


@pytest.mark.parametrize(
    "path, value, said",
    [
        (("origin", "data", "maxlen"), "long", "maxlen"),
        (("unknown",), 1, "unknown"),
        (("entrants", 0, "trainings"), [], "summary just where a training has finished"),
        (("entrants", 0, "trainings", 0, "diverged"), 3, "either diverged or figures"),
        (("entrants", 0, "trainings", 0, "epochs"), [], "length"),
        (("entrants", 0, "summary", "test_accuracy", "mean"), None, "mean"),
        (("entrants", 1, "name"), "notebook-simple-rnn", "names and titles of their own"),
        (("entrants", 1, "title"), "SimpleRNN, notebook", "names and titles of their own"),
        (("pairs", 0, "first"), "nobody", "nothing is known of nobody"),
        (("sample", "shown"), [["nobody", 0], ["sound-lstm", 0]], "nothing is known of nobody"),
        (("sample", "reviews", 0, "words"), ["one"], "a figure per word"),
        (("sample", "reviews", 0, "truth"), 7, "neither 0 nor 1"),
        (("sample", "reviews", 0, "readings"), [], "a reading of each model shown"),
    ],
)
def test_a_damaged_record_is_one_line(tmp_path, path, value, said):
    file, content = written(tmp_path)
    change_at(content, path, value)
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=said) as caught:
        runs.read_record(tmp_path, Record)
    assert "\n" not in str(caught.value) and str(file) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"null", b'{"data": {}}'])
def test_what_is_no_record_is_one_line(tmp_path, content):
    (tmp_path / Record.FILE).write_bytes(content)
    with pytest.raises(UserError, match="cannot be read|earlier version"):
        runs.read_record(tmp_path, Record)


def test_a_folder_without_a_record_is_named(tmp_path):
    with pytest.raises(UserError, match="cannot be read .*finished run"):
        runs.read_record(tmp_path, Record)


def test_without_a_finished_training_there_is_no_record():
    held = made.of(made.entrant("a", [0.5]))
    with pytest.raises(ValueError, match="a finished training"):
        msgspec.structs.replace(held, entrants=(made.entrant("a", [], lost_seeds=(0,)),))


def test_what_diverged_is_named():
    held = made.of(made.entrant("a", [0.5], lost_seeds=(1, 2)), made.entrant("b", [0.5]))
    assert entrants.diverged(held.entrants) == [
        "a seed 1 diverged in epoch 1",
        "a seed 2 diverged in epoch 1",
    ]


def test_the_step_in_which_one_diverged_is_named_and_kept(tmp_path):
    lost = msgspec.structs.replace(made.lost(1), divergence=made.DIVERGENCE)
    entrant = made.entrant("a", [0.5], lost_seeds=(1,))
    entrant = msgspec.structs.replace(entrant, trainings=(*entrant.finished, lost))
    runs.write_record(tmp_path, made.of(entrant, made.entrant("b", [0.5])))
    held = runs.read_record(tmp_path, Record)
    where = "a seed 1 diverged in epoch 2, step 7 of 40"
    assert entrants.diverged(held.entrants) == [
        f"{where} (largest gradient 3.1e+08 in layer_0/recurrent_kernel, the step before)"
    ]
    assert entrants.advice(held.entrants) == "Try --clip 1 or a lower --learning-rate."
    assert where in markdown.render(report.blocks(held))
