"""Layouts there and back; that each library computes the same, the subjects' tests say."""

import numpy as np
import pytest

from rnnsent import interop
from rnnsent.errors import UserError

GATES = {"simple_rnn": 1, "lstm": 4, "gru": 3}


def weights(cell: str) -> dict:
    """Of a classifier with layers of 5 and 4, every entry another."""
    rng = np.random.default_rng(0)
    gates, shapes = GATES[cell], {"embedding": {"embedding": (7, 3)}}
    for i, (inputs, features) in enumerate(((3, 5), (5, 4))):
        shapes[f"layer_{i}"] = {
            "kernel": (inputs, gates * features),
            "recurrent_kernel": (features, gates * features),
            "bias": (gates * features,),
        } | ({"new_bias": (features,)} if cell == "gru" else {})
    shapes |= {
        "hidden": {"kernel": (4, 3), "bias": (3,)},
        "logit": {"kernel": (3, 1), "bias": (1,)},
    }
    return {
        name: {leaf: np.float32(rng.normal(size=shape)) for leaf, shape in part.items()}
        for name, part in shapes.items()
    }


def same(got: dict, want: dict) -> None:
    assert got.keys() == want.keys()
    for name, part in want.items():
        assert got[name].keys() == part.keys()
        for leaf, array in part.items():
            np.testing.assert_array_equal(got[name][leaf], array, err_msg=f"{name}/{leaf}")


@pytest.mark.parametrize("cell", GATES)
@pytest.mark.parametrize("library", ["keras", "flax", "torch"])
def test_weights_there_and_back(cell, library):
    there, back = getattr(interop, f"to_{library}"), getattr(interop, f"from_{library}")
    same(back(there(weights(cell))), weights(cell))


def test_gates_stand_in_each_librarys_order():
    params = weights("gru")
    r, z, n = np.split(params["layer_0"]["kernel"], 3, axis=1)
    np.testing.assert_array_equal(interop.to_keras(params)[1], np.concatenate([z, r, n], axis=1))
    np.testing.assert_array_equal(interop.to_flax(params)["layer_0"]["in"]["kernel"], n)
    assert interop.to_torch(params)["layer_0"]["weight_ih_l0"].shape == (15, 3)


def test_two_biases_are_one_weight_and_one_gradient():
    modules = interop.to_torch(weights("lstm"))
    first, second = np.arange(20.0), np.full(20, 100.0)
    modules["layer_0"] |= {"bias_ih_l0": first, "bias_hh_l0": second}
    np.testing.assert_array_equal(interop.from_torch(modules)["layer_0"]["bias"], first + second)
    read = interop.from_torch(modules, gradients=True)
    np.testing.assert_array_equal(read["layer_0"]["bias"], first)


def test_the_reset_gates_bias_stays_apart():
    listed = interop.to_keras(weights("gru"))
    first, second = np.arange(15.0), np.full(15, 100.0)
    listed[3] = np.stack([first, second])
    z, r, n = np.split(first, 3)
    layer = interop.from_keras(listed)["layer_0"]
    np.testing.assert_array_equal(layer["bias"], np.concatenate([r + 100, z + 100, n]))
    np.testing.assert_array_equal(layer["new_bias"], np.full(5, 100.0))
    read = interop.from_keras(listed, gradients=True)["layer_0"]
    np.testing.assert_array_equal(read["bias"], np.concatenate([r, z, n]))


def test_other_models_weights_are_refused():
    listed = interop.to_keras(weights("lstm"))
    with pytest.raises(UserError, match="weight arrays"):
        interop.from_keras(listed[:-1])
    with pytest.raises(UserError, match="do not follow"):
        interop.from_keras([listed[0], *listed[4:7], *listed[1:4], *listed[7:]])
