"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemons import Watch
from tests.homes import draw_photos, make_home, tiny_encoder

LIVE = os.environ.get("QDRANT_URLS") or os.environ.get("QDRANT_URL")
"""A real Qdrant, or the nodes of a cluster separated by commas, if there is one to test with."""


@pytest.fixture(autouse=True)
def live_qdrant(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where there is a real Qdrant, the tests that are marked so use it instead of the embedded
    store, with collections of their own that are dropped afterwards."""
    marked = request.node.get_closest_marker
    if not LIVE or marked("any_store") is None or marked("embedded") is not None:
        yield
        return
    from shared.settings import Settings
    from shared.store.server.hub import ServerHub

    prefix, key = f"test_{uuid.uuid4().hex[:12]}", os.environ.get("QDRANT_API_KEY")
    monkeypatch.setenv("LOOKALIKE_QDRANT_URL", LIVE)
    monkeypatch.setenv("LOOKALIKE_QDRANT_PREFIX", prefix)
    monkeypatch.setenv("LOOKALIKE_QDRANT_API_KEY", key or "")
    yield
    settings = Settings(Path(), qdrant_url=LIVE, qdrant_prefix=prefix, qdrant_api_key=key)
    with ServerHub(settings, long_lived=False) as hub:
        for name in hub.names():
            hub.drop(name)


@pytest.fixture(scope="session")
def tiny_tflite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported encoder without training: 8 x 8 mean colours, centred, randomly projected."""
    return tiny_encoder(tmp_path_factory.mktemp("encoder") / "encoder.tflite")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of eighteen pictures in three clear groups."""
    draw_photos(tmp_path / "photos")
    return tmp_path / "photos"


@pytest.fixture
def home(tmp_path: Path, photos: Path, tiny_tflite: Path) -> Path:
    """A home with a model of those pictures and nothing indexed."""
    make_home(tmp_path / "home", photos, tiny_tflite, indexed=False)
    return tmp_path / "home"


@pytest.fixture
def watch(home: Path, photos: Path) -> Iterator[Watch]:
    """A daemon that has indexed the eighteen pictures."""
    with Watch(home, photos) as watch:
        watch.settled(18)
        yield watch
