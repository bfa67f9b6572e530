import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rnnsent.kernels import packing

SHAPES = st.sampled_from([(1, 1), (3, 7), (4, 1), (1, 12)])
MASKS = SHAPES.flatmap(lambda shape: hnp.arrays(bool, shape))


def numbered(mask_BT):
    """Inputs (B, T, 2), every one another number."""
    return np.arange(mask_BT.size * 2, dtype=np.float32).reshape(*mask_BT.shape, 2) + 1


@settings(max_examples=60, deadline=None)
@given(MASKS)
def test_packing_moves_the_real_steps_together_in_order(mask_BT):
    x_BTE = numbered(mask_BT)
    (packed, again), length_B = packing.pack((x_BTE, x_BTE[..., 0]), mask_BT)
    assert length_B.dtype == jnp.int32
    for x_TE, mask_T, packed_TE, length in zip(x_BTE, mask_BT, packed, length_B, strict=True):
        assert length == mask_T.sum()
        np.testing.assert_array_equal(packed_TE[:length], x_TE[mask_T])
    np.testing.assert_array_equal(again, packed[..., 0])
    np.testing.assert_array_equal(packing.mask_of(length_B, mask_BT.shape[1]).sum(1), length_B)


@settings(max_examples=60, deadline=None)
@given(MASKS)
def test_unpacking_brings_every_step_back_and_repeats_the_last_one(mask_BT):
    """What stands beyond a packed row's length is never read."""
    x_BTE, first_BE = numbered(mask_BT), np.full((len(mask_BT), 2), -1, np.float32)
    packed_BTE, length_B = packing.pack(x_BTE, mask_BT)
    real_BT = packing.mask_of(length_B, mask_BT.shape[1])
    packed_BTE = jnp.where(real_BT[..., None], packed_BTE, jnp.nan)
    got_BTE = packing.unpack(packed_BTE, first_BE, mask_BT)
    expected_BTE, last_BE = np.empty_like(x_BTE), first_BE
    for t in range(mask_BT.shape[1]):
        last_BE = np.where(mask_BT[:, t, None], x_BTE[:, t], last_BE)
        expected_BTE[:, t] = last_BE
    np.testing.assert_array_equal(got_BTE, expected_BTE)


@pytest.mark.parametrize("shape", [(), (2,), (2, 3)])
def test_rows_of_any_rank_are_chosen_and_packed_whole(shape):
    real_B, mask_BT = np.array([True, False]), np.array([[False, True], [True, True]])
    new, old = np.ones((2, *shape), np.float32), np.zeros((2, *shape), np.float32)
    chosen = packing.where(real_B, (new,), (old,))[0]
    assert (chosen[0] == 1).all() and (chosen[1] == 0).all()
    x_BT = np.arange(4, dtype=np.int32).reshape(2, 2, *(1,) * len(shape)) + np.zeros(
        shape, np.int32
    )
    packed, _ = packing.pack(x_BT, mask_BT)
    assert packed.shape == x_BT.shape and packed.dtype == np.int32
    np.testing.assert_array_equal(packed[0], x_BT[0, ::-1])
    back = packing.unpack(packed, jnp.full((2, *shape), -1), mask_BT)
    np.testing.assert_array_equal(back[1], x_BT[1])
    np.testing.assert_array_equal(back[0, 0], np.full(shape, -1))


def test_time_goes_first_and_back():
    tree = {"x": np.zeros((2, 3, 4)), "t": np.zeros((2, 3))}
    first = packing.time_first(tree)
    assert jax.tree.map(jnp.shape, first) == {"x": (3, 2, 4), "t": (3, 2)}
    assert jax.tree.map(jnp.shape, packing.time_first(first)) == {"x": (2, 3, 4), "t": (2, 3)}


def test_padding_becomes_zero_whatever_stood_there():
    x_BT = {"x": np.float32([[[np.nan], [1]]]), "i": np.array([[7, 8]])}
    zeroed = packing.zero_padding(x_BT, np.array([[False, True]]))
    assert zeroed["x"].tolist() == [[[0], [1]]] and zeroed["i"].tolist() == [[0, 8]]
