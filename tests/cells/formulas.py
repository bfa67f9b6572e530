"""The papers' formulas as float64 NumPy, one step each, written without a look at ours."""

import numpy as np
from reference import sigmoid


def peephole_lstm(p, carry, x):
    """Gers & Schmidhuber (2000)."""
    h, c = carry
    z = x @ p["kernel"] + h @ p["recurrent_kernel"] + p["bias"]
    i, f, g, o = np.split(z, 4, axis=1)
    see_i, see_f, see_o = np.split(p["peephole"], 3)
    new = sigmoid(f + see_f * c) * c + sigmoid(i + see_i * c) * np.tanh(g)
    h = sigmoid(o + see_o * new) * np.tanh(new)
    return h, (h, new)


def mgu(p, carry, x):
    """arXiv:1603.09420, equations 7 to 9."""
    (h,) = carry
    width = h.shape[1]
    (Kf, Kn), (Rf, Rn) = (np.split(p[name], 2, axis=1) for name in ("kernel", "recurrent_kernel"))
    f = sigmoid(x @ Kf + h @ Rf + p["bias"][:width])
    h = (1 - f) * h + f * np.tanh(x @ Kn + (f * h) @ Rn + p["bias"][width:])
    return h, (h,)


def ind_rnn(p, carry, x):
    """arXiv:1803.04831, equation 2."""
    h = np.maximum(x @ p["kernel"] + p["recurrent_kernel"] * carry[0] + p["bias"], 0)
    return h, (h,)


def mlstm(p, carry, x):
    """arXiv:2405.04517, equations 19 to 27, but for the state that stabilises."""
    C, n, m = carry
    scale = np.exp(m)
    C, n = C * scale[:, None, None], n * scale[:, None]
    width = n.shape[1]
    stored, read = x @ p["kernel"] + p["bias"], x @ p["read_kernel"] + p["read_bias"]
    k, v = stored[:, :width] / np.sqrt(width), stored[:, width : 2 * width]
    i, f = np.exp(stored[:, 2 * width]), sigmoid(stored[:, 2 * width + 1])
    C = f[:, None, None] * C + i[:, None, None] * np.einsum("bi,bj->bij", v, k)
    n = f[:, None] * n + i[:, None] * k
    q, o = read[:, :width], sigmoid(read[:, width:])
    norm = np.maximum(np.abs(np.einsum("bj,bj->b", n, q)), 1)
    return o * np.einsum("bij,bj->bi", C, q) / norm[:, None], (C, n, np.zeros_like(m))


def min_gru(p, carry, x):
    """arXiv:2410.01201, section 3.1."""
    (h,) = carry
    z, n = np.split(x @ p["kernel"] + p["bias"], 2, axis=1)
    h = (1 - sigmoid(z)) * h + sigmoid(z) * n
    return h, (h,)


def min_lstm(p, carry, x):
    """arXiv:2410.01201, section 3.2."""
    (h,) = carry
    i, f, n = np.split(x @ p["kernel"] + p["bias"], 3, axis=1)
    i, f = sigmoid(i), sigmoid(f)
    h = f / (f + i) * h + i / (f + i) * n
    return h, (h,)


def lru(p, carry, x):
    """arXiv:2303.06349, sections 3.3 and 3.4, with gamma where it starts and a matrix for D."""
    (s,) = carry
    width = s.shape[1]
    B = p["kernel"][:, :width] + 1j * p["kernel"][:, width:]
    C = p["readout"][:width] + 1j * p["readout"][width:]
    rate = np.exp(-np.exp(p["nu"]) + 1j * np.exp(p["theta"]))
    s = rate * s + np.sqrt(1 - np.abs(rate) ** 2) * (x @ B)
    return (s @ C).real + x @ p["skip"], (s,)


def run(step, params, carry, x_BTE):
    """Outputs (B, T, H) in float64."""
    params, carry, x_BTE = (
        {name: np.float64(a) for name, a in params.items()},
        tuple(a.astype(np.result_type(a, np.float64)) for a in map(np.asarray, carry)),
        np.float64(x_BTE),
    )
    outputs = []
    for t in range(x_BTE.shape[1]):
        y, carry = step(params, carry, x_BTE[:, t])
        outputs.append(y)
    return np.stack(outputs, 1)
