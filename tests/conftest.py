"""Fixtures that every room's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemons import Watch
from tests.homes import draw_photos, make_home, tiny_encoder


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
