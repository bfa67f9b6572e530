import jax
import numpy as np
import pytest

from rnnsent import data
from rnnsent.inference import predict
from rnnsent.model import SentimentClassifier, init

MODEL = SentimentClassifier(features=(16, 8), head=8, vocab_size=60, embedding_size=8)


@pytest.fixture(scope="module")
def toy():
    return data.load("toy", data.Encoding(num_words=60, maxlen=16))


@pytest.fixture(scope="module")
def params():
    return init(MODEL, jax.random.key(0))


@pytest.mark.parametrize("rows", [0, 1, 31, 70])
def test_predictions_are_the_models(toy, params, rows):
    ids_NT = toy.test.ids_NT[:rows]
    logits_N = predict(MODEL, params, ids_NT, batch_size=32)
    assert logits_N.shape == (rows,) and logits_N.dtype == np.float32
    expected_N = MODEL.apply({"params": params}, ids_NT) if rows else []
    np.testing.assert_allclose(logits_N, expected_N, atol=1e-6)


@pytest.mark.parametrize("id_", [-1, 60])
def test_ids_that_the_model_has_not_are_refused(params, id_):
    with pytest.raises(ValueError, match="the model has 0 to 59"):
        predict(MODEL, params, np.full((2, 3), id_, np.int32))


def test_neither_padding_nor_order_nor_company_changes_a_prediction(toy, params):
    ids_NT = toy.test.ids_NT[:64]
    expected_N = predict(MODEL, params, ids_NT, batch_size=32)
    left_NT = data.pack_rows(ids_NT[:, ::-1])[:, ::-1]
    for moved_NT in (data.pack_rows(ids_NT), left_NT):
        np.testing.assert_array_equal(predict(MODEL, params, moved_NT, batch_size=32), expected_N)
    order_N = np.random.default_rng(0).permutation(64)
    shuffled_N = predict(MODEL, params, ids_NT[order_N], batch_size=32)
    np.testing.assert_allclose(shuffled_N, expected_N[order_N], atol=1e-6)


@pytest.mark.parametrize("implementation", ["scan", "scan-unrolled"])
def test_the_models_own_implementation_is_used(toy, params, implementation, monkeypatch):
    from rnnsent import recurrence

    used = []
    known = recurrence.IMPLEMENTATIONS[implementation]

    def run(*arguments, **knobs):
        used.append(implementation)
        return known.run(*arguments, **knobs)

    monkeypatch.setitem(recurrence.IMPLEMENTATIONS, implementation, known.__class__(run))
    model = MODEL.clone(implementation=implementation, head=8)
    got_N = predict(model, params, toy.test.ids_NT[:33])
    assert used
    np.testing.assert_allclose(got_N, predict(MODEL, params, toy.test.ids_NT[:33]), atol=1e-6)
