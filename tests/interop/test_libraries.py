"""Layouts there and back; that each library computes the same, the subjects' tests say too."""

import jax
import numpy as np
import pytest
from flax import linen as nn
from interop import made

from rnnsent import cells, interop
from rnnsent.errors import UserError


def weights(cell: str) -> dict:
    """Of a classifier with layers of 5 and 4, every entry another."""
    return made.portable(cell).params


@pytest.mark.parametrize("cell", made.CELLS)
@pytest.mark.parametrize("library", ["keras", "flax", "torch"])
def test_weights_there_and_back(cell, library):
    there, back = getattr(interop, f"to_{library}"), getattr(interop, f"from_{library}")
    made.same(back(there(weights(cell))), weights(cell))


def test_gates_stand_in_each_librarys_order():
    params = weights("gru")
    r, z, n = np.split(params["layer_0"]["kernel"], 3, axis=1)
    np.testing.assert_array_equal(interop.to_keras(params)[1], np.concatenate([z, r, n], axis=1))
    np.testing.assert_array_equal(interop.to_flax(params)["layer_0"]["in"]["kernel"], n)
    assert interop.to_torch(params)["layer_0.weight_ih_l0"].shape == (15, 3)


def test_two_biases_are_one_weight_and_one_gradient():
    state = interop.to_torch(weights("lstm"))
    first, second = np.arange(20.0), np.full(20, 100.0)
    state |= {"layer_0.bias_ih_l0": first, "layer_0.bias_hh_l0": second}
    np.testing.assert_array_equal(interop.from_torch(state)["layer_0"]["bias"], first + second)
    read = interop.from_torch(state, gradients=True)
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


@pytest.mark.parametrize("name", ["SimpleCell", "LSTMCell", "OptimizedLSTMCell", "GRUCell"])
def test_a_cell_of_flax_takes_the_arrays_and_steps_the_same(name):
    """Also the LSTM that is not the table's own."""
    cell = next(c for c, layout in interop.LAYOUTS.items() if layout.flax.endswith(name[-7:]))
    params, rng = weights(cell), np.random.default_rng(2)
    x_BE, theirs = np.float32(rng.normal(size=(2, 3))), getattr(nn, name)(5)
    carry = tuple(np.float32(rng.normal(size=(2, 5))) for _ in range(2 if cell == "lstm" else 1))
    ours = cells.create(cell, 5, {}).advance(params["layer_0"], carry, x_BE)
    # Flax has the LSTM's memory first.
    other = carry[::-1] if cell == "lstm" else carry[0]
    _, y_BH = theirs.apply({"params": interop.to_flax(params)["layer_0"]}, other, x_BE)
    np.testing.assert_allclose(ours[0], y_BH, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("cell", made.CELLS)
def test_a_state_of_pytorch_under_its_users_names_predicts_the_same(cell):
    """One recurrent module of two layers, its batch first."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    kind = getattr(torch.nn, interop.LAYOUTS[cell].torch)
    parts = {
        "words": torch.nn.Embedding(7, 3),
        "rnn": kind(3, 5, num_layers=2, batch_first=True),
        "fc": torch.nn.Linear(5, 3),
        "out": torch.nn.Linear(3, 1),
    }
    modules = torch.nn.ModuleDict(parts)
    ids_BT = np.random.default_rng(0).integers(1, 7, (4, 5))
    with torch.no_grad():
        y_BTH, _ = modules["rnn"](modules["words"](torch.from_numpy(ids_BT)))
        want_B = modules["out"](torch.relu(modules["fc"](y_BTH[:, -1])))[:, 0].numpy()
    params = interop.from_torch({k: v.numpy() for k, v in modules.state_dict().items()})
    model = made.portable(cell, (5, 5)).model
    got_B = jax.jit(model.apply)({"params": params}, ids_BT.astype(np.int32))
    np.testing.assert_allclose(got_B, want_B, atol=1e-5)


def renamed(state: dict, old: str, new: str) -> dict:
    return {key.replace(old, new): array for key, array in state.items()}


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda s: renamed(s, "layer_1.weight_ih_l0", "layer_1.weight_ih_l0_reverse"), "reverse"),
        (lambda s: s | {"layer_1.weight_hr_l0": np.ones((2, 4))}, "weight_hr_l0"),
        (lambda s: {k: a for k, a in s.items() if "bias_hh" not in k}, "'layer_0' has not"),
        (lambda s: {k: a for k, a in s.items() if "logit" not in k}, "not the parts"),
        (lambda s: s | {"more.weight": np.ones((1, 1)), "more.bias": np.ones(1)}, "'more' has not"),
        (lambda s: renamed(s, "embedding.weight", "embedding.table"), "'embedding' has not"),
        (lambda s: s | {"layer_0.bias_hh_l0": np.ones(3)}, "Biases"),
        (lambda s: s | {"layer_0.weight_hh_l0": np.ones((5, 5))}, "several kinds|not follow"),
        (lambda s: s | {"layer_0.weight_hh_l0": np.ones((7, 5))}, "no SimpleRNN's"),
        (lambda s: s | {"hidden.weight": np.ones((3, 9))}, "hidden's kernel"),
        (lambda s: {}, "not the parts"),
    ],
)
def test_other_states_of_pytorch_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        interop.from_torch(change(interop.to_torch(weights("lstm"))))


def test_other_trees_of_flax_are_refused():
    tree = interop.to_flax(weights("lstm"))
    with pytest.raises(UserError, match="'hi', no cell's of Flax"):
        interop.from_flax(tree | {"layer_0": {"hi": {}}})
    with pytest.raises(UserError, match="OptimizedLSTMCell has no 'bias'"):
        interop.from_flax(tree | {"layer_0": tree["layer_0"] | {"hf": {"kernel": np.ones((5, 5))}}})
