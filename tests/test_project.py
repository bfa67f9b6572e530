"""The files beside the code, which others' tools read."""

import hashlib
import json
import pathlib
import re
import tomllib

import pytest
from scripts import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_license_is_the_standard_text():
    text = (ROOT / "LICENSE").read_bytes()
    # https://www.apache.org/licenses/LICENSE-2.0.txt
    standard = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
    assert hashlib.sha256(text).hexdigest() == standard
    assert PROJECT["license"] == "Apache-2.0" and PROJECT["license-files"] == ["LICENSE"]


def test_the_citation_is_of_this_version():
    """What version 1.2.0 of the format requires, and what must agree with the project."""
    yaml = pytest.importorskip("yaml")
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()
    assert cited["cff-version"] == "1.2.0" and all(author["name"] for author in cited["authors"])
    assert (cited["version"], cited["license"]) == (PROJECT["version"], PROJECT["license"])


def test_the_changelog_has_this_version():
    """Newest first, each with its day, in the parts that Keep a Changelog has."""
    text = (ROOT / "CHANGELOG.md").read_text()
    first, *versions = re.findall(r"^## (.*)$", text, re.M)
    assert first == "[Unreleased]" and versions[0].startswith(f"[{PROJECT['version']}] - ")
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", one) for one in versions)
    assert versions == sorted(versions, reverse=True)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", text, re.M)) <= kinds


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_what_a_page_names_is_there(name):
    text = (ROOT / name).read_text()
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    files = re.findall(r"`((?:rnnsent|tests|experiments|docs)/[\w/]+\.\w+)`", text)
    assert links and files
    for link in (*links, *files):
        path, _, anchor = link.partition("#")
        page = ROOT / (path or name)
        assert page.exists() and (not anchor or anchor in anchors(page)), link


def anchors(page: pathlib.Path) -> set[str]:
    """Of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-") for h in headings}


def test_the_tour_is_shown_as_it_ran_from_top_to_bottom():
    """That it runs on made-up reviews, ``.ci/run`` tries."""
    cells = json.loads((ROOT / "docs/tour.ipynb").read_text())["cells"]
    ran = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in ran] == list(range(1, len(ran) + 1))
    outputs = [output for cell in ran for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 4
