"""safetensors: any model whole, guests' cells too, and only what a file may hold."""

import json
import sys

import guests
import jax
import numpy as np
import pytest
from interop import made
from safetensors import numpy as safetensors

from rnnsent import interop
from rnnsent.errors import UserError
from rnnsent.model import SentimentClassifier, init

GUEST = """
from rnnsent.cells import SimpleRNNCell


class Guest(SimpleRNNCell):
    leak: float = 0.1
"""


@pytest.mark.parametrize(
    "cell", [*made.CELLS, *(f"guests:{one.__name__}" for one in guests.GUESTS)]
)
def test_any_model_comes_back_whole(cell, tmp_path):
    model = SentimentClassifier(
        cell=cell, features=(5,), head=3, vocab_size=7, embedding_size=4, dropout=0.25
    )
    params = init(model, jax.random.key(0))
    interop.save(tmp_path / "a.safetensors", interop.Portable(model, params, mask_zero=False))
    read = interop.load(tmp_path / "a.safetensors")
    assert read.model == model and not read.mask_zero
    made.same(read.params, jax.tree.map(np.asarray, params))


def test_options_are_written_where_a_model_has_some(tmp_path):
    plain = SentimentClassifier("gru", features=(2, 2), head=2, vocab_size=3, embedding_size=2)
    options = {"bidirectional": True, "residual": True, "layer_norm": True, "pooling": "max"}
    for model in (plain, plain.clone(**options, compute="bfloat16")):
        path = tmp_path / f"{len(model.options())}.safetensors"
        params = init(model, jax.random.key(0))
        interop.save(path, interop.Portable(model, params))
        read = interop.load(path)
        assert read.model == model
        made.same(read.params, jax.tree.map(np.asarray, params))
        said = json.loads(safetensors_header(path)["__metadata__"]["rnnsent"])
        assert said.keys() & {*options, "compute"} == model.options().keys()


def safetensors_header(path) -> dict:
    content = path.read_bytes()
    return json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])


def test_a_guests_cell_is_imported_only_where_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "guest_of_tensors.py").write_text(GUEST)
    monkeypatch.syspath_prepend(tmp_path)
    held = made.portable("simple_rnn")
    named = held.model.clone(cell="guest_of_tensors:Guest", cell_options=(("leak", 0.2),))
    path = tmp_path / "a.safetensors"
    interop.save(path, interop.Portable(named, held.params))
    with pytest.raises(UserError, match="add --cell guest_of_tensors:Guest"):
        interop.load(path)
    assert "guest_of_tensors" not in sys.modules
    read = interop.load(path, ["guest_of_tensors:Guest"])
    assert read.model == named and sys.modules.pop("guest_of_tensors")
    with pytest.raises(UserError, match="Keras has no cell guest_of_tensors:Guest"):
        interop.save(tmp_path / "a.keras", read)
    assert not (tmp_path / "a.keras").exists()


def changed(**fields):
    """A change of the model's fields."""

    def change(arrays, held):
        held.update(fields)
        return arrays

    return change


@pytest.mark.parametrize(
    "change, message",
    [
        (changed(format=2), "format 2, where 1 is read"),
        (changed(format=2, subwords=True, head=None), "format 2, where 1 is read"),
        (changed(features=[5, 3]), "where|is float32"),
        (changed(features=[]), "no model's"),
        (changed(vocab_size=10**12), "no model's"),
        (changed(vocab_size=2**31 - 1), "is float32"),
        (changed(features=[2**31 - 1]), "no model's|is float32"),
        (changed(head="3"), "no model's"),
        (changed(more=1), "no model's"),
        (changed(recurrent_init="evil"), "no model's"),
        (changed(cell="lstn"), "no cell 'lstn'"),
        (changed(cell="os:system"), "not|no subclass"),
        (changed(cell_options={"leak": 1}), "lstm has no option leak"),
        (lambda arrays, held: arrays | {"more": np.ones(3, np.float32)}, "'more' is float32"),
        (lambda arrays, held: dict(list(arrays.items())[1:]), "is missing"),
        (lambda arrays, held: {k: a.astype("f8") for k, a in arrays.items()}, "is float64"),
        (lambda arrays, held: held.clear() or arrays, "no model's"),
    ],
)
def test_a_file_of_something_else_is_one_line(tmp_path, change, message):
    path = tmp_path / "a.safetensors"
    interop.save(path, made.portable())
    held = json.loads(_metadata(path))
    arrays = change(safetensors.load_file(path), held)
    safetensors.save_file(arrays, path, metadata={"rnnsent": json.dumps(held)})
    with pytest.raises(UserError, match=message) as refused:
        interop.load(path)
    assert "\n" not in str(refused.value)


def _metadata(path) -> str:
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        return file.metadata()["rnnsent"]


def test_a_file_without_a_models_fields_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    safetensors.save_file({"x": np.ones(3, np.float32)}, path)
    with pytest.raises(UserError, match="its metadata has no 'rnnsent'"):
        interop.load(path)
    safetensors.save_file({"x": np.ones(3, np.float32)}, path, metadata={"rnnsent": "{"})
    with pytest.raises(UserError, match="its metadata is no model's"):
        interop.load(path)
    nested = '{"format": 1, "x": ' + "[" * 100_000
    safetensors.save_file({"x": np.ones(3, np.float32)}, path, metadata={"rnnsent": nested})
    with pytest.raises(UserError, match="its metadata is no model's"):
        interop.load(path)


def test_parameters_that_no_file_can_hold_are_refused(tmp_path):
    held = made.portable()
    for part in ({"a.b": np.ones(1, np.float32)}, {"a": np.array(["x"])}, {"a": [np.ones(1)]}):
        odd = interop.Portable(held.model, held.params | {"layer_0": part})
        with pytest.raises(UserError, match="cannot hold them"):
            interop.save(tmp_path / "a.safetensors", odd)
    assert not list(tmp_path.iterdir())
