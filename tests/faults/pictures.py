"""Pictures by the thousand, and what disk and store hold of them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from shared.models import Models
from shared.settings import load_settings
from shared.store.hub import open_store
from shared.types import ImageRecord


def picture(number: int, *, edge: int = 8, kind: str = "PNG") -> bytes:
    """A picture that looks like no other: noise seeded by its number."""
    pixels = np.random.default_rng(number).integers(0, 256, (edge, edge, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def draw(folder: Path, numbers: Iterable[int], *, edge: int = 8) -> list[Path]:
    """Write `picture`s as `00001.png` and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in numbers:
        paths.append(folder / f"{number:05}.png")
        paths[-1].write_bytes(picture(number, edge=edge))
    return paths


def on_disk(root: Path) -> set[str]:
    """The relative paths of all files below a root."""
    return {
        os.path.relpath(os.path.join(folder, name), root)
        for folder, _, names in os.walk(root)
        for name in names
    }


def stored(home: Path) -> dict[str, ImageRecord]:
    """What the store holds, by relative path; asked of the running owner if there is one."""
    settings = load_settings({"home": home})
    store = open_store(settings, Models(settings.models).current().encoder)
    try:
        points = [point.record for page in store.scroll() for point in page]
    finally:
        store.close()
    found = {os.fsdecode(record.relative()): record for record in points}
    assert len(found) == len(points)
    return found
