import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rnnsent.pooling import pooled, running

B, T, H = 3, 6, 2
masks = arrays.arrays(bool, (B, T))
outputs = arrays.arrays(np.float32, (B, T, H), elements=st.floats(-4, 4, width=32))
REFERENCE = {"mean": np.mean, "max": np.max}


def carried(mask_BT, y_BTH):
    """Outputs as the recurrence gives them, -7 the initial one, and the last of them."""
    kept_BTH, last_BH = np.array(y_BTH), np.full((B, H), -7, np.float32)
    for t in range(T):
        last_BH = np.where(mask_BT[:, t, None], y_BTH[:, t], last_BH)
        kept_BTH[:, t] = last_BH
    return kept_BTH, last_BH


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@settings(max_examples=25)
@given(mask_BT=masks, y_BTH=outputs)
def test_pooling_is_over_real_steps_alone(pooling, mask_BT, y_BTH):
    y_BTH, last_BH = carried(mask_BT, y_BTH)
    expected_BH = last_BH.copy()
    for b in range(B):
        if pooling != "last" and mask_BT[b].any():
            expected_BH[b] = REFERENCE[pooling](y_BTH[b][mask_BT[b]].astype(np.float64), axis=0)
    garbage_BTH = np.where(mask_BT[..., None], y_BTH, np.nan)
    found_BH = pooled(pooling, last_BH, garbage_BTH, jnp.asarray(mask_BT))
    np.testing.assert_allclose(found_BH, expected_BH, atol=1e-6)


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@settings(max_examples=25)
@given(mask_BT=masks, y_BTH=outputs)
def test_what_runs_is_what_is_pooled_of_each_beginning(pooling, mask_BT, y_BTH):
    y_BTH, _ = carried(mask_BT, y_BTH)
    found_BTH = running(pooling, jnp.asarray(y_BTH), jnp.asarray(mask_BT))
    for t in range(T):
        upto_BT = mask_BT & (np.arange(T) <= t)
        expected_BH = pooled(pooling, y_BTH[:, t], y_BTH, jnp.asarray(upto_BT))
        np.testing.assert_allclose(found_BTH[:, t], expected_BH, atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_lengths_and_no_mask_are_masks_too(pooling):
    y_BTH = np.random.default_rng(0).standard_normal((B, T, H), np.float32)
    length_B = np.array([0, 2, T], np.int32)
    mask_BT = np.arange(T) < length_B[:, None]
    for function in (running, lambda *at: pooled(at[0], y_BTH[:, -1], *at[1:])):
        found = function(pooling, y_BTH, jnp.asarray(length_B))
        np.testing.assert_array_equal(found, function(pooling, y_BTH, jnp.asarray(mask_BT)))
        whole = function(pooling, y_BTH, jnp.ones((B, T), bool))
        np.testing.assert_array_equal(function(pooling, y_BTH, None), whole)
