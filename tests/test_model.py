import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import OPTIMISED, loss_and_gradients, mask_of

from rnnsent.data import pack_rows
from rnnsent.errors import UserError
from rnnsent.model import SentimentClassifier, init
from rnnsent.recipes import SHIPPED

IMPLEMENTATIONS = ("scan", "packed")
NOTEBOOK = ("notebook-simple-rnn", "notebook-lstm")
by_recipe = pytest.mark.parametrize("recipe", NOTEBOOK)
KEY = jax.random.key(0)


def small(recipe: str, **changed) -> SentimentClassifier:
    """The notebook's model over 50 ids."""
    return SHIPPED[recipe].classifier(50).clone(**changed)


def sharper(params, seed=1):
    """Random parameters with biases and embeddings that matter."""
    leaves, treedef = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    noise = [0.02 * jax.random.normal(k, a.shape) for k, a in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(treedef, [a + n for a, n in zip(leaves, noise, strict=True)])


def test_the_module_is_its_configuration():
    """Hashable and equal by value: a static argument of what is compiled."""
    one, same = (small("notebook-lstm", cell_options=(("a", 1),)) for _ in range(2))
    assert one == same and hash(one) == hash(same)
    assert one != same.clone(implementation="scan") and one != same.clone(cell_options=(("a", 2),))


def test_initial_values_follow_keras():
    params = init(SHIPPED["notebook-lstm"].classifier(5000), KEY)
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


def test_recurrent_weights_start_as_the_identity_times_a_gain():
    model = small("notebook-simple-rnn", recurrent_init="identity", recurrent_gain=0.9)
    params = init(model, KEY)
    own = init(model.clone(recurrent_init="own", recurrent_gain=1.0), KEY)
    for name, width in (("layer_0", 128), ("layer_1", 64)):
        np.testing.assert_array_equal(
            params[name].pop("recurrent_kernel"), np.float32(0.9) * np.eye(width, dtype="f")
        )
        del own[name]["recurrent_kernel"]
    jax.tree.map(np.testing.assert_array_equal, params, own)  # nothing else starts otherwise


@by_recipe
def test_recurrent_weights_start_orthogonal_times_a_gain(recipe):
    params = init(small(recipe, recurrent_init="orthogonal", recurrent_gain=0.5), KEY)
    drawn = [params[f"layer_{i}"]["recurrent_kernel"] for i in (0, 1)]
    for kernel in drawn:
        np.testing.assert_allclose(kernel @ kernel.T, 0.25 * np.eye(len(kernel)), atol=1e-5)
    other = init(small(recipe, recurrent_init="orthogonal", recurrent_gain=0.5), jax.random.key(1))
    assert (other["layer_0"]["recurrent_kernel"] != drawn[0]).mean() > 0.9


def test_a_gain_multiplies_the_cells_own_start():
    model = small("notebook-lstm")
    own, scaled = (init(model.clone(recurrent_gain=gain), KEY) for gain in (1.0, 0.5))
    for name in ("layer_0", "layer_1"):
        np.testing.assert_allclose(
            scaled[name]["recurrent_kernel"], own[name]["recurrent_kernel"] / 2, rtol=1e-6
        )


@pytest.mark.parametrize("start", [{"recurrent_init": "orthogonal"}, {"recurrent_gain": 0.5}])
def test_a_start_of_recurrent_weights_that_a_cell_does_not_have_is_refused(start):
    model = SentimentClassifier("guests:MinimalCell", vocab_size=50, **start)
    with pytest.raises(ValueError, match="recurrent_kernel, and guests:MinimalCell has none"):
        init(model, KEY)


def test_an_identity_of_kernels_that_are_not_square_is_refused():
    with pytest.raises(ValueError, match=r"square recurrent kernels, this cell's is \[128, 512\]"):
        init(small("notebook-lstm", recurrent_init="identity"), KEY)


@functools.cache  # compiled once for all kinds of masks
def gradients_and_logits(model):
    def loss(params, ids_BT, label_B):
        logits_B = model.apply({"params": params}, ids_BT)
        return jnp.logaddexp(0, jnp.where(label_B == 1, -logits_B, logits_B)).sum(), logits_B

    return jax.jit(jax.grad(loss, has_aux=True), compiler_options=OPTIMISED)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@by_recipe
def test_forward_and_gradients_match_a_float64_loop(recipe, kind, implementation):
    model = small(recipe, implementation=implementation)
    params = sharper(init(model, KEY))
    generator = np.random.default_rng(2)
    ids_BT = np.where(mask_of(kind, 3, 132), generator.integers(1, 50, (3, 132)), 0)
    label_B = np.array([1, 0, 1])
    exact = jax.tree.map(lambda a: np.asarray(a, np.float64), params)
    expected_B, expected = loss_and_gradients(model.cell, exact, ids_BT, label_B)

    grads, logits_B = gradients_and_logits(model)(params, ids_BT, label_B)
    np.testing.assert_allclose(logits_B, expected_B, atol=5e-6, rtol=0)
    for (path, got), want in zip(
        jax.tree.leaves_with_path(grads), jax.tree.leaves(expected), strict=True
    ):
        tolerance = 1e-5 * max(abs(want).max(), 1e-12)
        np.testing.assert_allclose(got, want, atol=tolerance, rtol=0, err_msg=str(path))


@functools.cache
def logits(model):
    """As users compile it."""

    def run(params, ids_BT, mask=None):
        return model.apply({"params": params}, ids_BT, mask)

    return jax.jit(run, compiler_options=OPTIMISED)


@functools.cache
def trajectory(model):
    return jax.jit(lambda *at: model.apply({"params": at[0]}, at[1], method="trajectory"))


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@by_recipe
def test_the_order_of_padding_changes_nothing(recipe, kind, implementation):
    """The same review padded on either side or with holes, to the bit; nor does its mask's form."""
    model = small(recipe, features=(16, 8), implementation=implementation)
    params = sharper(init(model, KEY))
    generator = np.random.default_rng(3)
    ids_BT = np.where(mask_of(kind, 4, 20), generator.integers(1, 50, (4, 20)), 0)
    right_BT = pack_rows(ids_BT)
    left_BT = pack_rows(ids_BT[:, ::-1])[:, ::-1]
    run = logits(model)
    expected_B = run(params, ids_BT)
    for moved_BT in (right_BT, left_BT):
        np.testing.assert_array_equal(run(params, moved_BT), expected_B)
    length_B = np.count_nonzero(ids_BT, axis=1).astype(np.int32)
    np.testing.assert_array_equal(run(params, right_BT, length_B), expected_B)
    trajectory_BT = trajectory(model)(params, ids_BT)
    np.testing.assert_allclose(trajectory_BT[:, -1], expected_B, atol=1e-6)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_a_changed_word_moves_only_its_own_row(implementation):
    model = small("notebook-lstm", features=(16, 8), implementation=implementation)
    params = sharper(init(model, KEY))
    ids_BT = np.random.default_rng(4).integers(1, 50, (3, 20))
    before = np.asarray(logits(model)(params, ids_BT))
    ids_BT[1, 3] = ids_BT[1, 3] % 49 + 1
    after = np.asarray(logits(model)(params, ids_BT))
    assert before[1] != after[1]
    assert (before[[0, 2]] == after[[0, 2]]).all()


def test_what_is_embedded_can_be_read_again():
    model = small("notebook-lstm", features=(8, 4))
    bound = model.bind({"params": sharper(init(model, KEY))})
    ids_BT = np.where(mask_of("interior", 3, 9), 7, 0)
    np.testing.assert_array_equal(bound.read(*bound.embed(ids_BT)), bound(ids_BT))
    assert bound.embed(ids_BT)[1].tolist() == (ids_BT != 0).tolist()
    first, second = bound.initial_carries(bound.embed(ids_BT)[0])
    assert [a.shape for a in (*first, *second)] == [(3, 8), (3, 8), (3, 4), (3, 4)]


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"features": ()}, "must be a recurrent layer"),
        ({"features": (4, 0)}, "at least 1"),
        ({"head": 0}, "at least 1"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"recurrent_dropout": -0.1}, "recurrent_dropout is -0.1"),
        ({"recurrent_init": "zeros"}, "recurrent_init is 'zeros'"),
        ({"pooling": "sum"}, "pooling is 'sum', expected last or mean or max"),
        ({"compute": "float16"}, "compute is 'float16', expected float32 or bfloat16"),
        ({"residual": True}, r"features are \(128, 64\)"),
    ],
)
def test_impossible_models_are_refused(wrong, match):
    with pytest.raises(ValueError, match=match):
        SentimentClassifier(**wrong)


