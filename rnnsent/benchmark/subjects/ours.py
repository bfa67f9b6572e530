"""rnnsent as a subject: the very program that ``fit`` dispatches, and ``predict``."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from rnnsent import data, devices, fitting, inference, optimizers, training
from rnnsent.benchmark import clock, costs
from rnnsent.benchmark.case import Case
from rnnsent.devices import ROWS, SEEDS
from rnnsent.layout import Batch, Plan, Rows, default_micro_batch, plan
from rnnsent.model import SentimentClassifier
from rnnsent.training import TrainState


class Rnnsent:
    """``training.train_steps`` and ``inference.predict``; see :class:`rnnsent.benchmark.Subject`.

    Args:
      case: the work.
      params: the model's.
      ids_NT: int32 token ids, 0 = padding.
      label_N: int32, 1 = positive.
      implementation: of the recurrence, see :func:`rnnsent.recurrence.scan`.
      whole: a device takes its share of a batch at once, in place of micro-batches.
      together: several seeds are one program, in place of one training after another.
    """

    def __init__(
        self,
        case: Case,
        params: Any,
        ids_NT: np.ndarray,
        label_N: np.ndarray,
        *,
        implementation: str = "auto",
        whole: bool = False,
        together: bool = False,
    ):
        self.case, self.ids_NT, self.params = case, ids_NT, params
        self.model = case.model.clone(implementation=implementation)
        self.optimizer = optimizers.adam(1e-3)
        self.seeds = case.seeds if together else 1
        self.mesh = devices.mesh(self.seeds)
        self.devices = self.mesh.size
        micro_batch = None if whole else default_micro_batch(self.model)
        self.layout = plan(case.batch, self.mesh.shape[ROWS], micro_batch)
        self.batches, self.at = len(label_N) // case.batch, 0
        self._place(label_N)
        self.setting = self._setting()

    def _place(self, label_N: np.ndarray) -> None:
        """States, rows and their order on the devices, as ``fit`` has them."""
        zero, opt_state = jnp.zeros((), jnp.int32), self.optimizer.init(self.params)
        state = TrainState(zero, zero, self.params, opt_state, jax.random.key(0))
        order_SKB = np.stack([self._order(len(label_N))] * self.seeds)
        everywhere, by_seeds = NamedSharding(self.mesh, P()), NamedSharding(self.mesh, P(SEEDS))
        self.states = jax.device_put(fitting.stack([state] * self.seeds), by_seeds)
        self.rows = jax.device_put(Rows.of(self.ids_NT, label_N), everywhere)
        shares = NamedSharding(self.mesh, P(SEEDS, None, ROWS))
        self.order_SKB = jax.device_put(order_SKB, shares)

    def _order(self, rows: int) -> np.ndarray:
        order_KB = np.arange(rows, dtype=np.int32).reshape(-1, self.case.batch)
        filling = self.layout.rows - self.case.batch
        return np.pad(order_KB, ((0, 0), (0, filling)), constant_values=-1)

    def _setting(self) -> str:
        implementation = self.model.chosen
        places = f"{self.devices} device{'s' if self.devices > 1 else ''}"
        seeds = f", {self.seeds} seeds in one program" if self.seeds > 1 else ""
        return f"{implementation}, {places}, micro-batch {self.layout.micro_batch}{seeds}"

    def _now(self) -> Any:
        """The first seed's parameters."""
        return jax.tree.map(lambda a: a[0], self.states.params)

    def reference(self, ids_BT: np.ndarray, label_B: np.ndarray) -> tuple[np.ndarray, dict]:
        params, batch = self._now(), _batch(Rows.of(ids_BT, label_B))
        grads = _gradients(self.model, params, batch)
        return self._predict(params, ids_BT), jax.tree.map(np.asarray, grads)

    @functools.cached_property
    def program(self) -> jax.stages.Compiled:
        """The compiled train step."""
        program, self.compile_seconds = clock.compile(
            training.train_steps,
            self.states,
            self.rows,
            self.order_SKB,
            (0, 1),
            model=self.model,
            optimizer=self.optimizer,
            layout=self.layout,
            devices=self.mesh,
        )
        return program

    def train(self, steps: int) -> None:
        steps *= self.case.seeds // self.seeds
        while steps:
            stop = min(self.at + steps, self.batches)
            span = (self.at, stop)
            self.states, totals = self.program(self.states, self.rows, self.order_SKB, span)
            steps, self.at = steps - (stop - self.at), stop % self.batches
        jax.block_until_ready((self.states, totals))

    def infer(self, steps: int) -> None:
        ids_NT, params = self.ids_NT[self._next_rows(steps)], self._now()
        for _ in range(self.case.seeds):
            self._predict(params, ids_NT)

    def _next_rows(self, steps: int) -> np.ndarray:
        B, first = self.case.batch, self.at
        self.at = (self.at + steps) % self.batches
        return np.arange(first * B, (first + steps) * B) % len(self.ids_NT)

    def _predict(self, params: Any, ids_NT: np.ndarray) -> np.ndarray:
        return inference.predict(self.model, params, ids_NT, batch_size=self.case.batch)

    def operations(self) -> dict[str, costs.Operations]:
        """Multiplications with additions and tanh or sigmoid of a step's forward pass and of the
        whole program of its gradients, as FLOP and as elements: what is beyond three times the
        forward products, or once its elements, was computed again."""
        batch = _batch(Rows(*(a[: self.layout.micro_batch] for a in self.rows)))
        key = jax.random.key(0)

        def loss(params):
            return training.loss_sums(self.model, {"params": params}, batch, key)[0]

        counted = {"forward": loss, "gradient": jax.grad(loss)}
        scale = self.case.batch * self.case.seeds / len(batch.label_B)
        return {
            name: costs.executed(function, self.params, steps=self.case.steps).scaled(scale)
            for name, function in counted.items()
        }

    def steps_run(self) -> dict[str, float]:
        """Steps of time that a micro-batch takes on average, of T, per task; real ones in a row."""
        length_KB = data.lengths(self.ids_NT).reshape(-1, self.case.batch)
        return {
            "train": steps_of_training(length_KB, self.layout),
            "infer": steps_of_inference(length_KB, self.devices),
            "real": float(length_KB.mean()),
        }


