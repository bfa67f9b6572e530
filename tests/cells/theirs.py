"""What other people's programs make of the affine cells' weights, for ``test_affine.py`` to hold.

Made anew in an environment of its own, as no test needs these packages::

    pip install torch mingru-keras==0.1.3 minGRU-pytorch==0.2.1 lru-pytorch==0.1.3
    pip install 'memax[equinox]==0.1.1'
    python tests/cells/theirs.py

All of it is in float64 on a CPU, and each program is used as it was published. Weights and inputs
are waves, in our layout in ``weights``; each function below says what that is in theirs.
"""

import os
from unittest import mock

import numpy as np

B, T, E, H = 2, 5, 3, 2


def waves(frequency, *shape):
    """Numbers between -1 and 1 that anyone can make again."""
    return np.sin(frequency * np.arange(1.0, 1 + np.prod(shape))).reshape(shape)


def uniforms(width):
    """Of the LRU |lambda|^2 and the phase's share of 2 pi, as if drawn."""
    return 0.5 + 0.45 * waves(2.3, width), 0.5 + 0.45 * waves(1.9, width)


def weights(name):
    """A cell's parameters; a program with one width takes E = H = 2 and a diagonal D."""
    if "lru" not in name:
        G = {"min_gru": 2 * H, "min_lstm": 3 * H}[name]
        return {"kernel": 2 * waves(1.1, E, G), "bias": waves(1.7, G)}
    squared, share = uniforms(H)
    inputs = E if name == "lru" else H
    return {
        "nu": np.log(-0.5 * np.log(squared)),
        "theta": np.log(2 * np.pi * share),
        "kernel": waves(1.1, inputs, 2 * H),
        "readout": waves(1.7, 2 * H, H),
        "skip": waves(1.3, E, H) if name == "lru" else np.diag(waves(1.3, H)),
    }


def inputs(name):
    """(B, T, E), or (B, T, H) where a program has one width; float32 holds them exactly."""
    return np.float64(np.float32(waves(0.7, B, T, H if name == "lru_of_one_width" else E)))


def min_gru(p, x_BTE):
    """``mingru_keras.MinGRU`` is the formula of section 3.1, run by an associative scan."""
    os.environ |= {"KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1"}
    import keras
    from mingru_keras import MinGRU

    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    layer = MinGRU(H)
    layer.build(x_BTE.shape)
    for part, kernel, bias in zip(
        (layer.gate, layer.candidate),
        np.split(p["kernel"], 2, axis=1),
        np.split(p["bias"], 2),
        strict=True,
    ):
        part.set_weights([kernel, bias])
    return keras.ops.convert_to_numpy(layer(x_BTE))


def min_lstm(p, x_BTE):
    """``minGRU_pytorch.minLSTM``, the log-space form of appendix B, whose candidate is g(.).

    Of a positive pre-activation a candidate is g(a) = a + 0.5, and the cell is linear in its
    candidates. So ours of the candidates n are theirs of n + 20 less theirs of 20, all positive:
    n + 19.5 and 19.5 are their pre-activations. Biases are the kernel's row of a fourth input, one.
    """
    import torch
    from minGRU_pytorch.minLSTM import minLSTM

    i, f, n = np.split(np.concatenate([p["kernel"], p["bias"][None]]), 3, axis=1)
    x_BTE = torch.tensor(np.concatenate([x_BTE, np.ones((B, T, 1))], axis=2))
    constant = np.zeros_like(n)
    constant[-1] = 19.5
    layer = minLSTM(E + 1, expansion_factor=H / (E + 1), proj_out=False).double()

    def of(candidates):
        rows = torch.tensor(np.concatenate([candidates, f, i], axis=1).T)
        layer.load_state_dict({"to_hidden_and_f_i_gate.weight": rows})
        return layer(x_BTE).detach().numpy()

    assert np.min(x_BTE.numpy() @ (n + constant)) > 0
    return of(n + constant) - of(constant)


def complex_parts(p):
    """B (H, E) and C (H, H) of the paper."""
    (B_re, B_im), (C_re, C_im) = np.split(p["kernel"], 2, axis=1), np.split(p["readout"], 2)
    return (B_re + 1j * B_im).T, (C_re + 1j * C_im).T


def lru(p, x_BTE):
    """``LRU_pytorch.LRU``, a loop over steps with a matrix D; nu, theta and gamma are what it
    makes of the uniforms itself."""
    import torch
    from LRU_pytorch import LRU

    torch.set_default_dtype(torch.float64)
    with mock.patch("torch.rand", side_effect=[torch.tensor(u) for u in uniforms(H)]):
        layer = LRU(E, H, H, max_phase=2 * np.pi)
    input_matrix, output_matrix = complex_parts(p)
    named = {"B": input_matrix, "C": output_matrix, "D": p["skip"].T}
    with torch.no_grad():
        for name, value in named.items():
            getattr(layer, name).copy_(torch.tensor(value))
        return layer(torch.tensor(x_BTE)).numpy()


def lru_of_one_width(p, x_BTH):
    """``memax.equinox.semigroups.lru.LRU``, an associative scan, with a vector D; nu, theta and
    gamma are what it makes of the uniforms itself. It reads its inputs as complex64."""
    import equinox
    import jax
    from memax.equinox.semigroups.lru import LRU

    jax.config.update("jax_enable_x64", True)
    with mock.patch("jax.random.uniform", side_effect=[jax.numpy.asarray(u) for u in uniforms(H)]):
        layer = LRU(H, H, jax.random.key(0))
    matrices = [part for a in complex_parts(p) for part in (a.real, a.imag)]
    arrays = [jax.numpy.asarray(a) for a in (*matrices, np.diag(p["skip"]))]
    layer = equinox.tree_at(lambda a: (a.B_re, a.B_im, a.C_re, a.C_im, a.D), layer, arrays)
    start_T, x_BTH = jax.numpy.zeros(T, bool), jax.numpy.asarray(x_BTH)
    return np.stack([layer(layer.initialize_carry(), (x_TH, start_T))[1] for x_TH in x_BTH])


if __name__ == "__main__":
    for program in (min_gru, min_lstm, lru, lru_of_one_width):
        name = program.__name__
        print(name, np.round(program(weights(name), inputs(name)), 10).tolist())
