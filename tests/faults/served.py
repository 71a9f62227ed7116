"""A home whose store names files outside its root, and what must hold of every refusal."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from shared.models import Models
from shared.points import point_id
from shared.settings import load_settings
from shared.store.hub import open_store
from shared.types import ImageRecord, StoredImage
from tests.services import Reply, Service

NOWHERE = "00000000-0000-0000-0000-000000000000"
HTML = "<img src=x onerror=alert(1)>&quot;'.jpg"

OUTSIDE = {
    "above": "../secret.jpg",
    "absolute": "/etc/hostname",
    "through a link": "link/secret.jpg",
    "a link": "link.jpg",
    "a folder": "red",
    "a pipe": "pipe.jpg",
    "a NUL": "a\0b.jpg",
    "too long": "x" * 5000,
    "gone": "gone.jpg",
}
"""Paths in payloads that lead to no file inside the root."""


def point_outside(home: Path) -> None:
    """Points whose paths are such, beside a picture outside the root."""
    photos = home.parent / "photos"
    (home.parent / "secret.jpg").write_bytes((photos / "red" / "1.jpg").read_bytes())
    (photos / "link").symlink_to(home.parent)
    (photos / "link.jpg").symlink_to(home.parent / "secret.jpg")
    os.mkfifo(photos / "pipe.jpg")
    settings = load_settings({"home": home}, {})
    store = open_store(settings, Models(settings.models).current().encoder)
    try:
        one = next(iter(store.get(store.id_page(None, 1)[0]).values()))
        odd = [moved(one, path) for path in OUTSIDE.values()]
        odd.append(replace(moved(one, "red/1.jpg"), id=NOWHERE, root="unknown"))
        store.upsert(odd, np.eye(len(odd), 512, dtype=np.float32))
        store.flush()
    finally:
        store.close()


def moved(one: StoredImage, path: str) -> ImageRecord:
    return replace(
        one.record, id=point_id(one.record.root, path.encode()), path=path, path_raw=None
    )


def listing(folder: Path) -> dict[str, int]:
    """Every file with its size, but the log and what the store does with its own files."""
    store = folder / "home" / "store"
    return {
        str(path): path.lstat().st_size
        for path in folder.rglob("*")
        if path.suffix != ".log" and store not in path.parents
    }


def is_told(service: Service, reply: Reply, *statuses: int) -> None:
    """A problem document of 4xx that names nothing of this machine."""
    assert reply.headers["content-type"] == "application/problem+json", reply
    told = reply.json
    assert told["status"] == reply.status
    assert reply.status in (statuses or range(400, 500)), told
    assert told["detail"]
    for place in (service.home.parent, Path.cwd(), Path("/tmp")):  # noqa: S108 - not used
        assert str(place) not in reply.data.decode()
    assert "Traceback" not in service.text()


def is_told_in_a_batch(service: Service, reply: Reply) -> None:
    """One question that cannot be answered costs only its own answer."""
    if reply.status != 200:
        is_told(service, reply)
        return
    for answer in reply.json["answers"]:
        assert answer["status"] in (404, 422)
        assert answer["detail"]
