"""The classifier as the notebook wrote it, in Keras; the backend is what KERAS_BACKEND says."""

from typing import Any

import numpy as np

from rnnsent.model import ModelConfig
from rnnsent.peers.case import Case

_LAYERS = {"simple_rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}


class KerasRNN:
    """See :class:`rnnsent.peers.Subject`."""

    def __init__(self, case: Case, params: Any, ids_NT: np.ndarray, label_N: np.ndarray):
        import keras

        self.case, self.at, backend = case, 0, keras.backend.backend()
        self.model = model(case)
        self.model.set_weights(to_keras(case.config, params))
        # TensorFlow trains this model three times as slowly under jit_compile (measured on a CPU).
        self.model.compile(
            keras.optimizers.Adam(1e-3, epsilon=1e-7),
            keras.losses.BinaryCrossentropy(from_logits=True),
            jit_compile=backend == "jax",
        )
        # The same layers and weights: inference is faster compiled on either backend.
        self.predictor = keras.Model(self.model.inputs, self.model.outputs)
        self.predictor.compile(jit_compile=True)
        self.batches = [
            (ids_NT[i : i + case.batch], label_N[i : i + case.batch, None].astype(np.float32))
            for i in range(0, len(label_N), case.batch)
        ]
        compiled = "" if backend == "jax" else " of inference only, which is faster here"
        self.setting = f"train_on_batch, jit_compile{compiled}"

    def _next(self):
        self.at += 1
        return self.batches[self.at % len(self.batches)]

    def reference(self, ids_BT, label_B):
        import keras

        gradients = {"jax": _jax_gradients, "tensorflow": _tensorflow_gradients}
        logits_B = self.predictor.predict_on_batch(ids_BT)[:, 0]
        grads = gradients[keras.backend.backend()](self.model, ids_BT, label_B[:, None])
        return np.asarray(logits_B), from_keras(self.case.config, grads)

    def train(self, steps: int) -> None:
        for _ in range(steps):
            loss = self.model.train_on_batch(*self._next())
        float(loss)

    def infer(self, steps: int) -> None:
        for _ in range(steps):
            np.asarray(self.predictor.predict_on_batch(self._next()[0]))


def model(case: Case):
    """The notebook's model with a logit in place of the sigmoid, which belongs to the loss here."""
    import keras

    config = case.config
    layer = getattr(keras.layers, _LAYERS[config.cell])
    ids_BT = keras.Input((case.steps,), dtype="int32")
    x_BTE = keras.layers.Embedding(config.vocab_size, config.embedding_size, mask_zero=case.masked)(
        ids_BT
    )
    for i, features in enumerate(config.features):
        x_BTE = layer(
            features,
            return_sequences=i < len(config.features) - 1,
            dropout=config.dropout,
            recurrent_dropout=config.recurrent_dropout,
        )(x_BTE)
    h_BH = keras.layers.Dense(config.head, activation="relu")(x_BTE)
    return keras.Model(ids_BT, keras.layers.Dense(1)(h_BH))


def _names(config: ModelConfig) -> list[tuple[str, str]]:
    """rnnsent's (layer, parameter) in the order of Keras's weights."""
    layers = [f"layer_{i}" for i in range(len(config.features))]
    recurrent = [(name, key) for name in layers for key in ("kernel", "recurrent_kernel", "bias")]
    dense = [(name, key) for name in ("hidden", "logit") for key in ("kernel", "bias")]
    return [("embedding", "embedding"), *recurrent, *dense]


def to_keras(config: ModelConfig, params: Any) -> list[np.ndarray]:
    """rnnsent's parameters as Keras's list of weights."""
    weights = []
    for name, key in _names(config):
        a = np.asarray(params[name][key])
        if config.cell == "gru" and name.startswith("layer_"):
            a = _swap_gates(_with_new_bias(a, params[name]["new_bias"]) if key == "bias" else a)
        weights.append(a)
    return weights


def from_keras(config: ModelConfig, weights: list[np.ndarray]) -> dict:
    """The inverse of :func:`to_keras`, for gradients."""
    out = {}
    for (name, key), a in zip(_names(config), weights, strict=True):
        if config.cell == "gru" and name.startswith("layer_"):
            a = _swap_gates(a)
            if key == "bias":
                a, recurrent_bias = a
                out[name]["new_bias"] = np.split(recurrent_bias, 3)[-1]
        out.setdefault(name, {})[key] = a
    return out


def _with_new_bias(bias_G: np.ndarray, new_bias_H: np.ndarray) -> np.ndarray:
    """Keras's GRU has a bias on either side, (2, G); the recurrent one holds our ``new_bias``."""
    zeros = np.zeros(len(bias_G) - len(new_bias_H), np.float32)
    return np.stack([bias_G, np.concatenate([zeros, new_bias_H])])


def _swap_gates(a: np.ndarray) -> np.ndarray:
    """rnnsent's r, z, n as Keras's z, r, n, and back."""
    r, z, n = np.split(np.asarray(a), 3, axis=-1)
    return np.concatenate([z, r, n], axis=-1)


def _jax_gradients(model, ids_BT, label_B1) -> list[np.ndarray]:
    import jax

    rest = [v.value for v in model.non_trainable_variables]

    def loss(weights):
        logits_B1, _ = model.stateless_call(weights, rest, ids_BT, training=False)
        return model.loss(label_B1, logits_B1)

    grads = jax.jit(jax.grad(loss))([v.value for v in model.trainable_variables])
    return [np.asarray(grad) for grad in grads]


def _tensorflow_gradients(model, ids_BT, label_B1) -> list[np.ndarray]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = model.loss(label_B1, model(ids_BT, training=False))
    weights = [v.value for v in model.trainable_variables]
    return [np.asarray(tf.convert_to_tensor(grad)) for grad in tape.gradient(loss, weights)]
