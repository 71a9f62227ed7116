"""Pictures come in by every way, and questions are made of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.visits import Visit
from tests.services import Service


def test_a_dropped_picture_is_answered(visit: Visit, shirt: Path) -> None:
    visit.open()
    visit.hand_over("dragenter", shirt)
    expect(visit.page.locator("#drop")).to_be_visible()
    visit.hand_over("drop", shirt)
    expect(visit.page.locator("#drop")).to_be_hidden()
    assert len(visit.results()) == 24
    facts = visit.page.locator(".facts")
    expect(facts).to_contain_text(re.compile(r"cluster \d · searched .*: \d+ of 128 \(\d+%\)"))
    expect(visit.page.locator("#live")).to_contain_text("24 pictures found")
    first = visit.cards.first
    expect(first.locator(".score").first).to_have_text(re.compile(r"^0\.\d{3}$"))
    expect(first.locator(".tier")).to_have_text(re.compile("looks alike|less alike"))


def test_a_pasted_picture_is_answered(visit: Visit, hat: Path) -> None:
    visit.open()
    visit.hand_over("paste", hat)
    visit.results()
    expect(visit.chips).to_have_count(1)


def test_several_pictures_are_one_question(visit: Visit, shirt: Path, hat: Path) -> None:
    visit.open()
    visit.page.set_input_files("#pick", [shirt, hat])
    both = visit.results()
    expect(visit.chips).to_have_count(2)
    visit.button("and like hat.jpg, turn around").click()
    expect(visit.page.locator(".chip.unlike")).to_have_count(1)
    expect(visit.view).not_to_have_attribute("aria-busy", "true")
    assert visit.results() != both
    visit.button("Take out hat.jpg").click()
    expect(visit.chips).to_have_count(1)
    visit.hand_over("dragenter", hat)
    visit.hand_over("drop", hat, at='[data-way="not"]')
    expect(visit.page.locator(".chip.unlike")).to_have_count(1)
    visit.results()


@pytest.mark.parametrize("width", [1280, 390])
def test_every_example_is_shown_and_named(
    visit: Visit, shirt: Path, hat: Path, photos: Path, width: int
) -> None:
    visit.page.set_viewport_size({"width": width, "height": 900})
    visit.open()
    files = [shirt, hat, *sorted(photos.rglob("shoes/*.jpg"))[:11]]
    visit.page.set_input_files("#pick", files)
    visit.results()
    visit.button("and like hat.jpg, turn around").click()
    expect(visit.page.get_by_role("img", name="not like hat.jpg", exact=True)).to_be_visible()
    visit.results()
    visit.cards.first.click()
    visit.dialog.get_by_role("button", name="Also like this").click()
    expect(visit.chips).to_have_count(14)
    expect(visit.page.locator(".chip img")).to_have_count(14)
    heading = visit.page.get_by_role("heading", level=1)
    expect(heading).to_have_text(re.compile(r"^Pictures that .* 11 more, not like hat\.jpg$"))
    wide = visit.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0
    visit.results()
    assert not visit.violations()


def test_indexed_examples_have_their_names(visit: Visit) -> None:
    found = visit.page.request.get(f"{visit.url}/images?limit=2").json()["images"]
    wanted, unwanted = ("/".join(one["path"].split("/")[-2:]) for one in found)
    visit.open(f"/?id={found[0]['id']}&not={found[1]['id']}")
    visit.results()
    heading = visit.page.get_by_role("heading", level=1)
    expect(heading).to_have_text(f"Pictures that look like {wanted}, not like {unwanted}")
    images = visit.chips.locator("img")
    expect(images.first).to_have_attribute("alt", wanted)
    expect(images.last).to_have_attribute("alt", f"not like {unwanted}")


def test_an_example_without_its_picture_says_so(visit: Visit) -> None:
    point = _any_id(visit)
    visit.page.route(
        f"**/images/{point}/thumbnail?size=160", lambda route: route.fulfill(status=404)
    )
    visit.open(f"/?id={point}")
    visit.results()
    expect(visit.chips).to_contain_text("cannot be read now")


def test_more_and_less_like_a_result(visit: Visit, shirt: Path) -> None:
    visit.open()
    visit.page.set_input_files("#pick", shirt)
    first, second, *_ = visit.results()
    visit.cards.first.hover()
    visit.page.locator(".more").first.click()
    visit.page.wait_for_url(f"**/?id={first}")
    expect(visit.page.locator(f'.results [data-id="{first}"]')).to_have_count(0)
    assert len(visit.results()) == 24, "the picture that was asked with is not its own result"
    visit.cards.first.click()
    visit.dialog.get_by_role("button", name="Not like this").click()
    expect(visit.page.locator(".chip.unlike")).to_have_count(1)
    assert "not=" in visit.page.url
    visit.page.go_back()
    visit.page.wait_for_url(f"**/?id={first}")
    visit.page.go_back()
    expect(visit.page.locator(f'.results [data-id="{second}"]')).to_be_visible()
    expect(visit.chips.get_by_role("img", name="shirt.jpg")).to_be_visible()


def test_begin_with_a_sample_or_with_any(visit: Visit) -> None:
    visit.open()
    sample = visit.page.locator(".start .cell-main").first
    asked = sample.get_attribute("href")
    sample.click()
    visit.page.wait_for_url(f"**{asked}")
    visit.results()
    visit.button("Surprise me").click()
    visit.page.wait_for_url(lambda url: "?id=" in url and str(asked) not in url)
    visit.results()


def test_a_reload_keeps_what_is_indexed_and_names_what_is_lost(visit: Visit, hat: Path) -> None:
    visit.open()
    visit.page.set_input_files("#pick", hat)
    visit.results()
    visit.page.reload()
    expect(visit.view).to_contain_text("hat.jpg was only kept while the page was open")


def test_a_broken_file_is_told_at_the_question(visit: Visit, tmp_path: Path, hat: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 and then nothing")
    visit.open()
    visit.page.set_input_files("#pick", broken)
    error = visit.page.locator("#ask-error")
    expect(error).to_contain_text(re.compile("^broken.jpg is damaged"))
    assert visit.refused == [422]
    visit.hand_over("paste", hat)
    visit.results()
    expect(error).to_be_hidden()


def test_too_large_a_file_is_never_sent(visit: Visit, tmp_path: Path) -> None:
    large, empty = tmp_path / "large.jpg", tmp_path / "empty.jpg"
    with large.open("wb") as file:
        file.truncate(40 * 2**20)  # a hole
    empty.touch()
    visit.open()
    for file, sentence in ((large, "large.jpg has 42 MB"), (empty, "empty.jpg is empty")):
        visit.page.set_input_files("#pick", file)
        expect(visit.page.locator("#ask-error")).to_contain_text(sentence)
    assert not [one for one in visit.asked if one.endswith("/search")]


def test_a_busy_service_is_asked_again(visit: Visit) -> None:
    asked = []

    def once(route: object) -> None:
        asked.append(route)
        if len(asked) > 1:
            return route.continue_()  # type: ignore[attr-defined]
        problem = '{"title": "Busy", "status": 503, "detail": "too many questions at once"}'
        return route.fulfill(  # type: ignore[attr-defined]
            status=503,
            body=problem,
            headers={"Retry-After": "1", "Content-Type": "application/problem+json"},
        )

    visit.page.route("**/search", once)
    visit.open(f"/?id={_any_id(visit)}")
    expect(visit.page.locator("#ask-error")).to_contain_text("too many questions at once")
    visit.results()
    expect(visit.page.locator("#ask-error")).to_be_hidden()


def test_a_key_is_asked_for_once(
    visiting: Callable[..., Visit], home: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("correct-horse-battery-staple\n")
    with Service(home, "--api-keys", keys) as service:
        visit = visiting(service)
        visit.page.goto(service.url)
        dialog = visit.page.get_by_role("dialog", name="This service wants a key")
        key = dialog.get_by_label("API key")
        key.fill("wrong")
        key.press("Enter")
        expect(dialog.get_by_role("alert")).to_contain_text("key")
        key.fill("correct-horse-battery-staple")
        key.press("Enter")
        expect(dialog).to_be_hidden()
        sample = visit.page.locator(".start img").first
        expect(sample).to_be_visible()
        assert sample.evaluate("image => image.decode().then(() => true)")
        visit.page.close()


@pytest.mark.parametrize("path", ["/?id=nonsense", "/?id=00000000-0000-4000-8000-000000000000"])
def test_an_address_that_asks_for_nothing(visit: Visit, path: str) -> None:
    visit.open(path)
    expect(visit.page.locator("#ask-error")).to_be_visible()


def test_offline_is_said_and_over(visit: Visit) -> None:
    visit.open()
    visit.page.context.set_offline(True)
    visit.button("Surprise me").click()
    expect(visit.page.locator("#ask-error")).to_have_text("This device is offline.")
    visit.page.context.set_offline(False)
    visit.button("Surprise me").click()
    visit.results()


def _any_id(visit: Visit) -> str:
    found = visit.page.request.get(f"{visit.url}/images?limit=1").json()
    return str(found["images"][0]["id"])
