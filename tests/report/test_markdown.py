import html
import re

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from report.hostile import HOSTILE, report

from rnnsent.report import markdown
from rnnsent.report.blocks import Code, Heading, Items, Paragraph, Strong, Table

ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126))


def rendered(text: str) -> str:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    return parser.render(text)


def as_html(text: str) -> str:
    return html.escape(" ".join(text.split()), quote=False).replace('"', "&quot;")


@given(ASCII.filter(lambda text: text.strip()))
@example(HOSTILE)
@example("1. a")
@example("- a")
@example("---")
@example("+ a")
@example("= a")
@example("2) a")
def test_a_text_is_shown_to_the_letter_wherever_it_stands(text):
    shown = as_html(text)
    assert rendered(markdown.render([Paragraph(text)])) == f"<p>{shown}</p>\n"
    assert rendered(markdown.render([Heading(2, text)])) == f"<h2>{shown}</h2>\n"
    assert f"<li>{shown}</li>" in rendered(markdown.render([Items([text])]))
    cell = rendered(markdown.render([Table(("a", "b"), [(text, "x")])]))
    assert f"<td>{shown}</td>" in re.sub(' style="[^"]*"', "", cell) and ">x</td>" in cell


def test_emphasis_is_where_it_was_put_and_nowhere_else():
    made = markdown.render([Paragraph(["a ", Strong("b*c"), " ", Code("d`e|f")])])
    assert rendered(made) == "<p>a <strong>b*c</strong> <code>d'e\u00a6f</code></p>\n"


def test_no_block_makes_a_link_an_image_or_markup_of_a_text():
    shown = rendered(markdown.render([b for b in report() if b.kind != "figure"]))
    assert not re.search("<(a|img|script|b|em|hr|blockquote)[ >]", shown)
    figure = rendered(markdown.render([b for b in report() if b.kind == "figure"]))
    assert re.findall('src="([^"]*)"', figure) == ["figures/none.png"] and "<a " not in figure


def test_an_address_is_no_link_where_addresses_become_links():
    made = markdown.render([Paragraph(HOSTILE)])
    assert "http://" not in made and "www." not in made


def test_a_table_is_aligned_as_plain_text():
    made = markdown.render([Table(("name", "n"), [("a", "1,000"), ("longer name", "2")])])
    assert made.splitlines() == [
        "| name        |     n |",
        "| ----------- | ----: |",
        "| a           | 1,000 |",
        "| longer name |     2 |",
    ]