def test_the_weights_of_both_directions_start_as_the_model_says():
    model = SentimentClassifier("simple_rnn", features=(4, 2), bidirectional=True, vocab_size=9)
    params = init(model.clone(recurrent_init="identity", recurrent_gain=0.5), KEY)
    for name, width in (("layer_1", 2), ("layer_backward_0", 4), ("layer_backward_1", 2)):
        np.testing.assert_array_equal(params[name]["recurrent_kernel"], np.eye(width) / 2)
    drawn = init(model.clone(recurrent_init="orthogonal"), KEY)
    first, second = (drawn[name]["recurrent_kernel"] for name in ("layer_0", "layer_backward_0"))
    assert (first != second).all()


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_a_pooled_trajectory_ends_with_the_prediction(pooling):
    model = small("notebook-simple-rnn", features=(4, 4), pooling=pooling, residual=True)
    params = sharper(init(model, KEY))
    ids_BT = np.where(mask_of("empty", 4, 9), 7, 0)
    trajectory_BT = trajectory(model)(params, ids_BT)
    np.testing.assert_allclose(trajectory_BT[:, -1], logits(model)(params, ids_BT), atol=1e-6)


def test_a_model_that_reads_both_ways_refuses_what_one_direction_has():
    model = small("notebook-lstm", features=(4,), bidirectional=True)
    bound = model.bind({"params": init(model, KEY)})
    with pytest.raises(ValueError, match="has no trajectory; use rnnsent.analysis.trajectory"):
        bound.trajectory(np.ones((1, 3), int))
    with pytest.raises(ValueError, match="has no one carry between two steps"):
        bound.initial_carries(np.ones((1, 3, 32)))


def test_options_are_those_not_at_their_defaults():
    model = small("notebook-lstm", features=(4, 4), pooling="max", compute="bfloat16")
    assert model.options() == {"pooling": "max", "compute": "bfloat16"}
    assert not small("notebook-lstm").options()


@pytest.mark.parametrize("wrong", [{"cell": "gpt"}, {"cell_options": (("leak", 1),)}])
def test_unknown_cells_and_options_are_refused(wrong):
    with pytest.raises(UserError, match="There is no cell 'gpt'|lstm has no option leak"):
        init(SentimentClassifier(**wrong), KEY)
