"""Debian's Chromium, without a window; what needs it is skipped where there is none."""

import shutil

import pytest
from playwright.sync_api import sync_playwright


@pytest.fixture(scope="module")  # no longer: its event loop would be in the way of Orbax's
def browser():
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield running
        running.close()
