import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from reference import mask_of

from rnnsent import analysis, data, evaluation, optimizers
from rnnsent.fitting import fit
from rnnsent.inference import predict
from rnnsent.model import SentimentClassifier, init
from rnnsent.training import create_state

CELLS = ("simple_rnn", "lstm", "gru")
GUESTS = ("guests:PositiveCell", "guests:MatrixCell", "guests:CountingCell")
"""Whose weights are functions of their parameters, whose carry starts otherwise than at zero, has
another shape, or an integer in it."""


@pytest.fixture(scope="module")
def toy():
    return data.load("toy", data.Encoding(num_words=60, maxlen=16))


def model_of(cell: str) -> SentimentClassifier:
    return SentimentClassifier(cell, features=(16, 8), head=8, vocab_size=60, embedding_size=8)


@pytest.fixture(scope="module", params=CELLS)
def trained(request, toy):
    """A model and parameters that have learned the toy task a little."""
    model, adam = model_of(request.param), optimizers.adam(1e-2)
    states, _ = fit(model, adam, [create_state(model, adam, 0)], toy.train, epochs=3)
    return model, jax.device_get(states[0].params)


@pytest.fixture(scope="module", params=GUESTS)
def guest(request):
    """A model of a user's cell, with random parameters in which every part matters."""
    model = model_of(request.param)
    leaves, treedef = jax.tree.flatten(init(model, jax.random.key(0)))
    rng = np.random.default_rng(1)
    return model, treedef.unflatten([a + 0.3 * rng.standard_normal(a.shape, "f") for a in leaves])


@functools.cache
def logits_of_embedded(model):
    """The model's own logits as a function of what is embedded, by its own implementation."""
    assert model.implementation == "auto"

    def read(params, x_BTE, mask_BT):
        return model.apply({"params": params}, x_BTE, mask_BT, method="read")

    return read


def embedded(params, ids_BT):
    return params["embedding"]["embedding"][ids_BT], ids_BT != 0


def rows(kind: str, B: int = 5, T: int = 16) -> np.ndarray:
    """Ids under a kind of mask."""
    rng = np.random.default_rng(0)
    return np.where(mask_of(kind, B, T), rng.integers(3, 60, (B, T)), 0).astype(np.int32)


def test_a_trajectory_ends_with_the_prediction(trained, kind):
    ids = rows(kind)
    at_end = evaluation.probability(analysis.trajectory(*trained, ids)[:, -1])
    predicted = evaluation.probability(predict(*trained, ids))
    np.testing.assert_allclose(at_end, predicted, atol=1e-6, rtol=0)


def test_a_trajectory_is_the_prediction_of_each_beginning(trained):
    ids = rows("full", B=1)
    beginnings = np.where(np.tri(16, dtype=bool), ids, 0)
    predicted = predict(*trained, beginnings)
    np.testing.assert_allclose(analysis.trajectory(*trained, ids)[0], predicted, atol=2e-6)


def test_both_ways_a_trajectory_is_the_prediction_of_each_beginning_too():
    model = SentimentClassifier("gru", features=(4, 3), vocab_size=60, bidirectional=True)
    params, ids = init(model, jax.random.key(0)), rows("interior", B=2, T=6)
    found = analysis.trajectory(model, params, ids)
    for row, found_T in zip(ids, found, strict=True):
        beginnings = np.where(np.tri(6, dtype=bool), row, 0)
        np.testing.assert_allclose(found_T, predict(model, params, beginnings), atol=2e-6)
    assert analysis.memory(model, params, ids).keys() == {"x"}


def test_occlusion_is_the_logit_without_the_word(trained, kind):
    ids = rows(kind)[0]
    found = analysis.occlusion(*trained, ids)
    assert (found[ids == 0] == 0).all()
    whole = predict(*trained, ids[None])[0]
    for step in np.flatnonzero(ids)[:3]:
        without = np.delete(ids, step)[None]
        assert found[step] == pytest.approx(whole - predict(*trained, without)[0], abs=1e-5)


def test_contributions_sum_to_the_difference_in_logits(trained, toy):
    for ids in toy.test.ids_NT[:8]:
        found = analysis.integrated_gradients(*trained, ids)
        explained = found.contribution_T.sum()
        assert explained == pytest.approx(found.logit - found.baseline, rel=0.01, abs=1e-6)
        assert found.logit == pytest.approx(predict(*trained, ids[None])[0], abs=1e-5)
        assert (found.contribution_T[ids == 0] == 0).all()


def test_what_the_contributions_miss_is_said(trained, toy):
    found = analysis.integrated_gradients(*trained, toy.test.ids_NT[0], tolerance=0, max_points=32)
    assert found.points == 32
    assert found.gap == pytest.approx(found.contribution_T.sum() - found.logit + found.baseline)


