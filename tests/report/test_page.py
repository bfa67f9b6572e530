import re

import pytest
from report.hostile import HOSTILE, card, report

from rnnsent.errors import UserError
from rnnsent.report import figures, page
from rnnsent.report.blocks import Cards, Figure, Heading, Paragraph, Strong, Table


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "figures").mkdir()
    figures.accuracies({"A": [0.5, 0.6]}, {}, tmp_path / "figures" / "a.png", "toy")
    return tmp_path


def test_everything_is_inside_the_page(folder):
    made = [
        Heading(1, "Title"),
        Figure("figures/a.png", "an alt text"),
        Table(("a", "b"), [("1", "2")]),
    ]
    html = page.render(made, "Title", folder)
    assert html.startswith("<!doctype html>")
    assert 'alt="an alt text"' in html and '<td class="r">2</td>' in html
    addresses = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert len(addresses) == 2 and all(address.startswith("data:") for address in addresses)
    assert "http" not in re.sub(r"data:[^\"]*", "", html)


def test_parts_of_a_text_stand_side_by_side(folder):
    html = page.render([Paragraph(["a ", Strong("b"), ", c"])], "T", folder)
    assert "<p>a <strong>b</strong>, c</p>" in html


def test_markup_in_texts_is_shown_as_text(folder):
    html = page.render(report(), HOSTILE, folder)
    assert "<script" not in html and 'onload="x' not in html
    assert "<a " not in html and "<img" not in html and "base64" not in html
    assert html.count("&lt;script&gt;") >= 25


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
    made = [Figure(source.format(outside=outside), "what it shows")]
    html = page.render(made, "T", folder)
    assert "base64" not in html and "<img" not in html
    assert "[no image: what it shows]" in html


def test_figures_that_are_a_link_themselves_are_not_followed(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.png").write_bytes(page.PNG)
    (tmp_path / "run" / "figures").symlink_to(tmp_path / "other")
    made = [Figure("figures/a.png", "a")]
    assert "<img" not in page.render(made, "T", tmp_path / "run")
    with pytest.raises(ValueError, match="no figure of the run's own"):
        page.write([Figure("figures/a.png", "a", page.PNG)], tmp_path / "run", "T")
    assert (tmp_path / "other" / "a.png").read_bytes() == page.PNG


def test_a_report_is_written_whole_with_its_figures(tmp_path):
    path = page.write([Heading(1, "T"), Figure("figures/b.png", "a", page.PNG)], tmp_path, "T")
    assert path == tmp_path / "report.html" and "base64" in path.read_text()
    assert (tmp_path / "figures" / "b.png").read_bytes() == page.PNG
    assert (tmp_path / "report.md").read_text() == "# T\n\n![a](figures/b.png)\n"
    assert {p.name for p in tmp_path.iterdir()} == {"figures", "report.html", "report.md"}


def test_what_was_left_half_written_goes(tmp_path):
    """Of this file only, and a link is removed, not followed."""
    other = tmp_path / "report.md.0badcafe.partial"
    other.write_text("other")
    (tmp_path / "report.html.00000000.partial").write_text("half")
    (tmp_path / "report.html.11111111.partial").symlink_to(other)
    page.replace(tmp_path / "report.html", b"whole")
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", other.name}
    assert (tmp_path / "report.html").read_bytes() == b"whole" and other.read_text() == "other"


def test_where_there_is_no_room_nothing_is_left_and_what_was_stays(tmp_path, no_room):
    (tmp_path / "report.html").write_text("before")
    no_room(3)
    with pytest.raises(UserError, match="Cannot write the report to .*: File too large"):
        page.write([Heading(1, "T")], tmp_path, "T")
    with pytest.raises(OSError, match="too large"):
        page.replace(tmp_path / "report.html", b"more than three")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "before"


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    with pytest.raises(UserError, match="Cannot write the report to .*nowhere"):
        page.write([], tmp_path / "nowhere", "T")


def test_cards_stand_in_the_page_and_their_stand_in_elsewhere(tmp_path):
    made = [Paragraph("before"), Cards([card("w")], [Paragraph("the list")]), Paragraph("after")]
    html = page.render(made, "T", tmp_path)
    assert "the list" not in html and html.index("before") < html.index('id="review-1"')
    assert html.index('id="review-1"') < html.index("<p>after")
    page.write(made, tmp_path, "T")
    assert (tmp_path / "report.md").read_text() == "before\n\nthe list\n\nafter\n"
