"""``.safetensors`` files: any model's parameters, with the model's own fields beside them.

Such a file needs nothing else to be loaded, and runs nothing: a cell that is no part of rnnsent is
named in it, and imported only where the caller names it too.
"""

import pathlib
from collections.abc import Collection
from typing import Annotated, Any

import msgspec
import numpy as np
from flax import traverse_util
from msgspec import Meta

from rnnsent import cells, parameters
from rnnsent.arrays import Held
from rnnsent.deep import Compute
from rnnsent.errors import UserError
from rnnsent.interop.hdf5 import INSTALL
from rnnsent.interop.portable import Portable
from rnnsent.model import SentimentClassifier
from rnnsent.pooling import Pooling

KEY = "rnnsent"
"""Of the file's metadata; its value is the JSON of :class:`Fields`."""

FORMAT = 1

Width = Annotated[int, Meta(ge=1, lt=2**31)]
Share = Annotated[float, Meta(ge=0, lt=1)]


class _Format(msgspec.Struct, frozen=True):
    """What the fields of every format have."""

    format: int


class Fields(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """A model's fields, all but how its recurrence is run; and whether id 0 is padding.

    Those with a default here are written only where they differ from it.
    """

    format: int
    cell: Annotated[str, Meta(min_length=1, max_length=1_000)]
    cell_options: dict[str, bool | int | float | str]
    features: Annotated[tuple[Width, ...], Meta(min_length=1, max_length=100)]
    head: Width
    dropout: Share
    recurrent_dropout: Share
    recurrent_init: str
    recurrent_gain: float
    vocab_size: Width
    embedding_size: Width
    mask_zero: bool
    bidirectional: bool = False
    pooling: Pooling = "last"
    residual: bool = False
    layer_norm: bool = False
    compute: Compute = "float32"

    def model(self) -> SentimentClassifier:
        """The model; ``ValueError`` for fields that none can have."""
        held = {name: getattr(self, name) for name in self.__struct_fields__}
        del held["format"], held["mask_zero"]
        options = tuple(sorted(self.cell_options.items()))
        return SentimentClassifier(**held | {"cell_options": options})


def _fields(portable: Portable) -> Fields:
    model = portable.model
    held = {name: getattr(model, name) for name in Fields.__struct_fields__ if hasattr(model, name)}
    held |= {"cell_options": dict(model.cell_options), "mask_zero": portable.mask_zero}
    return Fields(**held | {"format": FORMAT})


def encode(portable: Portable) -> bytes:
    """The file; parameters are named by their path, as ``layer_0.kernel``.

    Raises:
      UserError: for a cell whose parameters are more than arrays in dictionaries.
    """
    flat = traverse_util.flatten_dict(dict(portable.params))
    plain = all(isinstance(a, Held) and a.dtype.kind in "biuf" for a in flat.values())
    if not plain or any("." in name for path in flat for name in path):
        raise UserError(
            f"The parameters of {portable.model.cell} are not plain arrays in dictionaries whose "
            "names are without a dot: a .safetensors file cannot hold them."
        )
    text = msgspec.json.encode(_fields(portable)).decode()
    # The library takes an array's memory as it lies; a scalar it would have made a vector of.
    named = {".".join(path): np.asarray(a, order="C") for path, a in flat.items()}
    return _library().numpy.save(named, metadata={KEY: text})


def load(path: pathlib.Path, named_cells: Collection[str] = ()) -> Portable:
    """The model in a file.

    Args:
      path: of the file.
      named_cells: that may be imported, as ``module:Class``, besides the shipped ones.

    Raises:
      UserError: if the file is missing, damaged, without a model's fields, of a cell that was not
        named, or its arrays are not that model's.
    """
    safe_open = _library().safe_open
    try:
        with safe_open(path, "np") as file:
            fields = _decoded((file.metadata() or {}).get(KEY), path)
            cells.check_trusted(fields.cell, named_cells, str(path))
            flat = {tuple(name.split(".")): file.get_tensor(name) for name in file.keys()}
    except FileNotFoundError as error:
        raise UserError(f"There is no file {path}.") from error
    except UserError:
        raise
    # The library's own errors, and dtypes that NumPy does not have.
    except Exception as error:
        reason = ascii(str(error))[1:-1][:200]
        raise UserError(f"{path} is damaged or no .safetensors file ({reason}).") from error
    model = _checked(fields, flat, path)
    return Portable(model, traverse_util.unflatten_dict(flat), fields.mask_zero)


def _decoded(text: str | None, path: pathlib.Path) -> Fields:
    if text is None:
        raise UserError(
            f"{path} says of no model what it is: its metadata has no {KEY!r}. Expected a file "
            "that rnnsent wrote."
        )
    try:
        held = msgspec.json.decode(text, type=_Format).format
        if held != FORMAT:  # the fields of another may be others
            raise ValueError(f"format {held}, where {FORMAT} is read")
        return msgspec.json.decode(text, type=Fields)
    except (ValueError, RecursionError) as error:
        reason = ascii(str(error))[1:-1][:200]
        raise UserError(f"{path}: its metadata is no model's ({reason}).") from error


def _checked(
    fields: Fields, flat: dict[tuple[str, ...], np.ndarray], path: pathlib.Path
) -> SentimentClassifier:
    """The model, whose parameters must be these."""
    try:
        model = fields.model()
        wanted = traverse_util.flatten_dict(dict(parameters.shapes(model)))
    except (ValueError, TypeError, OverflowError) as error:  # sizes that no array can have
        reason = ascii(str(error))[1:-1][:200]
        raise UserError(f"{path}: its metadata is no model's ({reason}).") from error
    for name in wanted.keys() | flat.keys():
        have, want = _described(flat.get(name)), _described(wanted.get(name))
        if have != want:
            raise UserError(
                f"{path}: {ascii('.'.join(name))[:60]} is {have}, and {want} in the {fields.cell} "
                "model that the file names. Save it anew."
            )
    return model


def _described(array: Any) -> str:
    return "missing" if array is None else f"{array.dtype}{list(array.shape)}"


def _library() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise UserError(f"This needs safetensors ({error}). Install it: {INSTALL}") from error
    return safetensors
