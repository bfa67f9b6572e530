import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import OPTIMISED, loss_and_gradients, mask_of

from rnnsent import evaluation, notebook
from rnnsent.data import pack_rows
from rnnsent.model import PRESETS, ModelConfig, SentimentClassifier, init, summary
from rnnsent.training import loss_sums

IMPLEMENTATIONS = ("scan", "packed")


def sharper(params, seed=1):
    """Random parameters with biases and embeddings that matter."""
    leaves, treedef = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    noise = [0.02 * jax.random.normal(k, a.shape) for k, a in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(treedef, [a + n for a, n in zip(leaves, noise, strict=True)])


@pytest.mark.parametrize("name", PRESETS)
def test_layers_and_parameters_are_the_notebooks(name):
    rows = summary(PRESETS[name])
    assert [(layer, count) for layer, _, count in rows] == list(notebook.LAYERS[name])
    assert sum(count for *_, count in rows) == notebook.PARAMS[name]


def test_initial_values_follow_keras():
    params = init(PRESETS["lstm"], jax.random.key(0))
    embedding = params["embedding"]["embedding"]
    assert embedding.min() >= -0.05 and embedding.max() <= 0.05
    assert abs(float(embedding.std()) - 0.1 / 12**0.5) < 1e-3
    limit = (6 / (32 + 512)) ** 0.5
    kernel = params["layer_0"]["kernel"]
    assert 0.99 * limit < float(abs(kernel).max()) <= limit
    recurrent = params["layer_0"]["recurrent_kernel"]
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(128), atol=1e-5)
    i, f, g, o = np.split(np.asarray(params["layer_0"]["bias"]), 4)
    assert (f == 1).all() and not (i.any() or g.any() or o.any())


@functools.cache  # compiled once for all kinds of masks
def gradients_and_logits(config, implementation):
    model = SentimentClassifier(config, implementation)

    def loss(params, ids_BT, label_B):
        logits_B = model.apply({"params": params}, ids_BT)
        return jnp.logaddexp(0, jnp.where(label_B == 1, -logits_B, logits_B)).sum(), logits_B

    return jax.jit(jax.grad(loss, has_aux=True), compiler_options=OPTIMISED)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("name", PRESETS)
def test_forward_and_gradients_match_a_float64_loop(name, kind, implementation):
    config = dataclasses.replace(PRESETS[name], vocab_size=50)
    params = sharper(init(config, jax.random.key(0)))
    generator = np.random.default_rng(2)
    ids_BT = np.where(mask_of(kind, 3, 132), generator.integers(1, 50, (3, 132)), 0)
    label_B = np.array([1, 0, 1])
    exact = jax.tree.map(lambda a: np.asarray(a, np.float64), params)
    expected_B, expected = loss_and_gradients(config.cell, exact, ids_BT, label_B)

    grads, logits_B = gradients_and_logits(config, implementation)(params, ids_BT, label_B)
    np.testing.assert_allclose(logits_B, expected_B, atol=5e-6, rtol=0)
    for (path, got), want in zip(
        jax.tree.leaves_with_path(grads), jax.tree.leaves(expected), strict=True
    ):
        tolerance = 1e-5 * max(abs(want).max(), 1e-12)
        np.testing.assert_allclose(got, want, atol=tolerance, rtol=0, err_msg=str(path))


@pytest.mark.parametrize("name", PRESETS)
def test_padding_on_any_side_reads_the_same_review(name, kind):
    config = dataclasses.replace(PRESETS[name], vocab_size=50)
    params = sharper(init(config, jax.random.key(0)))
    generator = np.random.default_rng(3)
    ids_BT = np.where(mask_of(kind, 4, 20), generator.integers(1, 50, (4, 20)), 0)
    model = SentimentClassifier(config)
    logits_B = model.apply({"params": params}, ids_BT)
    packed_B = model.apply({"params": params}, pack_rows(ids_BT))
    np.testing.assert_allclose(logits_B, packed_B, atol=1e-6)
    trajectory_BT = model.apply({"params": params}, ids_BT, method="trajectory")
    np.testing.assert_allclose(trajectory_BT[:, -1], logits_B, atol=1e-6)


def test_a_changed_word_moves_only_its_own_row():
    config = dataclasses.replace(PRESETS["lstm"], vocab_size=50)
    params = sharper(init(config, jax.random.key(0)))
    ids_BT = np.random.default_rng(4).integers(1, 50, (3, 20))
    apply = jax.jit(lambda ids: SentimentClassifier(config).apply({"params": params}, ids))
    before = np.asarray(apply(ids_BT))
    ids_BT[1, 3] = ids_BT[1, 3] % 49 + 1
    after = np.asarray(apply(ids_BT))
    assert before[1] != after[1]
    assert (before[[0, 2]] == after[[0, 2]]).all()


def test_loss_sums_weigh_rows():
    config = dataclasses.replace(PRESETS["simple_rnn"], vocab_size=50)
    params = init(config, jax.random.key(0))
    ids_BT, label_B = np.random.default_rng(5).integers(1, 50, (4, 9)), np.array([1, 0, 1, 1])
    part, _ = loss_sums(config, params, ids_BT[:2], label_B[:2], np.ones(2, np.float32))
    whole, totals = loss_sums(config, params, ids_BT, label_B, np.array([1, 1, 0, 0], np.float32))
    np.testing.assert_allclose(part, whole, rtol=1e-6)
    assert totals.weight == 2


def test_totals_are_the_metrics_of_the_logits():
    config = dataclasses.replace(PRESETS["lstm"], vocab_size=50)
    params = sharper(init(config, jax.random.key(0)))
    generator = np.random.default_rng(6)
    ids_BT, label_B = generator.integers(1, 50, (31, 9)), generator.integers(0, 2, 31)
    logits_B = SentimentClassifier(config).apply({"params": params}, ids_BT)
    loss, totals = loss_sums(config, params, ids_BT, label_B, np.ones(31, np.float32))
    assert evaluation.accuracy(logits_B, label_B) != 0.5
    np.testing.assert_allclose(totals.correct / 31, evaluation.accuracy(logits_B, label_B))
    np.testing.assert_allclose(loss / 31, evaluation.log_loss(logits_B, label_B), rtol=1e-5)
    assert totals.loss == loss


@pytest.mark.parametrize(
    "wrong", [{"cell": "gpt"}, {"features": ()}, {"dropout": 1.0}, {"recurrent_dropout": -0.1}]
)
def test_impossible_configurations_are_refused(wrong):
    with pytest.raises(ValueError):
        ModelConfig(**wrong)