def _batch(rows: Rows) -> Batch:
    """All rows as one batch of equal weights."""
    count = len(rows.label_N)
    return Batch(*rows, np.ones(count, np.float32), np.arange(count))


@functools.partial(jax.jit, static_argnums=0)
def _gradients(model: SentimentClassifier, params: Any, batch: Batch) -> Any:
    """Of the mean loss, dropout off."""

    def loss(params):
        total, totals = training.loss_sums(model, {"params": params}, batch)
        return total / totals.weight

    return jax.grad(loss)(params)


def steps_of_training(length_KB: np.ndarray, layout: Plan) -> float:
    """Mean over micro-batches of the longest row's length; see ``training.gradients``.

    Args:
      length_KB: real steps of each row, batch by batch; the last row fills the others up.
      layout: how a batch is spread over devices and micro-batches.
    """
    filling = ((0, 0), (0, layout.rows - layout.batch_size))
    length_KB = np.pad(length_KB, filling, constant_values=length_KB[-1, -1])
    shares = length_KB.reshape(len(length_KB), layout.devices, -1)
    parts = np.sort(shares, axis=-1).reshape(*shares.shape[:2], layout.parts, layout.micro_batch)
    return float(parts.max(-1).mean())


def steps_of_inference(length_KB: np.ndarray, devices: int) -> float:
    """The same for ``inference.predict``, where rows of all batches are sorted by length."""
    batch = length_KB.shape[1]
    sorted_KB = np.sort(length_KB, axis=None).reshape(-1, batch)
    sorted_KB = np.pad(sorted_KB, ((0, 0), (0, -batch % devices)))
    return float(sorted_KB.reshape(-1, sorted_KB.shape[1] // devices).max(-1).mean())


def exact(
    model: SentimentClassifier, params: Any, ids_BT: np.ndarray, label_B: np.ndarray
) -> tuple[np.ndarray, dict]:
    """Logits and the mean loss's gradients by ``lax.scan``'s own autodiff, dropout off.

    In float64 where JAX has it enabled: the reference that every subject is checked against.
    """
    params = jax.tree.map(_widest, params)
    model = model.clone(implementation="scan-stored")
    return jax.tree.map(np.asarray, _exact(model, params, ids_BT, label_B))


def _widest(a: Any) -> jax.Array:
    floating = jnp.issubdtype(a.dtype, jnp.floating)
    return jnp.asarray(a, jnp.result_type(float) if floating else a.dtype)


@functools.partial(jax.jit, static_argnums=0)
def _exact(
    model: SentimentClassifier, params: Any, ids_BT: np.ndarray, label_B: np.ndarray
) -> tuple[jax.Array, Any]:
    def loss(params):
        logits_B = model.apply({"params": params}, ids_BT)
        return optax.sigmoid_binary_cross_entropy(logits_B, label_B).mean(), logits_B

    grads, logits_B = jax.grad(loss, has_aux=True)(params)
    return logits_B, grads
