"""Files of weights that were damaged or made to do harm."""

import re
import zipfile
import zlib

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interop import made

from rnnsent import interop
from rnnsent.errors import UserError

KERNEL = "layers/lstm/cell/vars/0"
MEMBERS = ("metadata.json", "config.json", "model.weights.h5")


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "a.weights.h5"
    interop.save(path, made.portable())
    return path


def refused(path) -> str:
    """The one line that it is refused with."""
    with pytest.raises(UserError) as error:
        interop.load(path)
    said = str(error.value)
    assert "\n" not in said and said.isprintable() and len(said) < 700 and str(path) in said
    return said


def external_array(file):
    secret = file.filename + ".secret"
    np.ones((3, 20), np.float32).tofile(secret)
    file.create_dataset(KERNEL, (3, 20), "f4", external=[(secret, 0, 240)])


def virtual(file):
    layout = h5py.VirtualLayout((3, 20), "f4")
    layout[:] = h5py.VirtualSource(file.filename, "elsewhere", (3, 20))
    file.create_virtual_dataset(KERNEL, layout)


def unwritten(file):
    space = h5py.h5s.create_simple((2**20, 2**20))
    h5py.h5d.create(file.id, KERNEL.encode(), h5py.h5t.IEEE_F32LE, space)


def dataset(**options):
    return lambda file: file.create_dataset(KERNEL, **options)


def link(target):
    def change(file):
        file[KERNEL] = target(file) if callable(target) else target

    return change


ONES = np.ones((3, 20), np.float32)


@pytest.mark.parametrize(
    "change, message",
    [
        (external_array, "not kept as a plain array"),
        (virtual, "not kept as a plain array"),
        (unwritten, "not kept as a plain array"),
        (dataset(data=ONES, compression="gzip"), "not kept as a plain array"),
        (dataset(data=ONES, chunks=(1, 20)), "not kept as a plain array"),
        (dataset(shape=(2**40,), dtype="f4", chunks=(2**20,)), "not kept as a plain array"),
        (dataset(data=ONES.astype("f8")), "dtype float64, not float32"),
        (dataset(data=ONES.astype(">f4")), "dtype >f4, not float32"),
        (dataset(data=ONES.astype("i4")), "dtype int32, not float32"),
        (dataset(data="text"), "dtype object"),
        (dataset(data=h5py.Empty("f4")), "is no array"),
        (dataset(data=np.float32(1)), "not follow"),
        (dataset(data=ONES[:, :19]), "do not follow"),
        (dataset(data=ONES[:2]), "not follow"),
        (dataset(data=np.ones((0, 20), np.float32)), "not follow"),
        (lambda file: file.create_group(KERNEL), "is no array"),
        (lambda file: None, "has 2 variables where 3 are expected"),
        (link(h5py.SoftLink("/layers/lstm/cell/vars/1")), "is a link"),
        (link(h5py.ExternalLink("/etc/passwd", "/x")), "is a link"),
        (link(np.dtype("f4")), "is no array"),
    ],
)
def test_an_array_that_is_not_as_keras_keeps_it_is_refused(weights, change, message):
    with h5py.File(weights, "r+") as file:
        del file[KERNEL]
        change(file)
    assert re.search(message, refused(weights))


def test_no_link_is_followed_on_the_way(weights):
    for name in ("layers", "layers/lstm", "layers/lstm/cell/vars"):
        for target in (h5py.ExternalLink("/etc/passwd", "/x"), h5py.SoftLink("/nowhere")):
            interop.save(weights, made.portable(), force=True)
            with h5py.File(weights, "r+") as file:
                del file[name]
                file[name] = target
            assert "is a link" in refused(weights)


def test_one_array_under_many_names_is_not_read_as_many(weights):
    square = made.portable("simple_rnn", (64,) * 3)
    interop.save(weights, square, force=True)
    with h5py.File(weights, "r+") as file:
        for i in range(3, 200):
            file[f"layers/simple_rnn_{i}"] = file["layers/simple_rnn_2"]
    assert "not kept as a plain array" in refused(weights)


