"""The classifier as a Flax user writes it: ``nn.RNN`` over cells, one jitted step.

The cells are Flax's own where it has them. A cell of the user's own is an ``nn.RNNCellBase``, so
``nn.RNN`` runs the very same one.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from rnnsent import cells, data, interop, optimizers
from rnnsent.arrays import Array
from rnnsent.benchmark import clock
from rnnsent.benchmark.case import Case


class Classifier(nn.Module):
    """Embedding, ``nn.RNN`` layers, head. Inputs are dropped once per sequence."""

    case: Case

    @nn.compact
    def __call__(self, ids_BT: Array, length_B: Array | None = None, train: bool = False) -> Array:
        model = self.case.model
        x_BTE = nn.Embed(model.vocab_size, model.embedding_size, name="embedding")(ids_BT)
        for i, features in enumerate(model.features):
            x_BTE = nn.Dropout(model.dropout, broadcast_dims=(1,), deterministic=not train)(x_BTE)
            x_BTE = nn.RNN(self._cell(features, f"layer_{i}"))(x_BTE, seq_lengths=length_B)
        h_BH = nn.relu(nn.Dense(model.head, name="hidden")(_last(x_BTE, length_B)))
        return nn.Dense(1, name="logit")(h_BH)[:, 0]

    def _cell(self, features: int, name: str) -> nn.RNNCellBase:
        model = self.case.model
        if model.cell in interop.LAYOUTS:
            return getattr(nn, interop.LAYOUTS[model.cell].flax)(features, name=name)
        return cells.find(model.cell)(features=features, name=name, **dict(model.cell_options))


def _last(y_BTH: Array, length_B: Array | None) -> Array:
    """Each row's output at its last real step; with no lengths, at the last step."""
    if length_B is None:
        return y_BTH[:, -1]
    return y_BTH[jnp.arange(len(y_BTH)), length_B - 1]


class FlaxRNN:
    """See :class:`rnnsent.benchmark.Subject`."""

    setting = "XLA's defaults: one device, its own threads"

    def __init__(self, case: Case, params: Any, ids_NT: np.ndarray, label_N: np.ndarray):
        self.case, self.model = case, Classifier(case)
        self.params = jax.device_put(self._to_own(params))
        self.optimizer = optimizers.adam(1e-3)
        self.opt_state = self.optimizer.init(self.params)
        self.key, self.at = jax.random.key(0), 0
        self.batches = [
            jax.device_put((*self._inputs(ids_NT[i : i + case.batch]), label_N[i : i + case.batch]))
            for i in range(0, len(label_N), case.batch)
        ]
        self.forward = jax.jit(self._logits)
        self.gradient = jax.jit(jax.grad(self._loss))

    def _to_own(self, params: Any) -> dict:
        return interop.to_flax(params) if self.case.model.cell in interop.LAYOUTS else dict(params)

    def _from_own(self, params: Any) -> dict:
        own = jax.tree.map(np.asarray, dict(params))
        return interop.from_flax(own) if self.case.model.cell in interop.LAYOUTS else own

    def _inputs(self, ids_BT: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Ids and, where rows may hold padding, packed ids and their lengths."""
        if not self.case.masked:
            return ids_BT, None
        return data.pack_rows(ids_BT), data.lengths(ids_BT)

    def _logits(
        self, params: Any, ids_BT: Array, length_B: Array | None, key: Array | None = None
    ) -> Array:
        rngs = None if key is None else {"dropout": key}
        logits_B: Array = self.model.apply(  # type: ignore[assignment]  # nothing is mutable here
            {"params": params}, ids_BT, length_B, key is not None, rngs=rngs
        )
        return logits_B

    def _loss(
        self,
        params: Any,
        ids_BT: Array,
        length_B: Array | None,
        label_B: Array,
        key: Array | None = None,
    ) -> Array:
        logits_B = self._logits(params, ids_BT, length_B, key)
        return optax.sigmoid_binary_cross_entropy(logits_B, label_B).mean()

    def _step(
        self,
        params: Any,
        opt_state: Any,
        ids_BT: Array,
        length_B: Array | None,
        label_B: Array,
        key: Array,
    ) -> tuple[Any, Any, Array]:
        loss, grads = jax.value_and_grad(self._loss)(params, ids_BT, length_B, label_B, key)
        updates, opt_state = self.optimizer.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, loss

    def _next(self) -> Any:
        self.at += 1
        return self.batches[self.at % len(self.batches)]

    def reference(self, ids_BT: np.ndarray, label_B: np.ndarray) -> tuple[np.ndarray, dict]:
        ids_BT, length_B = self._inputs(ids_BT)
        logits_B = self.forward(self.params, ids_BT, length_B)
        grads = self.gradient(self.params, ids_BT, length_B, label_B)
        return np.asarray(logits_B), self._from_own(grads)

    @functools.cached_property
    def program(self) -> jax.stages.Compiled:
        """The compiled train step."""
        step = jax.jit(self._step, donate_argnums=(0, 1))
        arguments = (self.params, self.opt_state, *self.batches[0], self.key)
        program, self.compile_seconds = clock.compile(step, *arguments)
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
