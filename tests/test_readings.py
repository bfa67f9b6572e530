import numpy as np
import optax
import pytest

from rnnsent import analysis, data, evaluation, inference, notebook, readings, training
from rnnsent.data import PAD, START, Vocabulary
from rnnsent.model import SentimentClassifier

MODEL = SentimentClassifier(cell="lstm", vocab_size=50, embedding_size=8, features=(8, 4))


@pytest.fixture(scope="module")
def params():
    return training.create_state(MODEL, optax.identity(), 0).params


def test_a_reading_has_one_entry_per_word_and_ends_with_the_prediction(params):
    ids_T = np.array([PAD, PAD, START, 7, 9, PAD, 11], np.int32)
    found = readings.read("LSTM", MODEL, params, ids_T)
    assert len(found.trajectory) == len(found.contribution) == 3
    (logit,) = inference.predict(MODEL, params, ids_T[None])
    assert found.probability == pytest.approx(evaluation.probability(logit), abs=1e-6)
    assert found.trajectory[-1] == pytest.approx(found.probability, abs=1e-6)
    whole = analysis.integrated_gradients(MODEL, params, ids_T)
    np.testing.assert_allclose(found.contribution, whole.contribution_T[[3, 4, 6]], atol=1e-4)
    assert found.missing <= 0.01
    begun = evaluation.probability(inference.predict(MODEL, params, np.array([[START]], np.int32)))
    assert found.before == pytest.approx(begun[0], abs=1e-6)
    without = inference.predict(MODEL, params, np.array([[START, 9, 11]], np.int32))[0]
    assert found.left_out[0] == pytest.approx(logit - without, abs=1e-6)


def test_a_review_that_fills_the_row_begins_from_nothing(params):
    found = readings.read("LSTM", MODEL, params, np.array([7, 9, 11], np.int32))
    (nothing,) = inference.predict(MODEL, params, np.full((1, 3), PAD, np.int32))
    assert found.before == pytest.approx(evaluation.probability(nothing), abs=1e-6)


def test_words_are_those_the_models_saw():
    vocabulary = Vocabulary(("the", "film", "good"), "counted")
    ids = vocabulary.encode("The film was good", 6)
    padded = np.concatenate([[PAD, PAD], ids]).astype(np.int32)
    assert readings.words(vocabulary, padded) == ("the", "film", "!")


def test_a_review_without_words_reads_as_an_empty_one(params):
    found = readings.read("LSTM", MODEL, params, np.full(7, PAD, np.int32))
    (nothing,) = inference.predict(MODEL, params, np.full((1, 7), PAD, np.int32))
    assert found.trajectory == found.contribution == found.left_out == ()
    assert found.probability == pytest.approx(evaluation.probability(nothing), abs=1e-6)


def test_the_sample_is_the_notebooks_choice_with_what_it_printed(params):
    reviews = data.load("toy", data.Encoding(num_words=50, maxlen=12))
    models = {"A": (MODEL, params), "B": (MODEL, params)}
    found = readings.sample(models, reviews, {"simple_rnn": "SimpleRNN"})
    rows = notebook.sample_rows(len(reviews.test.names))
    assert [one.name for one in found] == [f"test review {row:,}" for row in rows]
    assert [one.truth for one in found] == reviews.test.label_N[rows].tolist()
    assert [one.printed for one in found if one.printed] == [
        {"SimpleRNN": said["simple_rnn"]} for said in notebook.SAMPLE_PREDICTIONS.values()
    ]
    assert [reading.title for reading in found[0].readings] == ["A", "B"]
    assert all(r.printed == {} for r in readings.sample(models, reviews, {}))
