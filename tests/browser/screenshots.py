"""Draws the pictures of the page for the documentation: `python -m tests.browser.screenshots DIR`.

The collection is the example photographs, which are in the public domain.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.conftest import EXAMPLES
from tests.browser.visits import PHONE, Visit, chromium, launch
from tests.daemons import indexer
from tests.services import Service

LARGE = {"viewport": {"width": 1280, "height": 760}}
LOADED = (
    "() => [...document.images].every((one) => one.complete ||"
    " one.getBoundingClientRect().top > innerHeight)"
)
"""Pictures below the fold load only when they are scrolled to."""


def main(folder: Path) -> None:
    """Write `page-*.png` into the folder."""
    path = chromium()
    if path is None:
        raise SystemExit("there is no Chromium on this machine: install it first")
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        photos, home = Path(place) / "photos", Path(place) / "home"
        shutil.copytree(EXAMPLES / "photos", photos)
        indexer("train", photos, "--starter-only", "--k", "6", "--home", home)
        indexer("scan", photos, "--root-name", "photos", "--home", home)
        browser = launch(playwright, path)
        with Service(home) as service:
            for name, options in (
                ("page", LARGE),
                ("page-dark", {**LARGE, "color_scheme": "dark"}),
                ("page-phone", PHONE),
            ):
                _draw(_begin(browser, service, options), folder, name)
        browser.close()


def _begin(browser: Browser, service: Service, options: Any) -> Visit:
    return Visit(browser.new_context(reduced_motion="reduce", **options).new_page(), service.url)


def _draw(visit: Visit, folder: Path, name: str) -> None:
    def shot(state: str) -> None:
        visit.page.wait_for_function(LOADED)
        drawn = Image.open(io.BytesIO(visit.page.screenshot())).convert("RGB")
        drawn.save(folder / f"{name}-{state}.png", optimize=True)

    visit.open("/")
    expect(visit.page.locator(".start .cell").first).to_be_visible()
    if name == "page":
        shot("start")
    visit.page.set_input_files("#pick", EXAMPLES / "dropped" / "shoes.jpg")
    visit.results()
    shot("results")
    if name == "page":
        visit.cards.first.click()
        shot("detail")
        visit.page.keyboard.press("Escape")
        visit.open("/?view=clusters")
        expect(visit.page.locator(".cluster").first).to_be_visible()
        shot("clusters")
    visit.page.context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
