"""What a step of the classifier has to do at the least: counted, not measured.

Counted are the recurrent layers, which are nearly all of it; the embedding and the head are left
out, as is what an implementation adds (recomputing, masks, dropout, the optimizer), so that a time
derived from these counts is a floor.
"""

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


def products(config: ModelConfig, rows: int, times: int, *, train: bool) -> list[Product]:
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


def flops(config: ModelConfig, batch: int, steps: int, *, train: bool) -> int:
    """Floating-point operations of the products of one step on (B, T) ids."""
    return sum(product.flops for product in products(config, batch, steps, train=train))


def transcendentals(config: ModelConfig, batch: int, steps: int) -> int:
    """tanh and sigmoid of one forward pass on (B, T) ids; a backward pass needs no others."""
    return batch * steps * TRANSCENDENTALS[config.cell] * sum(config.features)


def traffic_bytes(config: ModelConfig, batch: int, steps: int, *, train: bool) -> int:
    """Bytes that must cross a memory too small for a whole pass: embeddings, and carries kept.

    Inference reads the embedded inputs. Training also writes their gradients, and writes the
    carries on the way forward and reads them on the way back.
    """
    inputs = batch * steps * config.embedding_size * 4
    carries = batch * steps * CARRIES[config.cell] * sum(config.features) * 4
    return 3 * inputs + 2 * carries if train else inputs
