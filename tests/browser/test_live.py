"""The page follows the indexer while it works."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.visits import Visit
from tests.daemons import DEADLINE_SECONDS, Watch


def test_new_pictures_appear(visit: Visit, home: Path, photos: Path, hat: Path) -> None:
    visit.open("/?view=clusters")
    images, lead = visit.page.locator("#images"), visit.page.locator(".lead")
    expect(lead).to_contain_text("128 pictures")
    new = photos / "hat" / "new.jpg"
    with Watch(home, photos) as watch:
        watch.settled(128)
        shutil.copy(hat, new)
        expect(images).to_have_text("129 pictures", timeout=DEADLINE_SECONDS * 1000)
        expect(lead).to_contain_text("129 pictures", timeout=DEADLINE_SECONDS * 1000)
        new.unlink()
        watch.settled(128)
        assert watch.stop() == 0
    expect(images).to_have_text("128 pictures", timeout=DEADLINE_SECONDS * 1000)
