import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rnnsent import optimizers

START = {"a": np.array([[0.5, -1.0], [2.0, 0.1]], np.float32), "b": np.array([0.3], np.float32)}


def gradients(step, scale=1.0):
    """Of very different sizes, the small ones where the place of epsilon matters."""
    rng = np.random.default_rng(step)
    sizes = {"a": np.array([[1e-7, 1e-4], [1.0, 10.0]]), "b": np.array([1e-6])}
    return {
        n: (scale * s * rng.standard_normal(s.shape)).astype(np.float32) for n, s in sizes.items()
    }


def trained(optimizer, steps=12, scale=1.0):
    """Parameters after every step, and the last state."""
    params = jax.tree.map(jnp.asarray, START)
    state, path = optimizer.init(params), []
    update = jax.jit(optimizer.update)
    for step in range(steps):
        updates, state = update(gradients(step, scale), state, params)
        params = optax.apply_updates(params, updates)
        path.append(params)
    return path, state


def keras(steps=12, rate=lambda step: 1e-3, decay=0.0, norm=None, scale=1.0):
    """Keras's Adam in float64, as its source has it; AdamW and clipping too."""
    params = {n: a.astype(np.float64) for n, a in START.items()}
    m, v = ({n: np.zeros_like(a) for n, a in params.items()} for _ in range(2))
    for step in range(steps):
        grads = {n: g.astype(np.float64) for n, g in gradients(step, scale).items()}
        length = np.sqrt(sum((g * g).sum() for g in grads.values()))
        for n, g in grads.items():
            g = g * min(1.0, norm / length) if norm else g
            alpha = rate(step) * np.sqrt(1 - 0.999 ** (step + 1)) / (1 - 0.9 ** (step + 1))
            params[n] = params[n] * (1 - rate(step) * decay)
            m[n] += (g - m[n]) * (1 - 0.9)
            v[n] += (g * g - v[n]) * (1 - 0.999)
            params[n] -= m[n] * alpha / (np.sqrt(v[n]) + 1e-7)
    return params


def close(got, expected):
    """The ways from the start agree to a thousandth of the longest."""
    for name, value in expected.items():
        np.testing.assert_allclose(got[name] - START[name], value - START[name], 2e-3, 1e-6)


def test_by_default_it_is_kerass_adam_with_a_plain_state():
    path, state = trained(optimizers.adam())
    close(path[-1], keras())
    assert jax.tree.structure(optax.tree_utils.tree_get(state, "mu")) == jax.tree.structure(START)
    assert len(jax.tree.leaves(state)) == 1 + 2 * len(START)


def test_epsilon_is_added_before_the_correction():
    """Optax's place for it moves the smallest gradients' parameters several times as far."""
    ours, theirs = (trained(o, 1)[0][0] for o in (optimizers.adam(), optax.adam(1e-3, eps=1e-7)))
    assert abs(ours["b"] - START["b"]) < 0.5 * abs(theirs["b"] - START["b"])
    np.testing.assert_allclose(ours["a"][1], theirs["a"][1], rtol=1e-5)


@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_all_gradients_together_are_clipped(scale):
    """Where they are longer than allowed, and only there."""
    path, _ = trained(optimizers.adam(1e-2, clip=0.5), scale=scale)
    close(path[-1], keras(rate=lambda step: 1e-2, norm=0.5, scale=scale))


def test_a_cosine_ends_at_zero_and_stays_there():
    def rate(step):
        return 1e-2 * 0.5 * (1 + np.cos(np.pi * min(step, 8) / 8))

    path, _ = trained(optimizers.adam(1e-2, schedule="cosine", steps=8))
    close(path[-1], keras(rate=rate))
    jax.tree.map(np.testing.assert_array_equal, path[-1], path[8])


def test_weights_decay_apart_from_the_gradient():
    path, _ = trained(optimizers.adam(1e-2, weight_decay=0.1))
    close(path[-1], keras(rate=lambda step: 1e-2, decay=0.1))


@pytest.mark.parametrize("steps", [1, 12])
def test_the_mean_of_the_weights_is_kept_beside_them(steps):
    optimizer = optimizers.adam(1e-2, averaging=0.8)
    path, state = trained(optimizer, steps)
    plain, _ = trained(optimizers.adam(1e-2), steps)
    jax.tree.map(np.testing.assert_array_equal, path[-1], plain[-1])
    weights = [0.8 ** (steps - 1 - i) for i in range(steps)]
    mean = optimizers.averaged(types.SimpleNamespace(params=path[-1], opt_state=state))
    for name in START:
        expected = np.average([p[name] for p in path], axis=0, weights=weights)
        np.testing.assert_allclose(mean[name], expected, rtol=1e-5)


@pytest.mark.parametrize("averaging", [0.0, 0.8])
def test_without_a_mean_the_weights_themselves_are_evaluated(averaging):
    optimizer = optimizers.adam(averaging=averaging)
    state = types.SimpleNamespace(params=START, opt_state=optimizer.init(START))
    jax.tree.map(np.testing.assert_array_equal, optimizers.averaged(state), START)


def test_equal_settings_are_one_optimizer():
    assert optimizers.adam(1e-3, clip=1.0) is optimizers.adam(1e-3, clip=1.0)
    assert optimizers.adam(1e-3) is not optimizers.adam(1e-2)


@pytest.mark.parametrize("options", [{"schedule": "linear"}, {"schedule": "cosine"}])
def test_a_schedule_that_cannot_be_is_refused(options):
    with pytest.raises(ValueError, match="expected cosine and a number"):
        optimizers.adam(**options)
