"""A report as files: ``report.md``, and ``report.html``, which needs no network and no other file.

The page is made from the blocks. Its images are the report's own figures, drawn just before: the
file that a block names must be a PNG below the run's ``figures``, wherever a link may lead to.
"""

import base64
import glob
import os
import pathlib
import uuid
from collections.abc import Sequence

import jinja2

from rnnsent.errors import UserError
from rnnsent.report import blocks, markdown
from rnnsent.report.blocks import Block, Figure

PNG = b"\x89PNG\r\n\x1a\n"
"""How every PNG begins."""


def write(
    report: Sequence[Block], folder: pathlib.Path, title: str, name: str = "report"
) -> pathlib.Path:
    """Writes ``<name>.md``, ``<name>.html`` and the figures that blocks hold; returns the page's.

    Args:
      report: the blocks.
      folder: the run's.
      title: of the page, in the browser.
      name: of both files.

    Raises:
      UserError: if the folder cannot be written to.
    """
    try:
        for block in report:
            if isinstance(block, Figure) and block.png is not None:
                path = _place(folder, block.path)
                path.parent.mkdir(parents=True, exist_ok=True)
                replace(path, block.png)
        replace(folder / f"{name}.md", markdown.render(report).encode("utf-8"))
        path = folder / f"{name}.html"
        replace(path, render(report, title, folder).encode("utf-8"))
    except OSError as error:
        raise UserError(f"Cannot write the report to {folder}: {error.strerror}.") from error
    return path


def replace(path: pathlib.Path, content: bytes) -> None:
    """Writes all of a file or nothing of it; what one that was killed at it left behind goes."""
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.partial"):
        left.unlink()
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def render(report: Sequence[Block], title: str, folder: pathlib.Path) -> str:
    """A page.

    Args:
      report: its blocks.
      title: in the browser.
      folder: below whose ``figures`` the images lie that blocks only name.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rnnsent.report"), autoescape=True, trim_blocks=True
    )
    environment.filters |= {"spans": _spans, "shown": blocks.shown}
    environment.globals["image"] = lambda figure: _image(folder, figure)
    return environment.get_template("page.html.j2").render(title=blocks.shown(title), blocks=report)


def _spans(text: blocks.Text) -> list[tuple[str, str]]:
    """What stands where: the element around each part of a text, and the part."""
    elements = {blocks.Strong: "strong", blocks.Code: "code"}
    return [
        ("", part) if isinstance(part, str) else (elements[type(part)], part.text)
        for part in blocks.spans(text)
    ]


def _image(folder: pathlib.Path, figure: Figure) -> str | None:
    """A figure's address with the image in it; None where there is no such image of the run's."""
    content = figure.png if figure.png is not None else _drawn(folder, figure.path)
    if content is None or not content.startswith(PNG):
        return None
    return f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"


def _drawn(folder: pathlib.Path, source: str) -> bytes | None:
    """A file below the run's own figures; None for anything else, wherever a link may lead to."""
    try:
        path = _place(folder, source)
        return path.read_bytes() if path.is_file() else None
    except ValueError:
        return None


def _place(folder: pathlib.Path, source: str) -> pathlib.Path:
    """Where a figure lies; ``ValueError`` unless that is below the run's own ``figures``."""
    named = pathlib.PurePosixPath(source)
    path = (folder / named).resolve()
    own = path.is_relative_to(folder.resolve() / "figures")
    if named.is_absolute() or ".." in named.parts or not own:
        raise ValueError(f"{source} is no figure of the run's own")
    return path
