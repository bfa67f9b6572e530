"""Recipes, records, archives and word indices that are none."""

import io
import pathlib
import tarfile

from corpus.bad import Bad
from corpus.folders import NESTED


def recipe(what: str, content: str | bytes, says: str) -> Bad:
    """A file ``bad.toml``."""
    text = content if isinstance(content, bytes) else content.encode()
    return Bad(what, lambda place: bool((place / "bad.toml").write_bytes(text)), says)


RECIPES = (
    recipe("no TOML", "cell = ", "no valid TOML"),
    recipe("not UTF-8", b"\xff", "no valid TOML"),
    recipe("nested", b"a = " + NESTED, "no valid TOML"),
    recipe("no cell", "epochs = 3", "cell"),
    recipe("an unknown field", 'cell = "lstm"\nlayers = 3', "layers"),
    recipe("no epochs", 'cell = "lstm"\nepochs = 0', "epochs"),
    recipe("no features", 'cell = "lstm"\nfeatures = []', "features"),
    recipe("a rate that is none", 'cell = "lstm"\nlearning_rate = nan', "learning_rate"),
    recipe("an infinite rate", 'cell = "lstm"\nlearning_rate = inf', "learning_rate"),
    recipe("a text for a number", 'cell = "lstm"\nhead = "4"', "head"),
    recipe("a name", 'cell = "lstm"\nname = "x"', "named by its file"),
    recipe("an unknown base", 'extends = "x"', "extends is 'x'"),
    recipe("a cell that is a path", 'cell = "../x"', "no cell '../x'"),
    Bad("a folder", lambda place: (place / "bad.toml").mkdir(), "Is a directory"),
    Bad("missing", lambda place: None, "No such file"),
)


def _archive(what: str, says: str, *members: tuple[str, int, bytes]) -> Bad:
    """A tar archive ``bad.tar`` of members: name, size and type."""

    def make(place: pathlib.Path) -> None:
        with tarfile.open(place / "bad.tar", "w") as tar:
            for name, size, kind in members:
                info = tarfile.TarInfo(name)
                info.size, info.type = size, kind
                tar.addfile(info, io.BytesIO(bytes(size)))

    return Bad(what, make, says)


def _raw(what: str, says: str, content: bytes) -> Bad:
    return Bad(what, lambda place: bool((place / "bad.tar").write_bytes(content)), says)


def _long_name() -> bytes:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**31
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


ARCHIVES = (
    _raw("no archive", "no tar archive", b"x" * 2000),
    _raw("empty", "no tar archive", b""),
    _raw("gzip that ends", "no tar archive", b"\x1f\x8b\x08"),
    _raw("xz that ends", "no tar archive", b"\xfd7zXZ\x00"),
    _raw("long name", "a header of 2,147,483,648 bytes", _long_name()),
    _archive("nothing", "incomplete or holds other reviews: 0 labelled", ("x", 0, b"0")),
    _archive("a way out", "a path that leads out", ("aclImdb/../../x", 1, b"0")),
    _archive("from the root", "a path that leads out", ("/etc/x", 1, b"0")),
    _archive("a link", "a link or a device", ("aclImdb/x", 0, tarfile.SYMTYPE)),
    _archive("a device", "a link or a device", ("aclImdb/x", 0, tarfile.CHRTYPE)),
    _archive("a huge review", "a review of", ("aclImdb/train/pos/1_9.txt", 2**20 + 1, b"0")),
)


def index(what: str, content: bytes) -> Bad:
    """A word index ``bad.json``."""
    make = lambda place: bool((place / "bad.json").write_bytes(content))  # noqa: E731
    return Bad(what, make, "is not the published one")


INDICES = (
    index("empty", b""),
    index("another", b'{"the": 1}'),
    index("nested", NESTED),
    index("larger", bytes(2 * 10**6)),
)


def record(
    what: str,
    content: bytes,
    says: str = "record.json cannot be read",
    place_of: str = "run/record.json",
    command: str = "",
) -> Bad:
    """A record, by default of a comparison."""

    def make(place: pathlib.Path) -> None:
        (place / place_of).parent.mkdir(exist_ok=True)
        (place / place_of).write_bytes(content)

    return Bad(what, make, says, command)


