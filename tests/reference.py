"""An independent reference: the classifier as a float64 NumPy loop, its backward pass by hand."""

import os

import numpy as np

OPTIMISED = {"xla_backend_optimization_level": 3}
"""``jax.jit``'s compiler_options for what is compared: as users run it, not as the suite does."""
if "xla_cpu_use_fusion_emitters" in os.environ.get("XLA_FLAGS", ""):
    OPTIMISED["xla_cpu_use_fusion_emitters"] = True


def mask_of(kind: str, rows: int, steps: int, seed: int = 0) -> np.ndarray:
    """bool (rows, steps): each row with another number of real steps."""
    generator = np.random.default_rng(seed)
    length_B = generator.integers(1, steps, rows)
    at = np.arange(steps)
    if kind == "full":
        return np.ones((rows, steps), bool)
    if kind == "left":
        return at >= (steps - length_B)[:, None]
    if kind == "right":
        return at < length_B[:, None]
    if kind == "interior":
        return generator.random((rows, steps)) < 0.6
    mask = generator.random((rows, steps)) < 0.6  # "empty": some rows have no real step
    mask[::2] = False
    return mask


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _gru(p, h, x):
    xr, xz, xn = np.split(x @ p["kernel"] + p["bias"], 3, axis=1)
    hr, hz, hn = np.split(h @ p["recurrent_kernel"], 3, axis=1)
    z = sigmoid(xz + hz)
    return (1 - z) * np.tanh(xn + sigmoid(xr + hr) * (hn + p["new_bias"])) + z * h


def _step(cell, p, h, c, x):
    if cell == "gru":  # forward only
        return _gru(p, h, x), c, None
    z = x @ p["kernel"] + h @ p["recurrent_kernel"] + p["bias"]
    if cell == "simple_rnn":
        return np.tanh(z), c, (np.tanh(z),)
    i, f, g, o = np.split(z, 4, axis=1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    new = f * c + i * g
    return o * np.tanh(new), new, (i, f, g, o, new)


def layer(cell, p, x_BTE, mask_BT):
    """Outputs (B, T, H) of one layer, and what its backward pass needs."""
    width = p["recurrent_kernel"].shape[0]
    h = c = np.zeros((len(x_BTE), width))
    outputs, kept = [], []
    for t in range(x_BTE.shape[1]):
        real = mask_BT[:, t, None]
        new_h, new_c, gates = _step(cell, p, h, c, x_BTE[:, t])
        kept.append((h, c, gates))
        h, c = np.where(real, new_h, h), np.where(real, new_c, c)
        outputs.append(h)
    return np.stack(outputs, 1), kept


def layer_backward(cell, p, x_BTE, mask_BT, kept, dy_BTH):
    """Gradients of one layer's parameters and inputs from those of its outputs."""
    grads = {name: np.zeros_like(value) for name, value in p.items()}
    dx_BTE = np.zeros_like(x_BTE)
    dh = dc = np.zeros_like(dy_BTH[:, 0])
    for t in reversed(range(x_BTE.shape[1])):
        real = mask_BT[:, t, None]
        h, c, gates = kept[t]
        dh = dh + dy_BTH[:, t]
        if cell == "simple_rnn":
            dz, dc_before = dh * (1 - gates[0] ** 2), dc
        else:
            i, f, g, o, new = gates
            dnew = dc + dh * o * (1 - np.tanh(new) ** 2)
            parts = (dnew * g * i * (1 - i), dnew * c * f * (1 - f), dnew * i * (1 - g**2))
            dz = np.concatenate([*parts, dh * np.tanh(new) * o * (1 - o)], axis=1)
            dc_before = dnew * f
        dz = np.where(real, dz, 0)
        grads["kernel"] += x_BTE[:, t].T @ dz
        grads["recurrent_kernel"] += h.T @ dz
        grads["bias"] += dz.sum(0)
        dx_BTE[:, t] = dz @ p["kernel"].T
        dh = np.where(real, dz @ p["recurrent_kernel"].T, dh)
        dc = np.where(real, dc_before, dc)
    return grads, dx_BTE


def logits(cell, params, x_BTE, mask_BT):
    """Logits (B,) of embedded reviews, forward only."""
    y_BTH = x_BTE * mask_BT[..., None]
    for part in ("layer_0", "layer_1"):
        y_BTH, _ = layer(cell, params[part], y_BTH, mask_BT)
    hidden, logit = params["hidden"], params["logit"]
    r = np.maximum(y_BTH[:, -1] @ hidden["kernel"] + hidden["bias"], 0)
    return (r @ logit["kernel"] + logit["bias"])[:, 0]


def loss_and_gradients(cell, params, ids_BT, label_B):
    """Logits (B,), and every gradient of the summed binary cross-entropy."""
    mask_BT = ids_BT != 0
    x1 = params["embedding"]["embedding"][ids_BT] * mask_BT[..., None]
    x2, kept1 = layer(cell, params["layer_0"], x1, mask_BT)
    y, kept2 = layer(cell, params["layer_1"], x2, mask_BT)
    hidden, logit = params["hidden"], params["logit"]
    a = y[:, -1] @ hidden["kernel"] + hidden["bias"]
    r = np.maximum(a, 0)
    logits_B = (r @ logit["kernel"] + logit["bias"])[:, 0]
    dlogit = (sigmoid(logits_B) - label_B)[:, None]
    da = (dlogit @ logit["kernel"].T) * (a > 0)
    dy = np.zeros_like(y)
    dy[:, -1] = da @ hidden["kernel"].T
    grads1, dx2 = layer_backward(cell, params["layer_1"], x2, mask_BT, kept2, dy)
    grads0, dx1 = layer_backward(cell, params["layer_0"], x1, mask_BT, kept1, dx2)
    demb = np.zeros_like(params["embedding"]["embedding"])
    np.add.at(demb, ids_BT, dx1 * mask_BT[..., None])
    return logits_B, {
        "embedding": {"embedding": demb},
        "layer_0": grads0,
        "layer_1": grads1,
        "hidden": {"kernel": y[:, -1].T @ da, "bias": da.sum(0)},
        "logit": {"kernel": r.T @ dlogit, "bias": dlogit.sum(0)},
    }
