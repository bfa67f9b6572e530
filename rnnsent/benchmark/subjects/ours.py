"""rnnsent as a subject: the very train step and prediction that its users run, and variants."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from rnnsent import costs, data, devices, recurrence, seeds, timing, training
from rnnsent.devices import ROWS
from rnnsent.model import SentimentClassifier
from rnnsent.benchmark.case import Case

_BY_ROWS = P(ROWS)


class Rnnsent:
    """``training.train_steps`` and ``training.predict``; see :class:`rnnsent.benchmark.Subject`.

    Several seeds are trained one after another.
    """

    dispatched = True

    def __init__(
        self,
        case: Case,
        params: Any,
        ids_NT: np.ndarray,
        label_N: np.ndarray,
        *,
        micro_batch: int | None = None,
    ):
        self.case, self.ids_NT = case, ids_NT
        self.mesh = devices.mesh()
        self.devices = self.mesh.size
        self.optimizer = training.optimizer()
        micro_batch = micro_batch or training.default_micro_batch(case.config)
        self.layout = training.plan(case.batch, self.mesh.size, micro_batch)
        self.everywhere = NamedSharding(self.mesh, P())
        state = training.create_state(case.config, self.optimizer, 0)
        state = state.replace(params=params, opt_state=self.optimizer.init(params))
        rows = data.pack_rows(ids_NT), label_N, self._order(len(label_N))
        self.state, *self.rows = jax.device_put((state, *rows), self.everywhere)
        self.batches, self.at = len(label_N) // case.batch, 0
        self.setting = self._setting(recurrence.resolve("auto"))

    def _setting(self, implementation: str) -> str:
        devices = f"{self.devices} device{'s' if self.devices > 1 else ''}"
        return f"{implementation}, {devices}, micro-batch {self.layout.micro_batch}"

    def _order(self, rows: int) -> np.ndarray:
        order_SB = np.arange(rows, dtype=np.int32).reshape(-1, self.case.batch)
        filling = self.layout.rows - self.case.batch
        return np.pad(order_SB, ((0, 0), (0, filling)), constant_values=-1)

    def reference(self, ids_BT, label_B):
        ids_BT = data.pack_rows(ids_BT)
        logits_B = self._predict(self._params(), ids_BT)
        grads = _gradients(self.case.config, self._params(), ids_BT, label_B)
        return logits_B, jax.tree.map(np.asarray, grads)

    def _params(self):
        return self.state.params

    @functools.cached_property
    def program(self) -> jax.stages.Compiled:
        """The compiled train step."""
        program, self.compile_seconds = timing.compile(
            training.train_steps,
            self.state,
            *self.rows,
            0,
            1,
            config=self.case.config,
            optimizer=self.optimizer,
            layout=self.layout,
            devices=self.mesh,
        )
        return program

    def train(self, steps: int) -> None:
        self._advance(steps * self.case.seeds)

    def _advance(self, steps: int) -> None:
        while steps:
            stop = min(self.at + steps, self.batches)
            self.state, totals = self.program(self.state, *self.rows, self.at, stop)
            steps, self.at = steps - (stop - self.at), stop % self.batches
        jax.block_until_ready((self.state, totals))

    def infer(self, steps: int) -> None:
        ids_NT, params = self.ids_NT[self._next_rows(steps)], self._params()
        for _ in range(self.case.seeds):
            self._predict(params, ids_NT)

    def _next_rows(self, steps: int) -> np.ndarray:
        B, first = self.case.batch, self.at
        self.at = (self.at + steps) % self.batches
        return np.arange(first * B, (first + steps) * B) % len(self.ids_NT)

    def _predict(self, params: Any, ids_NT: np.ndarray) -> np.ndarray:
        return training.predict(self.case.config, params, ids_NT, batch_size=self.case.batch)

    def operations(self) -> dict[str, dict[str, float]]:
        """Multiplications with additions and tanh or sigmoid of a step's forward pass and of the
        whole program of its gradients, as FLOP and as elements: what is beyond three times the
        forward products, or once its elements, was computed again."""
        rows = self.layout.micro_batch
        ids_BT, label_B = self.rows[0][:rows], self.rows[1][:rows]
        ones_B, key = np.ones(len(label_B), np.float32), jax.random.key(0)

        def loss(params):
            more = {"dropout_key": key, "rows_B": jnp.arange(len(label_B))}
            sums = training.loss_sums(self.case.config, params, ids_BT, label_B, ones_B, **more)
            return sums[0]

        counted = {"forward": loss, "gradient": jax.grad(loss)}
        scale = self.case.batch * self.case.seeds / len(label_B)
        return {
            name: costs.executed(function, self._params(), steps=self.case.steps).scaled(scale)
            for name, function in counted.items()
        }

    def steps_run(self) -> dict[str, float]:
        """Steps of time that a micro-batch takes on average, of T, per task; real ones in a row."""
        length_SB = data.lengths(self.ids_NT).reshape(-1, self.case.batch)
        return {
            "train": steps_of_training(length_SB, self.layout),
            "infer": steps_of_inference(length_SB, self.devices),
            "real": float(length_SB.mean()),
        }


@functools.partial(jax.jit, static_argnums=0)
def _gradients(config, params, ids_BT, label_B):
    def loss(params):
        ones_B = jnp.ones(len(label_B))
        return training.loss_sums(config, params, ids_BT, label_B, ones_B)[0] / len(label_B)

    return jax.grad(loss)(params)


def steps_of_training(length_SB: np.ndarray, layout: training.Plan) -> float:
    """Mean over micro-batches of the longest row's length; see ``training.gradients``.

    Args:
      length_SB: real steps of each row, batch by batch.
      layout: how a batch is spread over devices and micro-batches.
    """
    length_SB = np.pad(length_SB, ((0, 0), (0, layout.rows - layout.batch_size)))
    shares = length_SB.reshape(len(length_SB), layout.devices, -1)
    parts = np.sort(shares, axis=-1).reshape(*shares.shape[:2], layout.parts, layout.micro_batch)
    return float(parts.max(-1).mean())


def steps_of_inference(length_SB: np.ndarray, devices: int) -> float:
    """The same for ``training.predict``, where rows of all batches are sorted by length."""
    batch = length_SB.shape[1]
    sorted_SB = np.sort(length_SB, axis=None).reshape(-1, batch)
    sorted_SB = np.pad(sorted_SB, ((0, 0), (0, -batch % devices)))
    return float(sorted_SB.reshape(-1, sorted_SB.shape[1] // devices).max(-1).mean())


class Variant(Rnnsent):
    """One implementation of the recurrence in the same train step, whatever ``auto`` stands for.

    Without recomputation it is plain autodiff, which takes a device's rows all at once.
    """

    dispatched = False

    def __init__(self, case: Case, *args, implementation: str, recompute: bool = True):
        super().__init__(case, *args, micro_batch=None if recompute else case.batch)
        self.model = _Model(self.case.config, implementation, recompute=recompute)
        self.forward = jax.jit(self._spread(self._logits, P(), _BY_ROWS))
        self.gradient = jax.jit(jax.grad(self._loss))
        self.setting = self._setting(implementation) + ("" if recompute else ", no recomputation")

    def _spread(self, function, *in_specs, out_specs=_BY_ROWS):
        specs = {"in_specs": in_specs, "out_specs": out_specs, "check_vma": False}
        return jax.shard_map(function, mesh=self.mesh, **specs)

    def _logits(self, params, ids_bT):
        return self.model.apply({"params": params}, ids_bT, right_padded=True)

    def _loss(self, params, rows, key=None):
        ids_bT, label_b, weight_b, rows_b = rows
        logits_b = self.model.apply(
            {"params": params},
            ids_bT,
            right_padded=True,
            train=key is not None,
            rows_B=rows_b,
            rngs=None if key is None else {"dropout": key},
        )
        loss_b = optax.sigmoid_binary_cross_entropy(logits_b, label_b.astype(logits_b.dtype))
        return (loss_b * weight_b).sum()

    def _step(self, state, rows):
        key = jax.random.fold_in(jax.random.fold_in(state.key, 1), state.step)

        def part(grads, rows):
            new = jax.grad(self._loss)(state.params, rows, key)
            return jax.tree.map(jnp.add, grads, new), None

        micro = self.layout.micro_batch
        parts = jax.tree.map(lambda a: a.reshape(-1, micro, *a.shape[1:]), rows)
        grads, _ = jax.lax.scan(part, jax.tree.map(jnp.zeros_like, state.params), parts)
        grads = jax.tree.map(lambda g: g / self.case.batch, jax.lax.psum(grads, ROWS))
        updates, opt_state = self.optimizer.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        return state.replace(step=state.step + 1, params=params, opt_state=opt_state)

    def _batch(self, index: int):
        """Ids, labels, weights and row numbers of one batch."""
        ids_NT, label_N, order_SB = self.rows
        order_B = order_SB[index]
        weight_B = (order_B >= 0).astype(jnp.float32)
        return ids_NT[order_B], label_N[order_B], weight_B, jnp.arange(len(order_B))

    def reference(self, ids_BT, label_B):
        ids_BT, B = data.pack_rows(ids_BT), len(label_B)
        rows = ids_BT, label_B, np.full(B, 1 / B, np.float32), np.arange(B)
        grads = self.gradient(self.state.params, rows)
        return self._predict(self.state.params, ids_BT), jax.tree.map(np.asarray, grads)

    @functools.cached_property
    def program(self) -> jax.stages.Compiled:
        step = self._spread(self._step, P(), _BY_ROWS, out_specs=P())
        self.stored = jax.device_put([self._batch(i) for i in range(self.batches)], self.everywhere)
        step = jax.jit(step, donate_argnums=0)
        program, self.compile_seconds = timing.compile(step, self.state, self.stored[0])
        return program

    def train(self, steps: int) -> None:
        for _ in range(steps):
            program = self.program
            self.state = program(self.state, self.stored[self.at])
            self.at = (self.at + 1) % self.batches
        jax.block_until_ready(self.state)

    def _predict(self, params: Any, ids_NT: np.ndarray) -> np.ndarray:
        rows = -(-min(self.case.batch, len(ids_NT)) // self.devices) * self.devices
        ids_NT, out = data.pack_rows(ids_NT), []
        for start in range(0, len(ids_NT), rows):
            ids_bT = ids_NT[start : start + rows]
            filled = np.pad(ids_bT, ((0, rows - len(ids_bT)), (0, 0)))
            out.append(np.asarray(self.forward(params, filled))[: len(ids_bT)])
        return np.concatenate(out)


class Seeds(Rnnsent):
    """Several seeds as one program, ``seeds.train_steps``; all start from the given weights."""

    def __init__(self, case: Case, params: Any, ids_NT: np.ndarray, label_N: np.ndarray):
        super().__init__(case, params, ids_NT, label_N)
        self.layout = training.plan(case.batch, 1, training.default_micro_batch(case.config))
        states = seeds.stack([self.state] * case.seeds, self.mesh.size)
        orders_SKB = np.stack([self._order(len(label_N))] * len(states.step))
        by_seeds = NamedSharding(self.mesh, _BY_ROWS)
        self.state, orders_SKB = jax.device_put((states, orders_SKB), by_seeds)
        self.rows = [*self.rows[:2], orders_SKB]
        self.together = seeds.default_together(-(-case.seeds // self.mesh.size))
        self.setting += f", {self.together} of the seeds in a vectorised step"

    def _params(self):
        return jax.tree.map(lambda a: a[0], self.state.params)

    @functools.cached_property
    def program(self) -> jax.stages.Compiled:
        program, self.compile_seconds = timing.compile(
            seeds.train_steps,
            self.state,
            *self.rows,
            0,
            1,
            config=self.case.config,
            optimizer=self.optimizer,
            layout=self.layout,
            together=self.together,
            devices=self.mesh,
        )
        return program

    def train(self, steps: int) -> None:
        self._advance(steps)


class _Model(SentimentClassifier):
    """The classifier with more of the recurrence's options, the weights at the same places."""

    recompute: bool = True

    def setup(self):
        super().setup()
        options = {"implementation": self.implementation, "recompute": self.recompute}
        config = self.config
        self.variant = recurrence.Recurrent(
            self.layer, config.dropout, config.recurrent_dropout, options
        )

    def __call__(self, ids_BT, mask_BT=None, **options):
        x_BTE, mask_BT = self.embed(ids_BT, mask_BT)
        carry, _ = self.variant(x_BTE, mask_BT, sequences=False, **options)
        return self.head(carry[0])


def exact(config, params: Any, ids_BT: np.ndarray, label_B: np.ndarray) -> tuple[np.ndarray, dict]:
    """Logits and the mean loss's gradients by ``lax.scan``'s own autodiff, dropout off.

    In float64 where JAX has it enabled: the reference that every subject is checked against.
    """
    params = jax.tree.map(lambda a: jnp.asarray(a, jnp.result_type(float)), params)
    return jax.tree.map(np.asarray, _exact(config, params, ids_BT, label_B))


@functools.partial(jax.jit, static_argnums=0)
def _exact(config, params, ids_BT, label_B):
    def loss(params):
        logits_B = SentimentClassifier(config, "scan").apply({"params": params}, ids_BT)
        return optax.sigmoid_binary_cross_entropy(logits_B, label_B).mean(), logits_B

    grads, logits_B = jax.grad(loss, has_aux=True)(params)
    return logits_B, grads
