"""What a step of the classifier has to do at the least, and what a program does: counted.

The counts are read off the operations that JAX traces, so they hold for any cell. The floor counts
the recurrent layers, which are nearly all of it; the embedding and the head are left out, as is
what an implementation adds (recomputing, masks, dropout, the optimizer), so that a time derived
from these counts is a floor. ``steps`` may be a mean over rows. ``executed`` counts what stands in
a program.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.interpreters import partial_eval

from rnnsent import cells
from rnnsent.cells import Cell
from rnnsent.kernels.plain import TRANSCENDENTAL
from rnnsent.model import SentimentClassifier


class Product(NamedTuple):
    """A matrix product (m, k) x (k, n) that is done ``times`` times."""

    m: int
    k: int
    n: int
    times: float

    @property
    def flops(self) -> float:
        return 2 * self.m * self.k * self.n * self.times

    def scaled(self, by: float) -> "Product":
        return self._replace(times=self.times * by)


class Step(NamedTuple):
    """One step of a cell.

    Attributes:
      products: its matrix products.
      transcendentals: elements of tanh, sigmoid and their like.
      carry_bytes: what goes to the next step.
    """

    products: tuple[Product, ...]
    transcendentals: float
    carry_bytes: int


def step_of(cell: Cell, inputs: int, rows: int) -> Step:
    """Counts of a cell's step on ``rows`` rows of width ``inputs``; nothing is computed."""
    key = jax.random.key(0)
    params, _ = jax.eval_shape(lambda: cell.init_with_output(key, inputs, method="declare"))
    carry = jax.eval_shape(lambda: cell.initialize_carry(key, (rows, inputs)))

    def step(params, carry, x_BE):
        carry = cell.advance(params, carry, x_BE)
        return carry, cell.output(params, carry, x_BE)

    x_BE = jax.ShapeDtypeStruct((rows, inputs), jnp.float32)
    counted = _count(jax.make_jaxpr(step)(params, carry, x_BE).jaxpr, steps=1)
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(carry))
    return Step(*counted, size)


def _steps(model: SentimentClassifier, rows: int) -> Iterator[Step]:
    """Each recurrent layer's."""
    widths = (model.embedding_size, *model.features)
    for inputs, features in zip(widths, model.features, strict=False):
        yield step_of(cells.create(model.cell, features, dict(model.cell_options)), inputs, rows)


def products(model: SentimentClassifier, rows: int, times: float, *, train: bool) -> list[Product]:
    """The matrix products of ``times`` steps of time with ``rows`` rows each.

    Backward each is done twice more in the same size, for the gradients of its two operands.
    """
    out = []
    for step in _steps(model, rows):
        for product in step.products:
            m, k, n, count = product.scaled(times)
            out.append(Product(m, k, n, count))
            if train:
                out += [Product(m, n, k, count), Product(k, m, n, count)]
    return out


def flops(model: SentimentClassifier, batch: int, steps: float, *, train: bool) -> float:
    """Floating-point operations of the products of one step on (B, T) ids."""
    return sum(product.flops for product in products(model, batch, steps, train=train))


def transcendentals(model: SentimentClassifier, batch: int, steps: float) -> float:
    """tanh and sigmoid of one forward pass on (B, T) ids; a backward pass needs no others."""
    return steps * sum(step.transcendentals for step in _steps(model, batch))


def traffic_bytes(model: SentimentClassifier, batch: int, steps: float, *, train: bool) -> float:
    """Bytes that must cross a memory too small for a whole pass: embeddings, and carries kept.

    Inference reads the embedded inputs. Training also writes their gradients, and writes the
    carries on the way forward and reads them on the way back.
    """
    inputs = batch * steps * model.embedding_size * 4
    carries = steps * sum(step.carry_bytes for step in _steps(model, batch))
    return 3 * inputs + 2 * carries if train else inputs


class Operations(NamedTuple):
    """What a program does: FLOP of its matrix products, and elements of tanh and sigmoid."""

    flops: float
    transcendentals: float

    def scaled(self, by: float) -> "Operations":
        return Operations(self.flops * by, self.transcendentals * by)


def executed(function: Callable, *args: Any, steps: int) -> Operations:
    """Operations of a function of JAX arrays, loops included; nothing is computed.

    What no result depends on is left out, as the compiler does. Of branches the largest counts.

    Args:
      function: any; a kernel in it that is not made of JAX operations counts as nothing.
      *args: of the function.
      steps: turns of a loop that finds out only when it runs how many they are. One such loop in
        another counts once.
    """
    found, elements = _count(jax.make_jaxpr(function)(*args).jaxpr, steps)
    return Operations(_flops(found), elements)


class _Counted(NamedTuple):
    products: tuple[Product, ...]
    transcendentals: float


def _flops(found: tuple[Product, ...]) -> float:
    return sum(product.flops for product in found)


def _count(jaxpr: Any, steps: int) -> _Counted:
    jaxpr, _ = partial_eval.dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))
    found: list[Product] = []
    elements: float = 0
    for equation in jaxpr.eqns:
        name = equation.primitive.name
        if name == "dot_general":
            found.append(_product(equation))
        elif name in TRANSCENDENTAL:
            elements += equation.outvars[0].aval.size
        else:
            inner, turns = _inside(equation, steps), _turns(equation, steps)
            found += [product.scaled(turns) for product in inner.products]
            elements += turns * inner.transcendentals
    return _Counted(tuple(found), elements)


def _product(equation: Any) -> Product:
    """Of ``dot_general``: what is contracted, what is left of either side, batches as a count."""
    (contracted, _), (batched, _) = equation.params["dimension_numbers"]
    left, right = (operand.aval for operand in equation.invars)
    k, count = (math.prod(left.shape[axis] for axis in axes) for axes in (contracted, batched))
    return Product(left.size // max(k * count, 1), k, right.size // max(k * count, 1), count)


def _turns(equation: Any, steps: int) -> int:
    return {"scan": equation.params.get("length"), "while": steps}.get(equation.primitive.name, 1)


def _inside(equation: Any, steps: int) -> _Counted:
    """The programs inside an equation: a loop's body, a called function, the largest branch."""
    name = equation.primitive.name
    parts = [_count(part, 1 if name == "while" else steps) for part in _parts(equation)]
    if name == "cond" and parts:
        found = max((part.products for part in parts), key=_flops)
        return _Counted(found, max(part.transcendentals for part in parts))
    found = tuple(product for part in parts for product in part.products)
    return _Counted(found, sum(part.transcendentals for part in parts))


def _parts(equation: Any) -> list:
    values = jax.tree.leaves(
        list(equation.params.values()), is_leaf=lambda value: hasattr(value, "eqns")
    )
    return [getattr(value, "jaxpr", value) for value in values if hasattr(value, "eqns")]
