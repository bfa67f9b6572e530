"""The classifier as a Flax user writes it: ``nn.RNN`` over Flax's own cells, one jitted step."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from rnnsent import data, timing, training
from rnnsent.model import ModelConfig
from rnnsent.peers.case import Case

_CELLS = {"simple_rnn": nn.SimpleCell, "lstm": nn.OptimizedLSTMCell, "gru": nn.GRUCell}

_GATES = {
    "simple_rnn": (("i",), ("h",)),
    "lstm": (("ii", "if", "ig", "io"), ("hi", "hf", "hg", "ho")),
    "gru": (("ir", "iz", "in"), ("hr", "hz", "hn")),
}
"""Flax's names of the input and recurrent kernels, in rnnsent's order of gates."""


class Classifier(nn.Module):
    """Embedding, two ``nn.RNN`` layers, head. Inputs are dropped once per sequence."""

    config: ModelConfig

    @nn.compact
    def __call__(self, ids_BT, length_B=None, train: bool = False):
        config = self.config
        x_BTE = nn.Embed(config.vocab_size, config.embedding_size, name="embedding")(ids_BT)
        for i, features in enumerate(config.features):
            x_BTE = nn.Dropout(config.dropout, broadcast_dims=(1,), deterministic=not train)(x_BTE)
            rnn = nn.RNN(_CELLS[config.cell](features, name=f"layer_{i}"), return_carry=True)
            carry, x_BTE = rnn(x_BTE, seq_lengths=length_B)
        h_BH = carry[1] if config.cell == "lstm" else carry
        h_BH = nn.relu(nn.Dense(config.head, name="hidden")(h_BH))
        return nn.Dense(1, name="logit")(h_BH)[:, 0]


class FlaxRNN:
    """See :class:`rnnsent.peers.Subject`."""

    setting = "XLA's defaults: one device, its own threads"

    def __init__(self, case: Case, params: Any, ids_NT: np.ndarray, label_N: np.ndarray):
        self.case, self.model = case, Classifier(case.config)
        self.params = jax.device_put(self._to_own(params))
        self.optimizer = training.optimizer()
        self.opt_state = self.optimizer.init(self.params)
        self.key, self.at = jax.random.key(0), 0
        self.batches = [
            jax.device_put((*self._inputs(ids_NT[i : i + case.batch]), label_N[i : i + case.batch]))
            for i in range(0, len(label_N), case.batch)
        ]
        self.forward = jax.jit(self._logits)
        self.gradient = jax.jit(jax.grad(self._loss))

    def _to_own(self, params: Any) -> dict:
        return to_flax(self.case.config, params)

    def _from_own(self, params: Any) -> dict:
        return from_flax(self.case.config, params)

    def _inputs(self, ids_BT):
        """Ids and, where rows may hold padding, packed ids and their lengths."""
        if not self.case.masked:
            return ids_BT, None
        return data.pack_rows(ids_BT), data.lengths(ids_BT)

    def _logits(self, params, ids_BT, length_B, key=None):
        train = key is not None
        rngs = {"dropout": key} if train else None
        return self.model.apply({"params": params}, ids_BT, length_B, train, rngs=rngs)

    def _loss(self, params, ids_BT, length_B, label_B, key=None):
        logits_B = self._logits(params, ids_BT, length_B, key)
        return optax.sigmoid_binary_cross_entropy(logits_B, label_B).mean()

    def _step(self, params, opt_state, ids_BT, length_B, label_B, key):
        loss, grads = jax.value_and_grad(self._loss)(params, ids_BT, length_B, label_B, key)
        updates, opt_state = self.optimizer.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, loss

    def _next(self):
        self.at += 1
        return self.batches[self.at % len(self.batches)]

    def reference(self, ids_BT, label_B):
        ids_BT, length_B = self._inputs(ids_BT)
        logits_B = self.forward(self.params, ids_BT, length_B)
        grads = self.gradient(self.params, ids_BT, length_B, label_B)
        return np.asarray(logits_B), self._from_own(grads)

    @functools.cached_property
    def program(self) -> jax.stages.Compiled:
        """The compiled train step."""
        step = jax.jit(self._step, donate_argnums=(0, 1))
        arguments = (self.params, self.opt_state, *self.batches[0], self.key)
        program, self.compile_seconds = timing.compile(step, *arguments)
        return program

    def train(self, steps: int) -> None:
        for _ in range(steps):
            batch = self._next()
            key = jax.random.fold_in(self.key, self.at)
            self.params, self.opt_state, loss = self.program(
                self.params, self.opt_state, *batch, key
            )
        jax.block_until_ready((self.params, loss))

    def infer(self, steps: int) -> None:
        logits = [self.forward(self.params, *self._next()[:2]) for _ in range(steps)]
        for logits_B in logits:
            np.asarray(logits_B)


def to_flax(config: ModelConfig, params: Any) -> dict:
    """rnnsent's parameters in the layout of :class:`Classifier`."""
    layers = [name for name in params if name.startswith("layer_")]
    return jax.tree.map(jnp.asarray, dict(params)) | {
        name: _to_cell(config.cell, params[name]) for name in layers
    }


def _to_cell(cell: str, layer: Any) -> dict:
    inputs, recurrents = _GATES[cell]
    kernels = np.split(np.asarray(layer["kernel"]), len(inputs), axis=1)
    recurrent_kernels = np.split(np.asarray(layer["recurrent_kernel"]), len(inputs), axis=1)
    biases = np.split(np.asarray(layer["bias"]), len(inputs))
    out = {name: {"kernel": a} for name, a in zip(inputs, kernels, strict=True)}
    out |= {name: {"kernel": a} for name, a in zip(recurrents, recurrent_kernels, strict=True)}
    for name, bias_H in zip(recurrents if cell == "lstm" else inputs, biases, strict=True):
        out[name]["bias"] = bias_H
    if cell == "gru":
        out["hn"]["bias"] = np.asarray(layer["new_bias"])
    return out


def from_flax(config: ModelConfig, params: Any) -> dict:
    """The inverse of :func:`to_flax`, for gradients."""
    return {
        name: _from_cell(config.cell, layer)
        if name.startswith("layer_")
        else jax.tree.map(np.asarray, layer)
        for name, layer in params.items()
    }


def _from_cell(cell: str, layer: Any) -> dict:
    inputs, recurrents = _GATES[cell]
    biased = recurrents if cell == "lstm" else inputs
    out = {
        "kernel": np.concatenate([layer[name]["kernel"] for name in inputs], axis=1),
        "recurrent_kernel": np.concatenate([layer[name]["kernel"] for name in recurrents], axis=1),
        "bias": np.concatenate([layer[name]["bias"] for name in biased]),
    }
    return out | ({"new_bias": np.asarray(layer["hn"]["bias"])} if cell == "gru" else {})
