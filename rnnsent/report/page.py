"""The report as one HTML page that needs nothing else: no network, no other file."""

import base64
import mimetypes
import pathlib
from collections.abc import Sequence

import jinja2
from markdown_it import MarkdownIt
from markupsafe import Markup

from rnnsent.report.cards import Card

CARDS = "<!-- cards -->"
"""The line of a report's Markdown at which the page shows the cards."""


def render(title: str, text: str, folder: pathlib.Path, cards: Sequence[Card] = ()) -> str:
    """A page from a report's Markdown and the cards of single reviews.

    Args:
      title: of the page.
      text: Markdown; HTML in it is shown as text. Images are paths below ``folder``. What stands
        between a line ``CARDS`` and the next heading of second level is replaced by the cards.
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
                child.attrs["src"] = _data_uri(folder / child.attrs["src"])
    return Markup(parser.renderer.render(tokens, parser.options, {}))


def _data_uri(path: pathlib.Path) -> str:
    kind = mimetypes.guess_type(path.name)[0]
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
