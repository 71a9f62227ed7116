"""A real service with real photographs, and a browser that visits it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.visits import WAIT_MS, Visit, chromium, launch
from tests.daemons import indexer
from tests.services import Service

EXAMPLES = Path(__file__).parents[2] / "examples"
HOSTILE = (
    "<img src=x onerror=document.title='owned'>.jpg",
    "\"><script>document.title='owned'<\u2215script>.jpg",
    "&lt;b&gt;'quoted'.jpg",
    "\u202egpj.exe\u202c.jpg",
    "line\nfeed\ttab\x1b[31m.jpg",
    "x" * 251 + ".jpg",
    "שלום.jpg",
    "%3Cb%3E%00.jpg",
)
"""Names that act instead of being read, wherever they are not taken as text."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; without it the tests skip, on CI they fail."""
    path = chromium()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("CI must provide Chromium")
        pytest.skip("there is no Chromium on this machine")
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        found = launch(playwright, path)
        yield found
        found.close()


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example photographs and, in `names`, some of them with hostile names."""
    folder = tmp_path_factory.mktemp("browser") / "photos"
    shutil.copytree(EXAMPLES / "photos", folder)
    (folder / "names").mkdir()
    for name, photo in zip(HOSTILE, sorted(folder.rglob("*.jpg")), strict=False):
        shutil.copy(photo, folder / "names" / name)
    return folder


@pytest.fixture(scope="session")
def home(photos: Path) -> Path:
    """A home with the encoder that ships, four clusters, and all of those photographs indexed."""
    home = photos.parent / "home"
    indexer("train", photos, "--starter-only", "--k", "4", "--home", home)
    # With a name of its own the folder gives the same ids in every run.
    indexer("scan", photos, "--root-name", "photos", "--home", home)
    return home


@pytest.fixture(scope="session")
def service(home: Path) -> Iterator[Service]:
    """`searcher serve` on that home."""
    with Service(home) as service:
        yield service


@pytest.fixture
def visiting(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Begins visits of a service with options of a browser context; nothing may be wrong in any."""
    visits = []

    def begin(service: Service, **options: Any) -> Visit:
        context = browser.new_context(**options)
        context.set_default_timeout(WAIT_MS)
        visits.append(Visit(context.new_page(), service.url))
        return visits[-1]

    yield begin
    complaints = [one for visit in visits for one in visit.complaints()]
    for visit in visits:
        visit.page.context.close()
    assert not complaints


@pytest.fixture
def visit(visiting: Callable[..., Visit], service: Service) -> Visit:
    """A visit with a large window."""
    return visiting(service, viewport={"width": 1280, "height": 900})


@pytest.fixture
def shirt() -> Path:
    """A photograph that is not indexed."""
    return EXAMPLES / "dropped" / "shirt.jpg"


@pytest.fixture
def hat() -> Path:
    """Another one."""
    return EXAMPLES / "dropped" / "hat.jpg"
