"""The page follows the indexer while it works."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.visits import Visit
from tests.daemons import DEADLINE_SECONDS, Watch, indexer
from tests.services import Service

LONG_MS = DEADLINE_SECONDS * 1000


def test_new_pictures_appear(visit: Visit, home: Path, photos: Path, hat: Path) -> None:
    visit.open("/?view=clusters")
    images, lead = visit.page.locator("#images"), visit.page.locator(".lead")
    expect(lead).to_contain_text("128 pictures")
    new = photos / "hat" / "new.jpg"
    with Watch(home, photos) as watch:
        watch.settled(128)
        shutil.copy(hat, new)
        expect(images).to_have_text("129 pictures", timeout=LONG_MS)
        expect(lead).to_contain_text("129 pictures", timeout=LONG_MS)
        new.unlink()
        watch.settled(128)
        assert watch.stop() == 0
    expect(images).to_have_text("128 pictures", timeout=LONG_MS)


def test_the_page_says_how_far_a_first_indexing_is(
    visiting: Callable[..., Visit], tmp_path: Path, hat: Path
) -> None:
    photos, home = tmp_path / "photos", tmp_path / "home"
    photos.mkdir()
    with Watch(home, photos) as watch, Service(home) as service:
        watch.wait_until(lambda found: found["state"].startswith("waiting for images"))
        visit = visiting(service).open()
        waiting = "waiting for images: 0 of the 2 that clusters need"
        expect(visit.page.locator("#indexing-state")).to_have_text(waiting)
        expect(visit.view).to_contain_text(f"Nothing is indexed yet: {waiting}")
        expect(visit.view).not_to_contain_text("indexer")
        expect(visit.page.locator("#indexing-bar")).to_be_hidden()
        assert set(visit.refused) == {503}
        assert not visit.violations()
        for number in range(12):
            shutil.copy(hat, photos / f"{number}.jpg")
        expect(visit.page.locator(".start .cell").first).to_be_visible(timeout=LONG_MS)
        expect(visit.page.locator("#indexing")).to_be_hidden(timeout=LONG_MS)
        assert watch.stop() == 0


def test_results_are_shown_with_what_is_pending(
    visiting: Callable[..., Visit], tmp_path: Path, photos: Path, hat: Path
) -> None:
    mine, home = tmp_path / "photos", tmp_path / "home"
    shutil.copytree(photos / "hat", mine)
    indexer("train", mine, "--starter-only", "--k", "2", "--home", home)
    indexer("scan", mine, "--home", home)
    with Watch(home, mine, LOOKALIKE_SETTLE_SECONDS="600") as watch, Service(home) as service:
        watch.wait_until(lambda found: found["state"] == "watching")
        shutil.copy(hat, mine / "new.jpg")
        watch.wait_until(lambda found: found["state"] == "indexing: 0 of 1")
        visit = visiting(service).open()
        expect(visit.page.locator(".start .cell").first).to_be_visible()
        expect(visit.page.locator("#indexing-state")).to_have_text("indexing: 0 of 1")
        bar = visit.page.locator("#indexing-bar")
        expect(bar).to_have_js_property("max", 1)
        expect(bar).to_have_js_property("value", 0)
        watch.process.kill()
        expect(visit.page.locator("#indexing")).to_be_hidden(timeout=LONG_MS)
