"""A page in a real browser, with everything it asked for and complained about."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, Playwright, Response, expect

WAIT_MS = 30_000
"""Only a broken page takes so long; nothing is measured by it."""
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}

_COLORS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
_HAND_OVER = """([kind, where, files]) => {
  const data = new DataTransfer();
  for (const [name, type, text] of files) {
    const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
    data.items.add(new File([bytes], name, {type}));
  }
  const target = where ? document.querySelector(where) : document.body;
  target.dispatchEvent(kind === "paste"
    ? new ClipboardEvent(kind, {clipboardData: data, bubbles: true, cancelable: true})
    : new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true}));
}"""


def chromium() -> str | None:
    """Where Chromium is on this machine; None if it is not."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def launch(playwright: Playwright, path: str) -> Browser:
    """Chromium without a window. Its sandbox does not work for root."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    return playwright.chromium.launch(executable_path=path, args=arguments)


class Visit:
    """One visit of the page. `said`: what it wrote to the console; `asked`: every address that it
    requested; `refused`: statuses of what was answered with an error."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.said, self.asked, self.refused = list[str](), list[str](), list[int]()
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"thrown: {error}"))
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("response", self._note)

    def open(self, path: str = "/") -> Visit:
        """Go to a path of the service and wait for its pictures."""
        self.page.goto(self.url + path)
        expect(self.view).not_to_have_attribute("aria-busy", "true")
        return self

    def hand_over(self, kind: str, *files: Path, at: str = "") -> None:
        """Let files be pasted (`paste`), or dragged in and out (`dragenter`, `drop`)."""
        packed = [
            (file.name, "image/jpeg", base64.b64encode(file.read_bytes()).decode())
            for file in files
        ]
        self.page.evaluate(_HAND_OVER, [kind, at, packed])

    def results(self) -> list[str]:
        """The ids of the results, once they are there, in their order."""
        expect(self.cards.first).to_be_visible()
        expect(self.view).not_to_have_attribute("aria-busy", "true")
        return [str(card.get_attribute("data-id")) for card in self.cards.all()]

    def button(self, name: str) -> Locator:
        """A button by its name."""
        return self.page.get_by_role("button", name=name, exact=True)

    @property
    def view(self) -> Locator:
        """Where the pictures are."""
        return self.page.locator("#view")

    @property
    def cards(self) -> Locator:
        """The pictures of an answer."""
        return self.page.locator(".results .cell-main")

    @property
    def chips(self) -> Locator:
        """The pictures that are asked with."""
        return self.page.locator(".chip")

    @property
    def dialog(self) -> Locator:
        """The picture that is shown large."""
        return self.page.locator("#detail[open]")

    def violations(self) -> Sequence[str]:
        """What axe finds wrong with the page as it is, and with its colours in the dark."""
        found = Axe().run(self.page).response["violations"]
        self.page.emulate_media(color_scheme="dark")
        dark = Axe().run(self.page, options=_COLORS).response["violations"]
        self.page.emulate_media(color_scheme="light")
        return [f"{one['id']}: {_places(one)}" for one in [*found, *dark]]

    def complaints(self) -> list[str]:
        """What must never be: errors, warnings, breaches of the policy, requests to elsewhere.

        A browser notes every answer that is an error; those are told apart in `refused`.
        """
        own = urlsplit(self.url).netloc
        elsewhere = [one for one in self.asked if urlsplit(one).netloc not in (own, "")]
        wrong = [one for one in self.said if not one.startswith(("log", "info", "debug"))]
        return elsewhere + [one for one in wrong if "Failed to load resource" not in one]

    def _note(self, response: Response) -> None:
        if response.status >= 400:
            self.refused.append(response.status)


def _places(violation: Any) -> str:
    return json.dumps([node["target"] for node in violation["nodes"]])
