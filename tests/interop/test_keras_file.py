"""Keras's files against the real Keras, both ways, and what is refused of them."""

import functools

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interop import made

from rnnsent import interop
from rnnsent.errors import UserError
from rnnsent.model import SentimentClassifier

pytestmark = [
    # Keras's variables answer NumPy 2 in the old way.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def keras_model(keras, cell: str, layers: int, mask_zero: bool = True, **options):
    """Of Keras's own, with dropout wherever it may be, and of large random weights."""
    keras.utils.set_random_seed(0)
    kind = getattr(keras.layers, interop.LAYOUTS[cell].keras)
    widths = (5, 4)[:layers]
    model = keras.Sequential([keras.layers.Embedding(7, 3, mask_zero=mask_zero)])
    for i, width in enumerate(widths):
        sequences = {"return_sequences": i < layers - 1}
        model.add(kind(width, dropout=0.1, recurrent_dropout=0.1, **sequences, **options))
        model.add(keras.layers.Dropout(0.2))
    model.add(keras.layers.Dense(3, activation="relu"))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.build((None, made.IDS.shape[1]))
    rng = np.random.default_rng(0)
    model.set_weights([np.float32(rng.normal(size=w.shape)) for w in model.get_weights()])
    return model


def train(model) -> np.ndarray:
    """Three steps of gradient descent by Keras's own gradients; returns its probabilities after."""
    label_B = np.arange(len(made.IDS)) % 2
    rest = [v.value for v in model.non_trainable_variables]

    def loss(weights):
        p_B1, _ = model.stateless_call(weights, rest, made.IDS, training=False)
        return ((p_B1[:, 0] - label_B) ** 2).mean(), p_B1[:, 0]

    gradient, weights = jax.jit(jax.grad(loss, has_aux=True)), model.get_weights()
    for _ in range(3):
        weights = [w - 0.5 * g for w, g in zip(weights, gradient(weights)[0], strict=True)]
    model.set_weights(weights)
    return np.asarray(gradient(weights)[1])


@pytest.mark.slow
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", made.CELLS)
def test_a_trained_model_of_keras_predicts_the_same_here_and_again_there(
    keras, cell, layers, tmp_path
):
    masked = (cell, layers) != ("lstm", 1)
    model = keras_model(keras, cell, layers, masked)
    want_B = train(model)
    assert np.ptp(want_B) > 0.01
    theirs, weights = tmp_path / "theirs.keras", tmp_path / "theirs.weights.h5"
    model.save(theirs)
    model.save_weights(weights)
    held = interop.load(theirs)
    assert held.mask_zero == masked and held.notes == (
        "Dropout is left out: it acts in training only.",
    )
    np.testing.assert_allclose(made.probabilities(held), want_B, atol=1e-5, rtol=0)
    made.same(interop.load(weights).params, held.params)
    interop.save(tmp_path / "ours.keras", held)
    interop.save(tmp_path / "ours.weights.h5", held)
    again = keras.models.load_model(tmp_path / "ours.keras")
    # The very same layers and weights, so that the program of the first gives their predictions.
    assert [type(one).__name__ for one in again.layers] == [
        type(one).__name__ for one in model.layers if type(one).__name__ != "Dropout"
    ]
    assert again.layers[0].mask_zero == masked
    fresh = keras_model(keras, cell, layers, masked)
    fresh.load_weights(tmp_path / "ours.weights.h5")
    for other in (again, fresh):
        # Not one by one: of the GRU's two biases only the sum is kept.
        made.same(interop.from_keras(other.get_weights()), held.params)


@pytest.mark.slow
@pytest.mark.parametrize("cell", made.CELLS)
def test_a_model_of_ours_predicts_the_same_in_keras(keras, cell, tmp_path):
    held = made.portable(cell, (5, 4), dropout=0.3)
    interop.save(tmp_path / "ours.keras", held)
    model = keras.models.load_model(tmp_path / "ours.keras")
    assert model.layers[1].dropout == 0.3
    got_B1 = jax.jit(functools.partial(model, training=False))(made.IDS)
    np.testing.assert_allclose(got_B1[:, 0], made.probabilities(held), atol=1e-5, rtol=0)


def test_a_gru_whose_reset_gate_acts_before_the_product_is_refused_by_name(keras, tmp_path):
    model = keras_model(keras, "gru", 1, reset_after=False)
    model.save(tmp_path / "a.keras")
    model.save_weights(tmp_path / "a.weights.h5")
    for name in ("a.keras", "a.weights.h5"):
        with pytest.raises(UserError, match="reset_after=False"):
            interop.load(tmp_path / name)


models = st.fixed_dictionaries(
    {
        "cell": st.sampled_from(made.CELLS),
        "features": st.lists(st.integers(1, 4), min_size=1, max_size=12).map(tuple),
        "vocab_size": st.integers(1, 9),
        "embedding_size": st.integers(1, 4),
        "head": st.integers(1, 4),
    }
)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(fields=models, mask_zero=st.booleans())
def test_what_is_written_is_read_bit_for_bit(fields, mask_zero, tmp_path):
    model = SentimentClassifier(**fields, dropout=0.0)
    held = interop.Portable(model, made.params_of(model), mask_zero)
    for name in ("a.keras", "a.weights.h5"):
        interop.save(tmp_path / name, held, force=True)
        read = interop.load(tmp_path / name)
        assert read.model == model
        assert read.mask_zero == (mask_zero or name == "a.weights.h5")
        made.same(read.params, held.params)


@pytest.mark.parametrize("name", ["a.keras", "a.weights.h5"])
@pytest.mark.parametrize("option", [{"pooling": "mean"}, {"bidirectional": True}])
def test_a_model_of_more_than_plain_layers_is_refused(name, option, tmp_path):
    model = SentimentClassifier(
        "lstm", features=(2,), head=2, vocab_size=3, embedding_size=2, **option
    )
    held = interop.Portable(model, made.params_of(model))
    with pytest.raises(UserError, match=f"{next(iter(option))}=.* Convert to .safetensors"):
        interop.save(tmp_path / name, held)
    assert not list(tmp_path.iterdir())


def test_the_same_model_makes_the_same_file(tmp_path):
    for name in ("a.keras", "b.keras", "a.weights.h5", "b.weights.h5"):
        interop.save(tmp_path / name, made.portable())
    for kind in ("keras", "weights.h5"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_what_is_assumed_and_left_out_is_said(tmp_path):
    def unmasked(config):
        layers = config["config"]["layers"]
        layers[1]["config"]["mask_zero"] = False
        layers[-1]["config"]["activation"] = "linear"

    held = interop.load(made.edited(tmp_path / "a.keras", unmasked))
    assert "rnnsent.predict, which masks id 0, predicts otherwise" in held.assumes
    assert held.mask(made.IDS).all() and "gives logits" in " ".join(held.notes)
    interop.save(tmp_path / "a.weights.h5", made.portable())
    (note,) = interop.load(tmp_path / "a.weights.h5").notes
    assert "taken are tanh" in note and "mask_zero=True" in note


def set_layer(index: int, **fields):
    return lambda config: config["config"]["layers"][index]["config"].update(fields)


def set_object(index: int, **fields):
    return lambda config: config["config"]["layers"][index].update(fields)


def without(index: int):
    return lambda config: config["config"]["layers"].pop(index)


@pytest.mark.parametrize(
    "change, message",
    [
        (set_object(2, class_name="Lambda"), "Lambda layer, which holds code"),
        (set_object(2, class_name="Bidirectional"), "has a 'Bidirectional' layer"),
        (set_object(2, class_name="LSTM\x1b[2J"), "'LSTM\\\\x1b"),
        (set_object(2, module="os"), "'LSTM' that is not of keras.layers"),
        (set_object(2, registered_name="Mine>LSTM"), "'LSTM' that is not of keras.layers"),
        (set_object(2, class_name="GRU"), "mixes GRU and LSTM"),
        (lambda config: config.update(class_name="Functional"), "a 'Functional' model"),
        (lambda config: config.update(module="mine"), "custom 'Sequential'"),
        (without(1), "has the layers LSTM, LSTM, Dense, Dense"),
        (without(-1), "has the layers Embedding, LSTM, LSTM, Dense"),
        (set_layer(2, activation="relu"), "activation='relu'; expected 'tanh'"),
        (set_layer(2, activation={"class_name": "__lambda__"}), "expected 'tanh'"),
        (set_layer(2, recurrent_activation="hard_sigmoid"), "recurrent_activation='hard_sigmoid'"),
        (set_layer(2, use_bias=False), "use_bias=False"),
        (set_layer(2, go_backwards=True), "go_backwards=True"),
        (set_layer(2, stateful=True), "stateful=True"),
        (set_layer(2, return_sequences=False), "return_sequences=False"),
        (set_layer(3, return_sequences=True), "return_sequences=True"),
        (set_layer(3, zero_output_for_mask=True), "zero_output_for_mask=True"),
        (set_layer(2, dtype={"config": {"name": "mixed_float16"}}), "dtype='mixed_float16'"),
        (set_layer(1, quantization_config={}), "quantization_config"),
        (set_layer(-2, activation="tanh"), "expected 'relu'"),
        (set_layer(-1, units=2), "units=2; expected 1"),
        (set_layer(-1, activation="softmax"), "activation='softmax'"),
        (set_layer(2, units=10**30), "config.json that cannot be read"),
        (set_layer(2, units=-1), "config.json that cannot be read"),
        (set_layer(2, units="5"), "config.json that cannot be read"),
        (set_layer(2, units=6), "features is \\(6, 4\\) by its config.json"),
        (set_layer(1, input_dim=2**30), "vocab_size is 1073741824 by its config.json and 7"),
        (lambda config: config["config"].update(layers=[]), "has the layers none"),
        (lambda config: config["config"].update(layers=7), "config.json that cannot be read"),
        (lambda config: config["config"]["layers"].extend([{}] * 3), "cannot be read"),
    ],
)
def test_another_architecture_is_one_line(tmp_path, change, message):
    with pytest.raises(UserError, match=message) as refused:
        interop.load(made.edited(tmp_path / "a.keras", change))
    said = str(refused.value)
    assert "\n" not in said and said.isprintable() and len(said) < 700


def test_layers_are_named_where_weights_alone_are_of_another_model(tmp_path):
    import h5py

    path = tmp_path / "a.weights.h5"
    for change, message in (
        (lambda layers: layers.move("lstm_1", "bidirectional"), "layers bidirectional, dense"),
        (lambda layers: layers.move("lstm_1", "gru"), "dense_1, embedding, gru, lstm"),
        (lambda layers: layers.move("lstm_1", "lstm_3"), "lstm_3"),
        (lambda layers: layers.pop("embedding"), "has the layers dense"),
        (lambda layers: layers.clear(), "has the layers none"),
        (lambda layers: layers.create_group("dropout_1"), None),
    ):
        interop.save(path, made.portable(), force=True)
        with h5py.File(path, "r+") as file:
            change(file["layers"])
        if message is None:
            made.same(interop.load(path).params, made.portable().params)
            continue
        with pytest.raises(UserError, match=message):
            interop.load(path)
