"""rnnsent as a subject: the very train step and prediction that its users run."""

from typing import Any

import jax
import numpy as np
import optax
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from rnnsent import devices, training
from rnnsent.model import SentimentClassifier
from rnnsent.peers.case import Case


class Rnnsent:
    """``training.train_steps`` and ``training.predict``; see :class:`rnnsent.peers.Subject`."""

    def __init__(self, case: Case, params: Any, ids_NT: np.ndarray, label_N: np.ndarray):
        self.case, self.ids_NT = case, ids_NT
        self.mesh = devices.mesh()
        self.optimizer = training.optimizer()
        micro_batch = training.default_micro_batch()
        self.layout = training.plan(case.batch, self.mesh.size, micro_batch)
        everywhere = NamedSharding(self.mesh, P())
        state = training.create_state(case.config, self.optimizer, 0)
        state = state.replace(params=params, opt_state=self.optimizer.init(params))
        rows = training.pack_rows(ids_NT), label_N, self._order(len(label_N))
        self.state, *self.rows = jax.device_put((state, *rows), everywhere)
        self.batches, self.at = len(label_N) // case.batch, 0
        self.setting = f"{self.mesh.size} devices, micro-batch {self.layout.micro_batch}"

    def _order(self, rows: int) -> np.ndarray:
        order_SB = np.arange(rows, dtype=np.int32).reshape(-1, self.case.batch)
        filling = self.layout.rows - self.case.batch
        return np.pad(order_SB, ((0, 0), (0, filling)), constant_values=-1)

    def reference(self, ids_BT, label_B):
        def loss(params):
            total, _ = training.loss_sums(
                self.case.config, params, ids_BT, label_B, np.ones(len(label_B), np.float32)
            )
            return total / len(label_B)

        ids_BT = training.pack_rows(ids_BT)
        logits_B = training.predict(self.case.config, self.state.params, ids_BT)
        return logits_B, jax.tree.map(np.asarray, jax.jit(jax.grad(loss))(self.state.params))

    def train(self, steps: int) -> None:
        while steps:
            stop = min(self.at + steps, self.batches)
            self.state, totals = self._dispatch(self.at, stop)
            steps, self.at = steps - (stop - self.at), stop % self.batches
        jax.block_until_ready((self.state, totals))

    def _dispatch(self, start: int, stop: int):
        return training.train_steps(
            self.state,
            *self.rows,
            start,
            stop,
            config=self.case.config,
            optimizer=self.optimizer,
            layout=self.layout,
            devices=self.mesh,
        )

    def infer(self, steps: int) -> None:
        B = self.case.batch
        rows_N = np.arange(self.at * B, (self.at + steps) * B) % len(self.ids_NT)
        training.predict(self.case.config, self.state.params, self.ids_NT[rows_N], batch_size=B)
        self.at = (self.at + steps) % self.batches

    def temporary_bytes(self) -> int:
        """What XLA sets aside on one device for the train step, beside arguments and results."""
        lowered = training.train_steps.lower(
            self.state,
            *self.rows,
            0,
            1,
            config=self.case.config,
            optimizer=self.optimizer,
            layout=self.layout,
            devices=self.mesh,
        )
        return lowered.compile().memory_analysis().temp_size_in_bytes * self.mesh.size


def exact(config, params: Any, ids_BT: np.ndarray, label_B: np.ndarray) -> tuple[np.ndarray, dict]:
    """Logits and the mean loss's gradients by ``lax.scan``'s own autodiff, dropout off.

    In float64 where JAX has it enabled: the reference that every subject is checked against.
    """
    model = SentimentClassifier(config, "scan")

    def loss(params):
        logits_B = model.apply({"params": params}, ids_BT)
        return optax.sigmoid_binary_cross_entropy(logits_B, label_B).mean(), logits_B

    params = jax.tree.map(lambda a: jax.numpy.asarray(a, jax.numpy.result_type(float)), params)
    grads, logits_B = jax.jit(jax.grad(loss, has_aux=True))(params)
    return np.asarray(logits_B), jax.tree.map(np.asarray, grads)
