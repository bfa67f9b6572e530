"""A trained model as one file that any Python with JAX runs, without rnnsent.

python -m experiments.export runs/compare-…/sound-lstm/seed-0 --out sound-lstm.pyz
python sound-lstm.pyz "a fine film"
"""

import dataclasses
import pathlib
from typing import Annotated

import tyro

from rnnsent import commandline, conversion, devices, runs
from rnnsent.config import Cells, Flag, Folder, cli
from rnnsent.report import terminal
from rnnsent.report.blocks import Paragraph


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of the export."""

    out: Annotated[pathlib.Path, commandline.value("FILE")]
    """The file to write; Python calls such a one .pyz."""
    source: tyro.conf.Positional[Annotated[Folder, commandline.value("[FOLDER]")]] = None
    """Folder of a training, or of a run of one; without it the newest run under runs/."""
    cell: Cells = ()
    """Cells of the source that are no part of rnnsent, as module:Class; their modules are run."""
    best: Flag = False
    """Of a training with --validation the state after its best epoch, not the last."""
    force: Flag = False
    """Write over a file that exists."""


def main(options: Options) -> None:
    """Exports a trained model with its vocabulary, and prints how it is run."""
    devices.configure()
    source = options.source or runs.latest(pathlib.Path("runs"))
    how = {"cells": options.cell, "best": options.best, "force": options.force}
    said = conversion.export(source, options.out, **how)
    terminal.show([Paragraph(text) for text in said])


if __name__ == "__main__":
    cli(main, Options)
