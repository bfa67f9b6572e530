"""What a step of the classifier has to do at the least, and what a program does: counted.

The floor counts the recurrent layers, which are nearly all of it; the embedding and the head are
left out, as is what an implementation adds (recomputing, masks, dropout, the optimizer), so that a
time derived from these counts is a floor. ``steps`` may be a mean over rows. ``executed`` counts
what stands in a program.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax.interpreters import partial_eval

from rnnsent.model import ModelConfig
from rnnsent.timing import Product

GATES = {"simple_rnn": 1, "lstm": 4, "gru": 3}
"""Width of the pre-activation, in units of H."""

TRANSCENDENTALS = {"simple_rnn": 1, "lstm": 5, "gru": 3}
"""tanh and sigmoid per unit and step."""

CARRIES = {"simple_rnn": 1, "lstm": 2, "gru": 1}
"""Arrays (B, H) that go from step to step."""


def _layers(config: ModelConfig) -> list[tuple[int, int]]:
    """(E, H) of each recurrent layer."""
    return list(zip((config.embedding_size, *config.features), config.features, strict=False))


def products(config: ModelConfig, rows: int, times: float, *, train: bool) -> list[Product]:
    """The matrix products of ``times`` steps of time with ``rows`` rows each.

    Forward ``[x, h] @ kernel``; backward the same size twice, for the inputs and for the kernel.
    """
    out, gates = [], GATES[config.cell]
    for inputs, features in _layers(config):
        k, n = inputs + features, gates * features
        out.append(Product(rows, k, n, times))
        if train:
            out += [Product(rows, n, k, times), Product(k, rows, n, times)]
    return out


def flops(config: ModelConfig, batch: int, steps: float, *, train: bool) -> float:
    """Floating-point operations of the products of one step on (B, T) ids."""
    return sum(product.flops for product in products(config, batch, steps, train=train))


def transcendentals(config: ModelConfig, batch: int, steps: float) -> float:
    """tanh and sigmoid of one forward pass on (B, T) ids; a backward pass needs no others."""
    return batch * steps * TRANSCENDENTALS[config.cell] * sum(config.features)


def traffic_bytes(config: ModelConfig, batch: int, steps: float, *, train: bool) -> float:
    """Bytes that must cross a memory too small for a whole pass: embeddings, and carries kept.

    Inference reads the embedded inputs. Training also writes their gradients, and writes the
    carries on the way forward and reads them on the way back.
    """
    inputs = batch * steps * config.embedding_size * 4
    carries = batch * steps * CARRIES[config.cell] * sum(config.features) * 4
    return 3 * inputs + 2 * carries if train else inputs


class Operations(NamedTuple):
    """What a program does: FLOP of its matrix products, and elements of tanh and sigmoid."""

    flops: float
    transcendentals: float

    def scaled(self, by: float) -> "Operations":
        return Operations(self.flops * by, self.transcendentals * by)


def executed(function: Callable, *args: Any, steps: int) -> Operations:
    """Operations of a function of JAX arrays, loops included; nothing is computed.

    What no result depends on is left out, as the compiler does.

    Args:
      function: any; a kernel in it that is not made of JAX operations counts as nothing.
      *args: of the function.
      steps: turns of a loop that finds out only when it runs how many they are. One such loop in
        another counts once.
    """
    return _count(jax.make_jaxpr(function)(*args).jaxpr, steps)


def _count(jaxpr, steps: int) -> Operations:
    jaxpr, _ = partial_eval.dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))
    flops = transcendentals = 0
    for equation in jaxpr.eqns:
        name, out = equation.primitive.name, equation.outvars
        if name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            shape = equation.invars[0].aval.shape
            flops += 2 * out[0].aval.size * math.prod(shape[axis] for axis in contracted)
        elif name in ("tanh", "logistic"):
            transcendentals += out[0].aval.size
        else:
            turns = {"scan": equation.params.get("length"), "while": steps}.get(name, 1)
            inner = [_count(part, 1 if name == "while" else steps) for part in _parts(equation)]
            flops += turns * sum(part.flops for part in inner)
            transcendentals += turns * sum(part.transcendentals for part in inner)
    return Operations(flops, transcendentals)


def _parts(equation) -> list:
    """The programs inside an equation: a loop's body, a called function."""
    values = jax.tree.leaves(
        list(equation.params.values()), is_leaf=lambda value: hasattr(value, "eqns")
    )
    return [getattr(value, "jaxpr", value) for value in values if hasattr(value, "eqns")]
