"""Weights in and out: Keras's files, and the layouts of Keras, PyTorch and Flax as plain arrays.

None of the libraries is imported. ``load`` and ``save`` take ``.keras``, ``.weights.h5`` and
``.safetensors`` files; ``from_keras``, ``to_torch`` and so on take arrays that the caller has.
Predictions are the same to the rounding of float32, under the mask that :class:`Portable` names.
"""

from rnnsent.interop.files import SUFFIXES, check_place, check_target, load, save, suffix, write
from rnnsent.interop.layouts import LAYOUTS, Layout, check
from rnnsent.interop.libraries import (
    from_flax,
    from_keras,
    from_torch,
    to_flax,
    to_keras,
    to_torch,
    torch_layer,
)
from rnnsent.interop.portable import Portable

__all__ = [
    "LAYOUTS",
    "SUFFIXES",
    "Layout",
    "Portable",
    "check",
    "check_place",
    "check_target",
    "from_flax",
    "from_keras",
    "from_torch",
    "load",
    "save",
    "suffix",
    "to_flax",
    "to_keras",
    "to_torch",
    "torch_layer",
    "write",
]
