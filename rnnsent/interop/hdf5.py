"""Arrays in the HDF5 files that Keras keeps weights in.

Keras writes plain arrays: one piece of the file each, float32, no filter. Nothing else is read: no
link, no array kept in another file, no decompression, and no array larger than the file.
"""

import contextlib
import io
import pathlib
import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from rnnsent.errors import UserError

if TYPE_CHECKING:
    import h5py

INSTALL = "pip install 'rnnsent[formats]'"
MAX_MEMBERS = 1_000
"""Of one folder; a model of a hundred layers has as many."""


def library() -> Any:
    """The module h5py; ``UserError`` where it is not installed."""
    try:
        import h5py
    except ImportError as error:
        raise UserError(f"Keras's files need h5py ({error}). Install it: {INSTALL}") from error
    return h5py


class Weights:
    """An open file of weights; ``where`` is what messages call it."""

    def __init__(self, file: "h5py.File", where: str):
        self._file, self.where = file, where
        # Folders may stand for one another, so that all that is read could be more than there is.
        self._left = file.id.get_filesize()

    def names(self, folder: str) -> list[str]:
        """What a folder holds; nothing where there is none."""
        group = self._find(folder)
        if group is None:
            return []
        if len(group) > MAX_MEMBERS:
            raise self._refused(folder, f"has {len(group):,} members")
        return list(group)

    def arrays(self, folder: str, count: int) -> list[np.ndarray]:
        """The variables 0 to ``count - 1`` of a layer.

        Raises:
          UserError: if there are others, or one is no plain float32 array of this file.
        """
        names = self.names(f"{folder}/vars")
        if sorted(names) != [str(i) for i in range(count)]:
            raise self._refused(folder, f"has {len(names)} variables where {count} are expected")
        return [self._array(f"{folder}/vars/{i}") for i in range(count)]

    def _find(self, path: str) -> Any:
        """The group at a path, followed name by name; None where there is none."""
        group = self._file
        for name in path.split("/"):
            group = self._member(group, name, path)
            if group is None:
                return None
            if not isinstance(group, library().Group):
                raise self._refused(path, "is no folder")
        return group

    def _member(self, group: "h5py.Group", name: str, path: str) -> Any:
        """What a group itself holds by that name; its links are looked at before one is followed,
        for one to another file would open that."""
        links, key = group.id.links, name.encode()
        if not links.exists(key):
            return None
        if links.get_info(key).type != library().h5l.TYPE_HARD:
            raise self._refused(path, "is a link")
        return group[name]

    def _array(self, path: str) -> np.ndarray:
        folder, _, name = path.rpartition("/")
        held = self._member(self._find(folder), name, path)
        if not isinstance(held, library().Dataset) or held.shape is None:
            raise self._refused(path, "is no array")
        if held.dtype != np.float32:
            raise self._refused(path, f"is of dtype {held.dtype}, not float32")
        if not self._is_plain(held):
            raise self._refused(path, f"of shape {list(held.shape)} is not kept as a plain array")
        self._left -= held.nbytes
        return np.asarray(held[()])

    def _is_plain(self, held: "h5py.Dataset") -> bool:
        """Whether it is one piece of this very file, as long as its shape says."""
        h5d, plan = library().h5d, held.id.get_create_plist()
        own = plan.get_layout() in (h5d.COMPACT, h5d.CONTIGUOUS) and not plan.get_external_count()
        stored = held.id.get_storage_size()
        whole = stored == held.nbytes and stored <= self._left
        return own and whole and not plan.get_nfilters()

    def _refused(self, path: str, what: str) -> UserError:
        return UserError(
            f"{self.where}: {path} {what}. Expected the weights as Keras 3 saves them, which are "
            "plain float32 arrays."
        )


@contextlib.contextmanager
def opened(source: pathlib.Path | BinaryIO, where: str) -> Iterator[Weights]:
    """Weights to read inside of the context.

    Raises:
      UserError: if there is no such file, or it is damaged, also while it is read.
    """
    h5py = library()
    try:
        with h5py.File(source, "r") as file:
            yield Weights(file, where)
    # What a damaged file raises depends on where it is damaged.
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, MemoryError) as error:
        reason = textwrap.shorten(ascii(str(error))[1:-1], 200, placeholder="…")
        raise UserError(f"{where} is damaged or no HDF5 file ({reason}). Save it anew.") from error


def encoded(arrays: Mapping[str, list[np.ndarray]]) -> bytes:
    """A file with each layer's variables, by the layer's folder."""
    h5py, content = library(), io.BytesIO()
    with h5py.File(content, "w") as file:
        for folder, variables in arrays.items():
            group = file.create_group(f"{folder}/vars")
            for i, array in enumerate(variables):
                group.create_dataset(str(i), data=np.asarray(array, np.float32))
    return content.getvalue()
