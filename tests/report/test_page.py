import re

import pytest

from rnnsent.report import cards, figures, page
from rnnsent.report.markdown import table

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "figures").mkdir()
    figures.accuracies({"A": [0.5, 0.6]}, {}, tmp_path / "figures" / "a.png", "toy")
    return tmp_path


def card(text):
    word = cards.Word(text, "+0.1 nats", "more", 0.5)
    model = cards.Model("A", "first", "positive", [word], "30,60", "")
    return cards.Card(1, text, text, [model], text, text)


def test_everything_is_inside_the_page(folder):
    text = "# Title\n\n![an alt text](figures/a.png)\n\n" + table(("a", "b"), [("1", "2")])
    html = page.render("Title", text, folder)
    assert 'alt="an alt text"' in html and "<td>2</td>" in html
    addresses = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert addresses and all(address.startswith("data:") for address in addresses)
    assert "http" not in re.sub(r"data:[^\"]*", "", html)


def test_markup_in_texts_is_shown_as_text(folder):
    text = f"# T\n\n{HOSTILE}\n\n" + table(("a", "b"), [(HOSTILE, "x")]) + f"\n\n{page.CARDS}\n"
    html = page.render(HOSTILE, text, folder, [card(f'{HOSTILE}" onload="x')])
    assert "<script" not in html and 'onload="x' not in html
    assert html.count("&lt;script&gt;") >= 6


@pytest.mark.parametrize(
    "source",
    [
        "{outside}",  # an absolute path
        "../secret.png",
        "figures/../../secret.png",
        "figures/link.png",
        "linked/a.png",
        "config.json",
        "figures/text.png",
        "figures/missing.png",
        "figures",
        "http://example.org/a.png",
    ],
)
def test_only_the_runs_own_figures_are_inlined(tmp_path, source):
    folder, outside = tmp_path / "run", tmp_path / "secret.png"
    (folder / "figures").mkdir(parents=True)
    outside.write_bytes(page.PNG + b"canary")
    (folder / "config.json").write_bytes(page.PNG + b"canary")
    (folder / "figures" / "text.png").write_bytes(b"canary")
    (folder / "figures" / "link.png").symlink_to(outside)
    (folder / "linked").symlink_to(tmp_path)
    html = page.render("T", f"![what it shows]({source.format(outside=outside)})", folder)
    assert "base64" not in html and "<img" not in html
    assert "[no image: what it shows]" in html


def test_figures_that_are_a_link_themselves_are_not_followed(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.png").write_bytes(page.PNG)
    (tmp_path / "run" / "figures").symlink_to(tmp_path / "other")
    assert "<img" not in page.render("T", "![a](figures/a.png)", tmp_path / "run")


def test_cards_stand_in_for_the_markdowns_list(folder):
    text = f"before\n\n{page.CARDS}\n\nthe list\n\n## Next\n\nafter\n"
    html = page.render("T", text, folder, [card("w")])
    assert "the list" not in html and html.index("before") < html.index('id="review-1"')
    assert html.index('id="review-1"') < html.index("<h2>Next</h2>") < html.index("<p>after")
    without = page.render("T", text, folder)
    assert "the list" in without and "<article" not in without