def test_what_is_no_file_of_weights_is_refused(tmp_path):
    for name in ("a.keras", "a.weights.h5", "a.safetensors"):
        assert "There is no file" in refused(tmp_path / name)
        for content in (b"", b"PK\x05\x06" + bytes(18), b"\x89HDF\r\n\x1a\n" + bytes(100), b"{}"):
            (tmp_path / name).write_bytes(content)
            refused(tmp_path / name)
        (tmp_path / name).unlink()
        (tmp_path / name).mkdir()
        refused(tmp_path / name)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), name=st.sampled_from(("a.keras", "a.weights.h5", "a.safetensors")))
def test_a_damaged_file_is_read_or_refused(tmp_path, data, name):
    """Whatever byte is another, and wherever it ends."""
    path = tmp_path / name
    interop.save(path, made.portable(), force=True)
    content = bytearray(path.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, 2 * len(content)))])
    try:
        held = interop.load(path)
    except UserError as error:
        assert "\n" not in str(error) and str(error).isprintable()
    else:
        interop.check(held.params)


def test_a_zip_that_unpacks_to_much_more_is_refused(tmp_path):
    path = tmp_path / "a.keras"
    for name, size in (("config.json", 2**20 + 1), ("model.weights.h5", 2**24)):
        members = dict.fromkeys(MEMBERS, b" ") | {"config.json": config(tmp_path)}
        made.write_zip(path, members | {name: bytes(size)}, compression=zipfile.ZIP_DEFLATED)
        assert "bytes unpacked" in refused(path)


def test_a_zip_that_lies_of_a_members_size_is_refused(tmp_path):
    path = tmp_path / "a.keras"
    held = dict.fromkeys(MEMBERS, b"") | {"config.json": bytes(2**22)}
    made.write_zip(path, held, compression=zipfile.ZIP_DEFLATED)
    said = path.read_bytes().replace((2**22).to_bytes(4, "little"), (99).to_bytes(4, "little"))
    path.write_bytes(said)
    assert "config.json" in refused(path)


def config(tmp_path) -> bytes:
    interop.save(tmp_path / "whole.keras", made.portable(), force=True)
    with zipfile.ZipFile(tmp_path / "whole.keras") as archive:
        return archive.read("config.json")


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize(
    "name",
    ["../../evil.py", "/etc/evil", "assets/vocabulary.txt", "model.weights.npz", "c:\\x\x1b"],
)
def test_a_zip_with_other_members_is_refused_and_nothing_is_unpacked(tmp_path, name):
    made.write_zip(tmp_path / "a.keras", dict.fromkeys((*MEMBERS, name), b""))
    refused(tmp_path / "a.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["a.keras"]


def test_a_zip_with_a_member_missing_twice_or_locked_is_refused(tmp_path):
    path = tmp_path / "a.keras"
    made.write_zip(path, {"config.json": config(tmp_path)})
    assert "model.weights.h5 missing or twice" in refused(path)
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for name in ("config.json", "config.json", "model.weights.h5"):
            archive.writestr(name, b"{}")
    assert "missing or twice" in refused(path)
    made.write_zip(path, dict.fromkeys(MEMBERS, b"{}"))
    content = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):  # the flag of an encrypted member
        start = 0
        while (start := content.find(mark, start)) >= 0:
            content[start + at] |= 1
            start += 4
    path.write_bytes(content)
    assert "encrypted" in refused(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"class_name": "Sequential"}', b"null"],
)
def test_a_configuration_that_is_none_is_refused(tmp_path, content):
    made.edited(tmp_path / "a.keras", lambda _: None, config=content)
    assert "config.json that cannot be read" in refused(tmp_path / "a.keras")


def test_weights_that_are_none_are_refused(tmp_path):
    made.edited(tmp_path / "a.keras", lambda _: None, model=zlib.compress(bytes(100)))
    assert "no HDF5 file" in refused(tmp_path / "a.keras")
