"""Everybody can use the page: axe finds nothing, the keyboard is enough, a phone is wide enough."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.visits import PHONE, Visit
from tests.services import Service

WINDOWS = {"large": {}, "phone": PHONE}


@pytest.mark.parametrize("window", WINDOWS)
def test_axe_finds_nothing(
    visiting: Callable[..., Visit], service: Service, window: str, shirt: Path, tmp_path: Path
) -> None:
    visit = visiting(service, reduced_motion="reduce", **WINDOWS[window])
    found = {"start": visit.open().violations()}
    visit.page.set_input_files("#pick", shirt)
    visit.results()
    if window == "phone":
        visit.button("Options").click()
    visit.button("Filter").click()
    found["results"] = visit.violations()
    visit.cards.first.click()
    visit.dialog.get_by_role("button", name="Why is it here?").click()
    expect(visit.dialog.locator(".why dl")).to_be_visible()
    found["detail"] = visit.violations()
    visit.page.keyboard.press("Escape")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"nothing")
    visit.page.set_input_files("#pick", broken)
    expect(visit.page.locator("#ask-error")).to_be_visible()
    found["error"] = visit.violations()
    visit.open("/?view=clusters")
    expect(visit.page.locator(".cluster").first).to_be_visible()
    found["clusters"] = visit.violations()
    visit.page.locator(".cluster").first.click()
    expect(visit.page.locator(".grid .cell").first).to_be_visible()
    found["cluster"] = visit.violations()
    visit.page.goto(f"{visit.url}/docs")
    visit.page.locator("summary").first.click()
    found["docs"] = visit.violations()
    assert not any(found.values()), found


def test_the_keyboard_alone(visit: Visit) -> None:
    visit.open()
    press = visit.page.keyboard.press
    press("Tab")
    expect(visit.page.get_by_role("link", name="Skip to the pictures")).to_be_focused()
    press("Enter")
    press("Tab")
    cells = visit.page.locator(".start .cell-main")
    expect(cells.first).to_be_focused()
    press("ArrowRight")
    expect(cells.nth(1)).to_be_focused()
    press("ArrowDown")
    expect(cells.nth(1)).not_to_be_focused()
    press("Home")
    press("Enter")
    visit.results()
    visit.page.locator("#view").focus()
    while not visit.page.evaluate("document.activeElement.matches('.results .cell-main')"):
        press("Tab")
    press("Enter")
    expect(visit.dialog).to_be_visible()
    press("ArrowRight")
    press("Escape")
    expect(visit.cards.nth(1)).to_be_focused()
    press("Tab")
    more = visit.page.locator(".more").nth(1)
    expect(more).to_be_focused()
    expect(more).to_have_css("opacity", "1")
    asked = more.get_attribute("href")
    press("Enter")
    visit.page.wait_for_url(f"**{asked}")


def test_a_phone(visiting: Callable[..., Visit], service: Service, hat: Path) -> None:
    visit = visiting(service, **PHONE)
    visit.open()
    expect(visit.button("Take one")).to_be_visible()
    visit.page.set_input_files("#shoot", hat)
    visit.results()
    expect(visit.page.get_by_label("Likeness")).to_be_hidden()
    visit.button("Options").tap()
    expect(visit.page.get_by_label("Likeness")).to_be_visible()
    visit.cards.first.tap()
    expect(visit.dialog.get_by_role("button", name="More like this")).to_be_visible()
    for path in ("/", "/?view=clusters", "/docs"):
        visit.page.goto(visit.url + path)
        width = visit.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, f"{path} is wider than the phone"


def test_dark_is_kept(visiting: Callable[..., Visit], service: Service) -> None:
    visit = visiting(service, color_scheme="light").open()
    ground = "getComputedStyle(document.body).backgroundColor"
    light = visit.page.evaluate(ground)
    visit.button("Dark").click()
    dark = visit.page.evaluate(ground)
    assert dark != light
    visit.page.reload()
    assert visit.page.evaluate(ground) == dark
    expect(visit.button("Dark")).to_have_attribute("aria-pressed", "true")
