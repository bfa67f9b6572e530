"""What is measured on a trained model, on models whose ways are known."""

import jax
import msgspec
import numpy as np
import pytest

from rnnsent import data, memory, model
from rnnsent.claims import measure
from rnnsent.data import Encoding
from rnnsent.errors import UserError
from rnnsent.model import SentimentClassifier
from rnnsent.runs import files

CLASSIFIER = SentimentClassifier(
    cell="lstm", features=(6, 4), head=4, recurrent_dropout=0.1, vocab_size=50, embedding_size=4
)


@pytest.fixture(scope="module")
def reviews():
    return data.load("toy", Encoding(50, 24)).first(32, 16)


@pytest.fixture(scope="module")
def measured(reviews):
    params = model.init(CLASSIFIER, jax.random.key(1))
    return measure.measure(CLASSIFIER, params, 0, reviews)


def test_what_is_measured_is_read_back(measured, tmp_path):
    files.write_json(tmp_path / "measured.json", measured)
    assert measure.read(tmp_path / "measured.json") == measured


def test_shares_are_shares_and_curves_reach_back(measured):
    shares = [measured.whole, *measured.turns.values()]
    shares += [c.same for c in (*measured.last.values(), *measured.replaced.values())]
    assert all(0 <= share <= 1 for share in shares)
    assert list(measured.last) == list(measure.LAST)
    assert list(measured.replaced) == list(measure.REPLACED)
    assert set(measured.trained.carry) == {"h 1", "c 1", "h 2", "c 2"}
    assert measured.fresh != measured.trained
    assert len(measured.fresh.word.median) == 24


def test_all_words_kept_is_the_whole_review(measured):
    assert measured.last[40].same == 1.0
    assert measured.last[40].accuracy == measured.whole


@pytest.mark.parametrize("content", [b"{}", b"", b'{"last": {"5": 1}}'])
def test_what_is_damaged_is_refused_in_one_line(content, tmp_path):
    path = tmp_path / "measured.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match="measured again") as error:
        measure.read(path)
    assert "\n" not in str(error.value)


def test_curves_are_over_the_reviews_that_are_as_long(monkeypatch):
    nan = np.nan
    norm_BD = np.array([[1, 2, nan, nan], [3, nan, nan, nan], [5, np.inf, 7, nan]])
    monkeypatch.setattr(memory.analysis, "memory", lambda *_: {"x": norm_BD, "h 1": norm_BD})
    curves = memory.memory_curves(None, None, np.zeros((3, 4)))
    assert curves.word.median == (3.0, None, 7.0)
    assert np.isnan(curves.word.mean_D[1])
    assert curves.word == curves.carry["h 1"]
    assert msgspec.json.decode(msgspec.json.encode(curves), type=memory.MemoryCurves) == curves
