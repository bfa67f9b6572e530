"""Exported models: what they predict in a process without rnnsent, and files that are refused."""

import io
import json
import pathlib
import pickle
import subprocess
import sys
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exported.made import VOCABULARY, model_of, params_of, saved
from guests import GUESTS
from jax import export
from scripts import block

from rnnsent import data, exported, inference
from rnnsent.cells import CELLS
from rnnsent.errors import UserError
from rnnsent.exported import program

pytest.importorskip("flatbuffers")

SHAPES = ((1, 1), (3, 7), (5, 30), (2, 0), (0, 4))


def ids_of(rows: int, steps: int) -> np.ndarray:
    """With padding on both sides and inside, and from two rows on a row of padding alone."""
    ids_BT = np.random.default_rng(rows).integers(0, 20, (rows, steps)).astype(np.int32)
    ids_BT[1:2] = 0
    return ids_BT


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "mlstm", "lru", "guests:CountingCell"])
def test_logits_are_those_of_predict(cell):
    model = model_of(cell)
    params, ids_BT = params_of(model), ids_of(3, 7)
    logits_B = jax.jit(program.of(model, params).call)(ids_BT)
    assert logits_B.dtype == np.float32
    np.testing.assert_allclose(
        logits_B, inference.predict(model, params, ids_BT), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("cell", [*CELLS, *(f"guests:{one.__name__}" for one in GUESTS)])
def test_every_cell_is_exported_for_any_number_of_rows_and_steps(cell):
    model = model_of(cell)
    found = program.of(model, params_of(model))
    program.check(found)
    assert found.platforms == ("cpu", "cuda")


ALONE = """
import pickle, runpy, sys, numpy as np
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("rnnsent", "flax", "msgspec", "flatbuffers"):
            if name.partition(".")[0] != "flatbuffers" or sys.argv[0] not in sys.path:
                raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
import jax
def refuse(*arguments, **options): raise AssertionError("something was unpickled")
pickle.load = pickle.loads = pickle.Unpickler = refuse
path, arrays = sys.argv[1:]
sys.argv = [path, "A fine FILM!", "\\x1b[31m nothing"]
runpy.run_path(path, run_name="__main__")
sys.path.insert(0, path)
import rnnsent_reader
model = rnnsent_reader.load(path)
held = np.load(arrays, allow_pickle=False)
for i in range(len(held.files) // 2):
    got = model.logits(held[f"ids_{i}"])
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, held[f"logits_{i}"], rtol=1e-6, atol=1e-6)
assert not {"rnnsent", "flax", "msgspec"} & {name.partition(".")[0] for name in sys.modules}
assert sys.modules["flatbuffers"].__file__.startswith(path)
"""


def test_a_process_without_rnnsent_reads_texts_and_ids(tmp_path):
    path = tmp_path / "a model.pyz"
    model, params = saved(path, trained_on="toy: a test")
    arrays = {}
    for i, shape in enumerate(SHAPES):
        ids_BT = ids_of(*shape)
        # predict takes no rows without steps; to read one step of padding is to read none.
        padded_BT = ids_BT if ids_BT.shape[1] else np.zeros((len(ids_BT), 1), np.int32)
        arrays |= {f"ids_{i}": ids_BT, f"logits_{i}": inference.predict(model, params, padded_BT)}
    np.savez(tmp_path / "arrays.npz", **arrays)
    command = [sys.executable, "-I", "-c", ALONE, path, tmp_path / "arrays.npz"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    ids_NT = np.array([[0, 0, 1, 4, 5, 6], [0, 0, 0, 0, 0, 1]])
    chance_N = 1 / (1 + np.exp(-inference.predict(model, params, ids_NT)))
    known = ("3 of 3", "0 of 3")
    want = [f"{p:.3f}\t{words} words known" for p, words in zip(chance_N, known, strict=True)]
    assert done.stdout.splitlines() == want


def test_a_file_is_read_back_and_names_nothing_of_this_machine(tmp_path):
    model, params = saved(tmp_path / "m.pyz", trained_on="toy: a test")
    held = exported.load(tmp_path / "m.pyz")
    assert held.about["trained_on"] == "toy: a test" and held.about["jax"] == jax.__version__
    assert held.about["model"]["features"] == [6, 4] and held.program.platforms == ("cpu", "cuda")
    chance = held.probability(["a fine film"])
    want = inference.predict(model, params, held.encode(["a fine film"]))
    np.testing.assert_allclose(chance, 1 / (1 + np.exp(-want)), rtol=1e-6)
    content = (tmp_path / "m.pyz").read_bytes()
    assert str(pathlib.Path(exported.__file__).parent).encode() not in content
    saved(tmp_path / "again.pyz", trained_on="toy: a test")
    assert (tmp_path / "again.pyz").read_bytes() == content


def test_words_that_the_model_knows_as_unknown_stay_known_as_such(tmp_path):
    saved(tmp_path / "m.pyz")
    held = exported.load(tmp_path / "m.pyz")
    assert held.encode(["fine 29 nowhere"]).tolist() == [[0, 0, 0, 1, 5, data.OOV]]


def test_what_cannot_be_exported_is_one_line_and_leaves_nothing(tmp_path):
    with pytest.raises(UserError, match=r"any number of rows and steps \(TypeError.*shape\[0\]"):
        saved(tmp_path / "m.pyz", "exported.made:LengthCell")
    with pytest.raises(UserError, match="has 20 ids, and the encoding makes 21"):
        model = model_of("gru")
        exported.save(tmp_path / "m.pyz", model, params_of(model), VOCABULARY, data.Encoding(21, 6))
    assert not list(tmp_path.iterdir())


def test_a_file_is_written_over_only_where_that_is_asked_for(tmp_path):
    path = tmp_path / "m.pyz"
    path.write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        saved(path)
    assert path.read_text() == "mine"
    saved(path, force=True)
    assert exported.load(path).encoding["maxlen"] == 6


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("exported") / "m.pyz"
    saved(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(parts: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def refused(path: pathlib.Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        exported.load(path)
    said = str(error.value)
    assert said.isascii() and "\n" not in said and len(said) < 1_000
    return said


def test_a_damaged_file_is_one_line(tmp_path, parts):
    whole, path = packed(parts), tmp_path / "m.pyz"
    for damaged in (b"", b"text", whole[:-30], whole[: len(whole) // 2]):
        assert "damaged" in refused(path, damaged)
    at = whole.index(parts["model.stablehlo"])
    for i in np.random.default_rng(0).integers(at, at + len(parts["model.stablehlo"]), 20):
        changed = bytearray(whole)
        changed[i] ^= 0xFF
        assert "CRC" in refused(path, bytes(changed))
    about = {"about.json": b'{"format": 1}'}
    assert "There is no item named" in refused(path, packed(about))
    assert "is packed" in refused(path, packed(parts, zipfile.ZIP_DEFLATED))
    with pytest.raises(UserError, match="There is no file"):
        exported.load(tmp_path / "nowhere.pyz")


def test_json_that_is_not_a_models_is_one_line(tmp_path, parts):
    def changed(name, **fields):
        held = json.loads(parts[name]) | fields
        return refused(tmp_path / "m.pyz", packed(parts | {name: json.dumps(held).encode()}))

    assert "jax" in changed("about.json", jax=["\x1b[31m\n"])
    assert "maxlen" in changed("encoding.json", maxlen=10**9)
    assert "padding" in changed("encoding.json", padding="\x1b\n")
    assert "words" in changed("vocabulary.json", words=[1])
    for content in (b"[" * 10**5, b"\xff", b"null", b"1"):
        refused(tmp_path / "m.pyz", packed(parts | {"encoding.json": content}))


@pytest.mark.parametrize("held, told", [(2, "2"), (0, "0"), ("\x1b\n", r"\x1b\n")])
def test_of_another_format_that_is_told_and_no_more_is_read(tmp_path, parts, held, told):
    about = json.dumps({"format": held, "written": {"by": 1}}).encode()
    rules = json.dumps(json.loads(parts["encoding.json"]) | {"subwords": True}).encode()
    for others in (parts | {"encoding.json": rules}, {}):
        said = refused(tmp_path / "m.pyz", packed(others | {"about.json": about}))
        assert f"in format {told}; this one reads format 1" in said


def program_of(function) -> bytes:
    ids = jax.ShapeDtypeStruct(export.symbolic_shape("b, t"), jnp.int32)
    return bytes(export.export(jax.jit(function))(ids).serialize())


def test_a_program_that_is_not_logits_of_ids_alone_is_refused(tmp_path, parts):
    def said(content):
        return refused(tmp_path / "m.pyz", packed(parts | {"model.stablehlo": content}))

    held = parts["model.stablehlo"]
    version = held.index(b"ML\xefR") + 4  # of MLIR's bytecode; the one that follows is read later
    later = held[:version] + b"\xff" + held[version + 1 :]
    for content in (b"", held[:500], held[:100] + b"\xff" * 8 + held[108:], pickle.dumps(1), later):
        assert f"of JAX {jax.__version__}, cannot be read" in said(content)
    assert "it is a program of" in said(program_of(lambda ids: ids))

    def outside(ids_BT):
        return jnp.linalg.eigvalsh(jnp.full((2, 2), ids_BT.sum(), "f"))[0] * ids_BT[:, 0]

    assert "calls functions outside" in said(program_of(outside))


def test_without_flatbuffers_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    with pytest.raises(UserError, match=r"flatbuffers .*rnnsent\[formats\]"):
        saved(tmp_path / "m.pyz")


def test_the_readmes_way_from_python(tmp_path, monkeypatch):
    model, params = saved(tmp_path / "mine.pyz")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    ids_NT = ids_of(2, 6)
    source, held = block("python", 'sys.path.append("mine.pyz")'), {"sys": sys, "ids_NT": ids_NT}
    try:
        exec(source.replace("\nmodel.logits", "\nsaid = model.logits"), held)
    finally:
        sys.modules.pop("rnnsent_reader", None)
    want = inference.predict(model, params, ids_NT)
    np.testing.assert_allclose(held["said"], want, rtol=1e-6, atol=1e-6)
