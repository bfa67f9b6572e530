"""The report as one HTML page that needs nothing else: no network, no other file."""

import base64
import pathlib
from collections.abc import Sequence

import jinja2
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from rnnsent.report.cards import Card

CARDS = "<!-- cards -->"
"""The line of a report's Markdown at which the page shows the cards."""
PNG = b"\x89PNG\r\n\x1a\n"
"""How every PNG begins."""


def render(title: str, text: str, folder: pathlib.Path, cards: Sequence[Card] = ()) -> str:
    """A page from a report's Markdown and the cards of single reviews.

    Args:
      title: of the page.
      text: Markdown; HTML in it is shown as text, and so is an image that is no PNG below
        ``folder / "figures"``. What stands between a line ``CARDS`` and the next heading of second
        level is replaced by the cards.
      folder: the run's.
      cards: see :mod:`rnnsent.report.cards`.
    """
    before, _, rest = text.partition(CARDS)
    replaced, heading, after = rest.partition("\n## ")
    after = heading + after if cards else rest
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rnnsent.report"), autoescape=True, trim_blocks=True
    )
    return environment.get_template("page.html.j2").render(
        title=title,
        before=_html(before, folder),
        after=_html(after, folder),
        cards=cards,
    )


def _html(text: str, folder: pathlib.Path) -> Markup:
    """Markdown as HTML with its images inlined; HTML in it is escaped by the parser."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.renderer.rules["table_open"] = lambda *_: '<div class="scroll"><table>\n'
    parser.renderer.rules["table_close"] = lambda *_: "</table></div>\n"
    tokens = parser.parse(text)
    for token in tokens:
        for child in token.children or ():
            if child.type == "image":
                _inline(child, _figure(folder, child.attrs["src"]))
    return Markup(parser.renderer.render(tokens, parser.options, {}))


def _figure(folder: pathlib.Path, source: str) -> bytes | None:
    """A PNG below the run's own figures; None for anything else, wherever a link may lead to.

    A report can be made from texts of others, and a page is passed on: it holds no other file.
    """
    named = pathlib.PurePosixPath(source)
    path = (folder / named).resolve()
    own = path.is_relative_to(folder.resolve() / "figures")
    if named.is_absolute() or ".." in named.parts or not own or not path.is_file():
        return None
    content = path.read_bytes()
    return content if content.startswith(PNG) else None


def _inline(image: Token, content: bytes | None) -> None:
    """Puts a PNG into an image's address; an image without one becomes a text, its description."""
    if content is None:
        image.type, image.content = "text", f"[no image: {image.content}]"
    else:
        image.attrs["src"] = f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"
