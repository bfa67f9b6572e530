import html

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from rnnsent.report import markdown

HOSTILE = "![x](/etc/passwd) [click](http://evil.example/) <b>&amp; `a` **b** ~~c~~ a|b \\| #"


def rendered(text: str) -> str:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    return parser.render(text)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
@example(HOSTILE)
def test_an_escaped_text_is_shown_to_the_letter(text):
    shown = html.escape(" ".join(text.split()), quote=False).replace('"', "&quot;")
    assert rendered(f"It says {markdown.escape(text)}.") == f"<p>It says {shown}.</p>\n"
    cell = rendered(markdown.table(("a", "b"), [(f"-{markdown.escape(text)}-", "x")]))
    assert f"<td>-{shown}-</td>" in cell and "<td>x</td>" in cell


def test_a_text_ends_no_line_and_hides_no_mark():
    assert markdown.escape("a\n\n# b\tc") == "a \\# b c"
    assert markdown.escape("a\x1b[2Jb\u202ec") == "a\ufffd\\[2Jb\ufffdc"
    assert rendered(f"{markdown.code('a` ![x](y)`' + chr(10) * 2 + 'b')}").count("<code>") == 1


def test_what_a_heading_says_is_text():
    encoding = {"num_words": 60, "maxlen": 12, "padding": HOSTILE, "truncating": HOSTILE}
    texts = {n: HOSTILE for n in ("source", "title", "reason", "vocabulary")}
    provenance = {
        "data": texts | encoding,
        "device": {"name": HOSTILE, "platform": HOSTILE, "devices": 1},
        "versions": dict.fromkeys(("jax", "flax", "optax"), HOSTILE),
        "git": HOSTILE,
        "started": HOSTILE,
    }
    shown = rendered(markdown.heading(provenance))
    assert "<img" not in shown and "<a " not in shown and "<b>" not in shown
    assert shown.count(html.escape(HOSTILE)) == 12