RECORDS = (
    record("empty", b""),
    record("another", b"{}", "is of an earlier version"),
    record("a list", b"[]"),
    record("not UTF-8", b'{"a": "\xff"}'),
    record("nested", b'{"x": ' + NESTED),
)


OTHER_RECORDS = tuple(
    record(f"{script}: {what}", content, says or f"{name} cannot be read", f"run/{name}",
           f"experiments.{script} --redraw run")
    for script, name in (
        ("claims", "claims/record.json"),
        ("sweep", "record.json"),
        ("probe", "record.json"),
        ("benchmark", "benchmark.json"),
    )
    for what, content, says in (
        ("empty", b"", ""),
        ("another", b"{}", "is of an earlier version"),
        ("of this version, without all else", b'{"format": 3}', ""),
        ("not UTF-8", b'{"format": 3, "a": "\xff"}', ""),
        ("nested", b'{"x": ' + NESTED, ""),
    )
)  # fmt: skip
"""Of the other scripts."""


def _sweep(what: str, content: str | bytes, says: str) -> Bad:
    bad = recipe(f"sweep: {what}", content, says)
    return Bad(bad.name, bad.make, says, "experiments.sweep bad.toml --data toy")


_GRID = "[fields]\nepochs = [1, 2]\n"
SWEEPS = (
    _sweep("no TOML", "base = ", "no valid TOML"),
    _sweep("not UTF-8", b"\xff", "no valid TOML"),
    _sweep("nested", b"a = " + NESTED, "no valid TOML"),
    _sweep("no base", "seeds = [0]", "base"),
    _sweep("an unknown base", 'base = "x"\nseeds = [0]\n' + _GRID, "There is no recipe x"),
    _sweep(
        "a base that is a path out",
        'base = "../../x.toml"\nseeds = [0]\n' + _GRID,
        "cannot be read",
    ),
    _sweep("an unknown part", 'base = "sound-lstm"\nseeds = [0]\n[gird]\nepochs = [1]', "gird"),
    _sweep(
        "an unknown field", 'base = "sound-lstm"\nseeds = [0]\n[fields]\nlayers = [1]', "layers"
    ),
    _sweep(
        "a value that none can have",
        'base = "sound-lstm"\nseeds = [0]\n[fields]\nepochs = [0]',
        "epochs",
    ),
    _sweep("nothing varied", 'base = "sound-lstm"\nseeds = [0]', "bad.toml"),
    _sweep("one seed twice", 'base = "sound-lstm"\nseeds = [1, 1]\n' + _GRID, "seed"),
    _sweep("a seed below zero", 'base = "sound-lstm"\nseeds = [-1]\n' + _GRID, "seeds"),
    _sweep(
        "the base alone",
        'base = "sound-lstm"\nseeds = [0]\n[fields]\nepochs = [6]',
        "the base itself",
    ),
    _sweep(
        "a cell that is none",
        'base = "sound-lstm"\nseeds = [0]\n[fields]\ncell = ["../x"]',
        "'../x'",
    ),
    Bad("sweep: missing", lambda place: None, "No such file", "experiments.sweep bad.toml"),
)
"""What a sweep cannot be made of."""


def _weights(name: str, content: bytes, says: str) -> Bad:
    make = lambda place: bool((place / name).write_bytes(content))  # noqa: E731
    return Bad(f"{name}: {content[:12]!r}", make, says, f"experiments.convert {name} out.keras")


WEIGHTS = tuple(
    _weights(name, content, name)
    for name in ("bad.keras", "bad.weights.h5", "bad.safetensors", "bad.h5", "bad.pkl")
    for content in (b"", b"x" * 100, b"PK\3\4", b"\x89HDF\r\n\x1a\n", b"\xff" * 8 + b"{}",
                    b"\x80\x04cos\nsystem\n", (2**40).to_bytes(8, "little") + b"{")
)  # fmt: skip
"""Models of others, in each form, that are none."""
