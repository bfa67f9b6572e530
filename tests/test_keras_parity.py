"""Against the real Keras layers, on Keras's JAX backend, with real reviews."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import OPTIMISED, mask_of

from rnnsent import data, interop, layers, optimizers
from rnnsent.cells import IndRNNCell
from rnnsent.errors import UserError
from rnnsent.evaluation import probability
from rnnsent.layout import Batch
from rnnsent.recipes import SHIPPED
from rnnsent.training import create_state, train_step

# Keras's variables answer NumPy 2 in the old way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROWS = 8


@pytest.fixture(scope="module")
def reviews():
    try:
        return data.load("imdb-train")
    except UserError as error:
        pytest.skip(f"the wheel's reviews are missing: {error}")


@pytest.fixture(params=["notebook-simple-rnn", "notebook-lstm"])
def ours(request):
    return SHIPPED[request.param].classifier(5000)


@pytest.fixture
def keras_model(keras, ours):
    """The notebook's model; dropout is off wherever it is called with ``training=False``."""
    keras.utils.set_random_seed(0)
    layer = {"simple_rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM}[ours.cell]
    dropout = {"dropout": ours.dropout, "recurrent_dropout": ours.recurrent_dropout}
    model = keras.Sequential(
        [
            keras.layers.Embedding(ours.vocab_size, ours.embedding_size, mask_zero=True),
            layer(128, return_sequences=True, **dropout),
            layer(64, **dropout),
            keras.layers.Dense(ours.head, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.build((None, 132))
    return model


def masked(reviews, kind: str) -> np.ndarray:
    """Real reviews, padded on the left as the notebook has them, on the right, or with holes."""
    short = np.flatnonzero((reviews.test.ids_NT == 0).sum(1) > 20)[:ROWS]
    ids_BT = reviews.test.ids_NT[short]
    if kind == "left":
        return ids_BT
    if kind == "right":
        return data.pack_rows(ids_BT)
    return np.where(mask_of("interior", ROWS, 132), reviews.test.ids_NT[:ROWS], 0)


def keras_gradients(model, training=False):
    """A compiled function of (variables, ids_BT, label_B): gradients of Keras's own binary
    cross-entropy, and the probabilities (B,)."""
    fixed = [v.value for v in model.non_trainable_variables]

    def loss(variables, ids_BT, label_B):
        p_B1, _ = model.stateless_call(variables, fixed, ids_BT, training=training)
        p_B = p_B1[:, 0]
        return -jnp.where(label_B == 1, jnp.log(p_B), jnp.log1p(-p_B)).mean(), p_B

    return jax.jit(jax.grad(loss, has_aux=True))


def our_gradients(ours, params, ids_BT, label_B, **options):
    """Gradients of the same loss of our model applied with ``options``, and the logits."""

    def loss(params, ids_BT, label_B):
        logits_B = ours.apply({"params": params}, ids_BT, **options)
        return jnp.logaddexp(0, jnp.where(label_B == 1, -logits_B, logits_B)).mean(), logits_B

    run = jax.jit(jax.grad(loss, has_aux=True), compiler_options=OPTIMISED)
    return run(params, ids_BT, label_B)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["left", "right", "interior"])
def test_probabilities_and_gradients(keras_model, ours, reviews, kind):
    ids_BT, label_B = masked(reviews, kind), reviews.test.label_N[:ROWS]
    # Larger embeddings than Keras starts from, so that what the model reads matters.
    weights = [10 * keras_model.get_weights()[0], *keras_model.get_weights()[1:]]
    keras_model.set_weights(weights)
    variables = [v.value for v in keras_model.trainable_variables]
    expected, expected_B = keras_gradients(keras_model)(variables, ids_BT, label_B)
    params = interop.from_keras(weights)
    grads, logits_B = our_gradients(ours, params, ids_BT, label_B)
    np.testing.assert_allclose(probability(logits_B), expected_B, atol=1e-5, rtol=0)
    assert_gradients_agree(keras_model, grads, expected)


def assert_gradients_agree(model, got, want, share=5e-5):
    for a, b, variable in zip(interop.to_keras(got), want, model.trainable_variables, strict=True):
        tolerance = share * float(abs(b).max())
        np.testing.assert_allclose(a, b, atol=tolerance, rtol=0, err_msg=variable.path)


@pytest.mark.slow
def test_dropout_masks_act_where_keras_has_them_act(keras_model, ours, reviews, monkeypatch):
    """The same masks on both sides: probabilities and gradients of a step with dropout."""
    ids_BT = masked(reviews, "left")
    label_B = reviews.test.label_N[:ROWS]
    rates = [rate for rate in (ours.dropout, ours.recurrent_dropout) if rate]
    widths = {"kernel": (32, 128), "recurrent": (128, 64)}
    generator, drawn = np.random.default_rng(0), []
    for layer in range(2):
        for width, _ in zip((widths[part][layer] for part in widths), rates, strict=False):
            drawn.append(generator.choice([0.0, 2.0], (ROWS, width)).astype(np.float32))
    here, theirs = iter(drawn), iter(drawn)
    monkeypatch.setattr(layers, "dropout_mask", lambda *_: jnp.asarray(next(here)))
    for layer in keras_model.layers:
        if hasattr(layer, "cell"):
            for part, _ in zip(("dropout", "recurrent_dropout"), rates, strict=False):
                mask = next(theirs)
                monkeypatch.setattr(layer.cell, f"get_{part}_mask", lambda _, mask=mask: mask)
    weights = [10 * keras_model.get_weights()[0], *keras_model.get_weights()[1:]]
    variables = [jnp.asarray(w) for w in weights]
    expected, expected_B = keras_gradients(keras_model, True)(variables, ids_BT, label_B)
    params, rngs = interop.from_keras(weights), {"dropout": jax.random.key(0)}
    grads, logits_B = our_gradients(ours, params, ids_BT, label_B, train=True, rngs=rngs)
    np.testing.assert_allclose(probability(logits_B), expected_B, atol=1e-5, rtol=0)
    # Large embeddings and doubled units amplify rounding; a mask at a wrong place moves all of it.
    assert_gradients_agree(keras_model, grads, expected, share=5e-4)
    assert not list(here) and not list(theirs)


def test_weights_there_and_back(keras_model):
    weights = keras_model.get_weights()
    for before, after in zip(weights, interop.to_keras(interop.from_keras(weights)), strict=True):
        np.testing.assert_array_equal(before, after)


def test_other_models_weights_are_refused(keras_model):
    weights = keras_model.get_weights()
    with pytest.raises(UserError, match="weight arrays"):
        interop.from_keras(weights[:-1])
    with pytest.raises(UserError, match="do not follow"):
        interop.from_keras([weights[0], *weights[4:7], *weights[1:4], *weights[7:]])


@pytest.mark.slow
def test_three_optimizer_steps_with_a_ragged_last_batch(keras, keras_model, ours, reviews):
    """Adam, the loss's mean over the rows really there, and weights after three steps."""
    model, optimizer = ours.clone(dropout=0.0, recurrent_dropout=0.0), optimizers.adam(1e-3)
    for layer in keras_model.layers:
        if hasattr(layer, "cell"):
            layer.cell.dropout = layer.cell.recurrent_dropout = 0.0
            layer.dropout_rate = layer.recurrent_dropout_rate = 0.0
    adam = keras.optimizers.Adam(1e-3)
    adam.build(keras_model.trainable_variables)
    variables = [v.value for v in keras_model.trainable_variables]
    slots = [v.value for v in adam.variables]
    state = create_state(model, optimizer, 0)
    state = state.replace(params=interop.from_keras(keras_model.get_weights()))
    gradients = keras_gradients(keras_model)
    step = functools.partial(train_step, model, optimizer, micro_batch=4)
    step = jax.jit(step, compiler_options=OPTIMISED)
    for rows in (8, 8, 5):
        ids_BT, label_B = reviews.train.ids_NT[:8], reviews.train.label_N[:8]
        grads, _ = gradients(variables, ids_BT[:rows], label_B[:rows])
        variables, slots = adam.stateless_apply(slots, grads, variables)
        weight_B = (np.arange(8) < rows).astype(np.float32)
        packed_BT = data.pack_rows(ids_BT)
        batch = Batch(packed_BT, data.lengths(packed_BT), label_B, weight_B, np.arange(8))
        state, totals = step(state, batch)
        assert totals.weight == rows
    for got, want in zip(interop.to_keras(state.params), variables, strict=True):
        # A step moves a weight by up to 1e-3, in a direction that is rounding noise for a few.
        close = np.isclose(got, want, atol=2e-5, rtol=0)
        assert close.mean() > 0.999


def test_an_ind_rnn_is_a_simple_rnn_whose_kernel_is_diagonal(keras):
    rows, steps, inputs, width = 3, 7, 4, 5
    recurrent = layers.Recurrent([IndRNNCell(width)])
    x_BTE = np.random.default_rng(0).standard_normal((rows, steps, inputs), np.float32)
    params = recurrent.init(jax.random.key(0), x_BTE)["params"]
    own = params["cells_0"]
    theirs = keras.layers.SimpleRNN(width, activation="relu", return_sequences=True)
    theirs.build((rows, steps, inputs))
    theirs.set_weights([own["kernel"], np.diag(own["recurrent_kernel"]), own["bias"]])
    _, y_BTH = recurrent.apply({"params": params}, x_BTE)
    np.testing.assert_allclose(y_BTH, theirs(x_BTE), atol=1e-6, rtol=1e-5)