def assert_memory(found, ids_BT, norm_BT, **tolerance):
    """Norms (B, D) by distance from each row's end against (B, T) by place; NaN beyond."""
    for row, norms, want in zip(ids_BT, found, np.asarray(norm_BT), strict=True):
        real = np.flatnonzero(row)[::-1]
        np.testing.assert_allclose(norms[: len(real)], want[real], **tolerance)
        assert np.isnan(norms[len(real) :]).all()


def test_memory_is_the_norm_of_the_models_own_gradients(trained, kind):
    assert_x_memory(trained, rows(kind))


def assert_x_memory(model_and_params, ids):
    model, params = model_and_params
    x_BTE, mask_BT = embedded(params, ids)

    @jax.jit
    def gradient(params, x_BTE, mask_BT):
        read = logits_of_embedded(model)
        return jax.grad(lambda x_BTE: read(params, x_BTE, mask_BT).sum())(x_BTE)

    expected_BT = jnp.linalg.norm(gradient(params, x_BTE, mask_BT), axis=-1)
    found = analysis.memory(model, params, ids)["x"]
    assert_memory(found, ids, expected_BT, rtol=1e-4, atol=1e-7)


def test_memory_is_what_finite_differences_of_a_float64_loop_say(trained):
    """Every coordinate of every embedding of a review moved either way."""
    model, params = trained
    ids = rows("interior", B=1)
    exact = jax.tree.map(lambda a: np.asarray(a, np.float64), params)
    x_1TE, mask_1T = embedded(exact, ids)
    by = 1e-5 * np.eye(x_1TE.size).reshape(-1, *x_1TE.shape[1:])
    mask_BT = np.broadcast_to(mask_1T, by.shape[:2])
    above, below = (reference.logits(model.cell, exact, x_1TE + d, mask_BT) for d in (by, -by))
    slope_1TE = ((above - below) / 2e-5).reshape(x_1TE.shape)
    found = analysis.memory(model, params, ids)["x"]
    assert_memory(found, ids, np.linalg.norm(slope_1TE, axis=-1), rtol=1e-4, atol=1e-6)


def test_memory_of_the_state_is_what_a_nudge_changes(trained):
    """The last output's gradient is the head's; the first layer's state reaches on through time."""
    model, params = trained
    ids = rows("full", B=2)
    found = analysis.memory(model, params, ids)
    bound = model.bind({"params": params})
    carry, _ = bound.recurrent(*bound.embed(ids), sequences=False)
    expected = jnp.linalg.norm(jax.grad(lambda h: bound.classify(h).sum())(carry[0]), axis=-1)
    np.testing.assert_allclose(found["h 2"][:, 0], expected, rtol=1e-5)
    assert (found["h 1"][:, 0] == 0).all() and (found["h 1"][:, 1] > 0).all()
    assert ("c 1" in found) == (model.cell == "lstm")


def test_a_trajectory_of_any_cell_ends_with_the_models_logit(guest, kind):
    model, params = guest
    ids = rows(kind)
    at_end = analysis.trajectory(model, params, ids)[:, -1]
    np.testing.assert_allclose(at_end, predict(model, params, ids), atol=1e-5, rtol=1e-5)


def test_contributions_of_any_cell_explain_its_logit(guest):
    """Logit and baseline are the model's own: of the review, and of embeddings that are zero."""
    model, params = guest
    for ids in rows("left", B=2):
        found = analysis.integrated_gradients(model, params, ids)
        x_1TE, mask_1T = embedded(params, ids[None])
        read = logits_of_embedded(model)
        for value, scale in ((found.logit, 1), (found.baseline, 0)):
            (expected,) = read(params, scale * x_1TE, mask_1T).tolist()
            assert value == pytest.approx(expected, abs=1e-5)
        explained = found.logit - found.baseline
        assert found.contribution_T.sum() == pytest.approx(explained, rel=0.01, abs=1e-6)
        assert abs(explained) > 1e-3


def test_memory_of_any_cell_is_the_norm_of_its_models_gradients(guest):
    assert_x_memory(guest, rows("interior"))


def test_memory_names_every_float_of_a_carry(guest):
    """A cell with an output of its own has it as h; an integer has no gradient."""
    model, params = guest
    found = analysis.memory(model, params, rows("left"))
    also = {"c 1", "c 2"} if model.cell == "guests:MatrixCell" else set()
    assert set(found) == {"x", "h 1", "h 2"} | also
    assert all(norm_BD.shape == (5, 16) for norm_BD in found.values())
