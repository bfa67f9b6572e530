"""The classifier as the notebook wrote it, in Keras; the backend is what KERAS_BACKEND says."""

from typing import Any

import numpy as np

from rnnsent import interop
from rnnsent.benchmark.case import Case


class KerasRNN:
    """See :class:`rnnsent.benchmark.Subject`."""

    def __init__(self, case: Case, params: Any, ids_NT: np.ndarray, label_N: np.ndarray):
        import keras

        self.case, self.at, backend = case, 0, keras.backend.backend()
        self.model = classifier(case)
        self.model.set_weights(interop.to_keras(params))
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

    def _next(self) -> tuple[np.ndarray, np.ndarray]:
        self.at += 1
        return self.batches[self.at % len(self.batches)]

    def reference(self, ids_BT: np.ndarray, label_B: np.ndarray) -> tuple[np.ndarray, dict]:
        import keras

        gradients = {"jax": _jax_gradients, "tensorflow": _tensorflow_gradients}
        logits_B = self.predictor.predict_on_batch(ids_BT)[:, 0]
        grads = gradients[keras.backend.backend()](self.model, ids_BT, label_B[:, None])
        return np.asarray(logits_B), interop.from_keras(grads, gradients=True)

    def train(self, steps: int) -> None:
        for _ in range(steps):
            loss = self.model.train_on_batch(*self._next())
        float(loss)

    def infer(self, steps: int) -> None:
        for _ in range(steps):
            np.asarray(self.predictor.predict_on_batch(self._next()[0]))


def classifier(case: Case) -> Any:
    """The notebook's model with a logit in place of the sigmoid, which belongs to the loss here."""
    import keras

    model = case.model
    layer = getattr(keras.layers, interop.LAYOUTS[model.cell].keras)
    ids_BT = keras.Input((case.steps,), dtype="int32")
    x_BTE = keras.layers.Embedding(model.vocab_size, model.embedding_size, mask_zero=case.masked)(
        ids_BT
    )
    for i, features in enumerate(model.features):
        x_BTE = layer(
            features,
            return_sequences=i < len(model.features) - 1,
            dropout=model.dropout,
            recurrent_dropout=model.recurrent_dropout,
        )(x_BTE)
    h_BH = keras.layers.Dense(model.head, activation="relu")(x_BTE)
    return keras.Model(ids_BT, keras.layers.Dense(1)(h_BH))


def _jax_gradients(model: Any, ids_BT: np.ndarray, label_B1: np.ndarray) -> list[np.ndarray]:
    import jax

    rest = [v.value for v in model.non_trainable_variables]

    def loss(weights):
        logits_B1, _ = model.stateless_call(weights, rest, ids_BT, training=False)
        return model.loss(label_B1, logits_B1)

    grads = jax.jit(jax.grad(loss))([v.value for v in model.trainable_variables])
    return [np.asarray(grad) for grad in grads]


def _tensorflow_gradients(model: Any, ids_BT: np.ndarray, label_B1: np.ndarray) -> list[np.ndarray]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = model.loss(label_B1, model(ids_BT, training=False))
    weights = [v.value for v in model.trainable_variables]
    return [np.asarray(tf.convert_to_tensor(grad)) for grad in tape.gradient(loss, weights)]
