"""A trained model from one kind of file to another.

python -m experiments.convert runs/compare-…/sound-lstm/seed-0 sound-lstm.keras
python -m experiments.convert theirs.keras theirs.safetensors
"""

import dataclasses
import pathlib
from typing import Annotated

import tyro

from rnnsent import commandline, conversion, devices
from rnnsent.config import Cells, Flag, cli
from rnnsent.report import terminal
from rnnsent.report.blocks import Paragraph


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of the conversion."""

    source: tyro.conf.Positional[pathlib.Path]
    """Folder of a training, or of a run of one; or a .keras, .weights.h5 or .safetensors file."""
    target: tyro.conf.Positional[pathlib.Path]
    """A .keras, .weights.h5 or .safetensors file to write."""
    recipe: Annotated[str | None, commandline.value("RECIPE")] = None
    """What a .weights.h5 file must be the weights of: a shipped recipe or a TOML file; without it \
their shapes say it."""
    cell: Cells = ()
    """Cells of the source that are no part of rnnsent, as module:Class; their modules are run."""
    best: Flag = False
    """Of a training with --validation the state after its best epoch, not the last."""
    force: Flag = False
    """Write over a target that exists."""


def main(options: Options) -> None:
    """Converts a trained model, and prints what it was and what its predictions assume."""
    devices.configure()
    said = conversion.convert(
        options.source,
        options.target,
        recipe=options.recipe,
        cells=options.cell,
        best=options.best,
        force=options.force,
    )
    terminal.show([Paragraph(text) for text in said])


if __name__ == "__main__":
    cli(main, Options)
