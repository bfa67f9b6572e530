"""Records from anyone: no text of theirs becomes markup, a link, a path or a format, anywhere.

Every text of every kind of record is found by its type, so a new field is among them.
"""

import msgspec
import pytest
from markdown_it import MarkdownIt
from report import drawn, fields
from report.fields import HOSTILE, Elements

from rnnsent.report import benchmark, figures, markdown, page, speed

HARMLESS = "harmless " * 5
SHOWN = ("<script>window.hurt = 1</script>", "{{ 7 * 7 }}", "%s %(x)s {0}", "../../etc/passwd")
"""Of the hostile text, what a page must show to the letter."""
CHOICES = {"cases[].study", "cases[].samples (key)", "cases[].limits (key)"}
"""Of a benchmark; nothing is drawn of a study or a task that is unknown."""


def parsed(text: str) -> str:
    """Markdown as GitHub reads it, but for addresses that become links by themselves."""
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)


def instead(record, place, text):
    """A record with a text before every one at a place; None where it is refused as it is read."""
    try:
        return fields.changed(record, lambda old, at: text + old if at == place else old)
    except msgspec.ValidationError:
        return None


def everywhere(record, text):
    """With a text before every one of it, but where that alone is refused."""
    kept = {at for at in fields.places(record) if instead(record, at, text) is None} | CHOICES
    return fields.changed(record, lambda old, at: old if at in kept else text + old)


@pytest.fixture
def without_figures(monkeypatch):
    for name in ("bars", "scaling", "roofline"):
        monkeypatch.setattr(speed, name, lambda *arguments: None)
    monkeypatch.setattr(figures, "png", lambda *arguments, **options: page.PNG)


def drawings(kind, record, folder):
    """The elements of a record's pages."""
    if kind == "benchmark":
        return [Elements(parsed(benchmark.write(record, folder))).found]
    blocks = drawn.PAGES[kind].blocks(record)
    html = page.render(blocks, "title", folder)
    return [Elements(html).found, Elements(parsed(markdown.render(blocks))).found]


def made(kind):
    return drawn.benchmarks() if kind == "benchmark" else drawn.PAGES[kind].make()


@pytest.mark.parametrize("kind", [*drawn.PAGES, "benchmark"])
def test_no_text_of_a_record_changes_what_its_page_is_made_of(kind, tmp_path, without_figures):
    harmless, hostile = (
        drawings(kind, everywhere(made(kind), text), tmp_path) for text in (HARMLESS, HOSTILE)
    )
    assert hostile == harmless and all(len(elements) > 20 for elements in hostile)


@pytest.mark.parametrize("kind", drawn.PAGES)
def test_a_record_with_any_text_is_refused_or_drawn(kind, without_figures):
    """And it is the place that decides, not what is written there."""
    record = made(kind)
    for place in fields.places(record):
        harmless, hostile = (instead(record, place, text) for text in (HARMLESS, HOSTILE))
        assert (harmless is None) == (hostile is None), place
        if hostile is not None:
            drawn.PAGES[kind].blocks(hostile)


@pytest.mark.parametrize("kind", [*drawn.PAGES, "benchmark"])
def test_a_page_says_which_flags_were_set(kind, tmp_path, without_figures):
    record = made(kind)
    assert record.origin.flags, "a made-up record has all that there is"
    if kind == "benchmark":
        text = benchmark.write(record, tmp_path)
    else:
        text = markdown.render(drawn.PAGES[kind].blocks(record))
    assert "Set: XLA_FLAGS --xla_a=1." in text.replace("\\", "")


FORBIDDEN = "script, iframe, object, embed, form, base, a, meta[http-equiv], link:not([rel=icon])"


def assert_harmless(browser, path, images):
    """A page in the browser: nothing ran, nothing was asked for, no image but its own figures."""
    tab = browser.new_page()
    asked, said = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto(path.as_uri(), wait_until="load")
    own = {(path.parent / name).as_uri() for name in images}
    assert {url for url in asked if not url.startswith("data:image/png")} <= {path.as_uri()} | own
    assert said == [] and tab.evaluate("window.hurt") is None
    assert tab.locator(FORBIDDEN).count() == 0
    handlers = "all => all.flatMap(e => e.getAttributeNames()).filter(n => n.startsWith('on'))"
    assert tab.locator("*").evaluate_all(handlers) == []
    assert tab.locator("img").count() == len(images)
    text = tab.locator("body").inner_text()
    assert all(part in text for part in SHOWN) and "49" not in text.split("{{ 7 * 7 }}")[1][:4]
    assert not set("\u202e\u2066\u200b\x1b") & set(text)
    tab.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*drawn.PAGES, "benchmark"])
def test_a_hostile_records_page_is_text_in_a_browser(kind, browser, tmp_path):
    write = drawn.PAGES[kind].write if kind in drawn.PAGES else benchmark.write
    folder = tmp_path / "run"
    folder.mkdir()
    write(everywhere(made(kind), HOSTILE), folder)
    images = [path.relative_to(folder).as_posix() for path in folder.rglob("*.png")]
    (markdown_page,) = folder.glob("*.md")
    read = markdown_page.with_suffix(".of-markdown.html")
    read.write_text(f"<meta charset=utf-8><body>{parsed(markdown_page.read_text())}</body>")
    assert_harmless(browser, read, images)
    for path in folder.glob("re*[a-z].html"):
        if path != read:
            assert_harmless(browser, path, images)
