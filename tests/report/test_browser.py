"""The report page in a real browser, Debian's Chromium, without a window."""

import numpy as np
import pytest
from compare import made

from rnnsent.readings import Reading
from rnnsent.report import blocks, cards, compare, figures, page

pytestmark = pytest.mark.slow
HOSTILE = "<script>window.hurt = 1</script><img src=x onerror='window.hurt = 1'>"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A page with a figure, a wide table, twenty cards, and hostile words all over."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "figures").mkdir()
    figures.accuracies({"A": [0.5, 0.6]}, {}, folder / "figures" / "a.png", "toy")
    wide = [f"a wide column {i}" for i in range(12)]
    report = [
        blocks.Heading(1, "Report"),
        blocks.Paragraph(HOSTILE),
        blocks.Table(wide, [wide]),
        blocks.Figure("figures/a.png", "bars"),
        blocks.Cards([_card(number) for number in range(1, 21)]),
    ]
    return page.write(report, folder, HOSTILE).as_uri()


def _card(number):
    words = [HOSTILE, "averyveryverylongword" * 8, *["good", "film"] * 60]
    ramp = tuple(np.linspace(0, 0.9, len(words)).tolist())
    readings = [Reading(title, ramp, ramp, ramp, 0.5, 0.9, 0.0) for title in "AB"]
    return cards.card(number, f"test review {HOSTILE}", 1, words, readings)


@pytest.fixture(params=[("light", 1280), ("dark", 390)], ids=str)
def shown(request, browser, address):
    """The page as a reader has it before them, and what the browser complained of."""
    scheme, width = request.param
    tab = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    complaints, asked = [], []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(address, wait_until="load")
    yield tab, complaints, asked
    tab.close()


def test_the_page_is_whole_and_asks_for_nothing_else(shown, address):
    tab, complaints, asked = shown
    assert complaints == []
    assert [url for url in asked if not url.startswith("data:")] == [address]
    assert tab.locator("article.card").count() == 20
    assert tab.locator("article.card svg polyline").count() == 40
    assert tab.locator("svg[role=img][aria-label]").count() == 20
    loaded = "all => all.every(i => i.complete && i.naturalWidth > 100 && i.alt)"
    assert tab.locator("img").count() == 1 and tab.locator("img").evaluate_all(loaded)


def test_nothing_sticks_out_sideways(shown):
    tab, *_ = shown
    width, seen = tab.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert width <= seen


def test_a_hostile_review_is_text(shown):
    tab, *_ = shown
    assert tab.evaluate("window.hurt") is None
    assert tab.locator("main script, main img[src=x]").count() == 0
    assert "<script>" in tab.locator("article.card").first.inner_text()
    assert "<script>" in tab.title()


def test_the_first_table_fits_a_telephone(browser, tmp_path):
    compare.write(made.default(seeds=5), tmp_path)
    tab = browser.new_page(viewport={"width": 390, "height": 800})
    tab.goto((tmp_path / "report.html").as_uri())
    table = tab.locator(".scroll").first
    assert "SimpleRNN, notebook" in table.inner_text()
    assert table.evaluate("box => box.scrollWidth <= box.clientWidth")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.close()


def test_light_and_dark_differ_and_both_can_be_read(browser, address):
    contrast = {}
    for scheme in ("light", "dark"):
        tab = browser.new_page(color_scheme=scheme)
        tab.goto(address)
        style = "getComputedStyle(document.body)"
        ink, paper = tab.evaluate(f"[{style}.color, {style}.backgroundColor]")
        contrast[scheme] = (_luminance(ink), _luminance(paper))
        tab.close()
    assert contrast["light"][0] < contrast["light"][1]
    assert contrast["dark"][0] > contrast["dark"][1]
    for pair in contrast.values():
        assert (max(pair) + 0.05) / (min(pair) + 0.05) >= 7  # WCAG 2.2, level AAA


def _luminance(rgb: str) -> float:
    parts = [int(x) / 255 for x in rgb[rgb.index("(") + 1 : -1].split(",")[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
