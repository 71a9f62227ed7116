"""`indexer doctor` on homes damaged in every way that a hand can, and its repair."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.models import Models
from shared.points import point_id
from shared.roots import root_id
from shared.settings import load_settings
from shared.store.hub import open_store
from shared.store.protocol import VectorStore
from tests.daemons import Watch, indexer


@pytest.fixture
def home(home: Path, photos: Path) -> Path:
    """Eighteen indexed pictures and one refused file."""
    (photos / "broken.jpg").write_bytes(b"no picture")
    indexer("scan", photos, "--home", home)
    return home


def _doctor(home: Path, *options: str, code: int) -> dict[str, Any]:
    done = indexer("doctor", "--home", home, "--json", *options, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _in_store(home: Path, change: Callable[[VectorStore], None]) -> None:
    settings = load_settings({"home": home}, {})
    store = open_store(settings, Models(settings.models).current().encoder)
    change(store)
    store.close()


def _in_journal(home: Path, sql: str) -> None:
    with sqlite3.connect(home / "journal.sqlite3") as journal:
        journal.execute(sql)
    journal.close()


def _forge(home: Path, photos: Path, name: str, **changes: object) -> None:
    """Write a point again with something about it changed."""

    def change(store: VectorStore) -> None:
        key = point_id(root_id(photos), name.encode())
        point = store.get([key], with_vectors=True)[key]
        assert point.vector is not None
        store.upsert([replace(point.record, **changes)], point.vector[None])  # type: ignore[arg-type]

    _in_store(home, change)


def test_a_sound_home_is_well_and_refused_files_are_not_wrong(home: Path) -> None:
    found = _doctor(home, code=0)
    assert found["well"] is True
    assert (found["files"], found["points"]) == (19, 18)
    assert [file["path"] for file in found["refused"]] == ["broken.jpg"]
    assert found["missing"] == found["orphaned"] == found["stale"] == found["suspended"] == []
    text = indexer("doctor", "--home", home).stdout
    assert "broken.jpg: is not an image" in text
    assert "all is well" in text


def _lose_points(home: Path, photos: Path) -> None:
    ids = [point_id(root_id(photos), name) for name in (b"red/0.jpg", b"red/1.jpg")]
    _in_store(home, lambda store: store.delete(ids))


def _orphan_point(home: Path, photos: Path) -> None:
    _forge(home, photos, "red/0.jpg", id=point_id(root_id(photos), b"x"), path="x", folders=())


def _wrong_cluster(home: Path, photos: Path) -> None:
    _forge(home, photos, "red/0.jpg", cluster=("g1/2",))
    _forge(home, photos, "blue/0.jpg", cluster=("g1/1",))
    _forge(home, photos, "green/0.jpg", cluster=("g7/1",))


def _wrong_encoder(home: Path, photos: Path) -> None:
    _forge(home, photos, "red/0.jpg", encoder="0123456789abcdef")


def _wrong_content(home: Path, photos: Path) -> None:
    _forge(home, photos, "red/0.jpg", sha256="0" * 64)


def _wrong_vector(home: Path, photos: Path) -> None:
    def change(store: VectorStore) -> None:
        key = point_id(root_id(photos), b"red/0.jpg")
        other = np.zeros((1, 512), np.float32)
        other[0, 0] = 1
        store.upsert([store.get([key])[key].record], other)

    _in_store(home, change)


def _file_behind_its_back(home: Path, photos: Path) -> None:
    shutil.copy(photos / "red/0.jpg", photos / "unseen.jpg")
    shutil.copy(photos / "green/0.jpg", photos / "red/1.jpg")
    (photos / "blue/0.jpg").unlink()


def _journal_rows_lost(home: Path, photos: Path) -> None:
    _in_journal(home, "DELETE FROM files WHERE CAST(path AS TEXT) LIKE 'red%'")
    _in_journal(home, "DELETE FROM points WHERE CAST(path AS TEXT) LIKE 'green%'")


def _owed_for_ever(home: Path, photos: Path) -> None:
    _in_journal(home, "UPDATE files SET state = 'owed' WHERE CAST(path AS TEXT) LIKE 'red%'")


@pytest.mark.parametrize(
    ("damage", "kind", "count", "why"),
    [
        (_lose_points, "missing", 2, "no point for it"),
        (_orphan_point, "orphaned", 1, "no such file"),
        (_wrong_cluster, "stale", 3, "cluster: labelled"),
        (_wrong_encoder, "stale", 1, "encoder: made by 0123456789abcdef"),
        (_wrong_content, "stale", 1, "content: store and journal differ"),
        (_wrong_vector, "stale", 1, "cluster"),
        (_file_behind_its_back, "missing", 1, "never seen"),
        (_file_behind_its_back, "stale", 1, "has not been read again"),
        (_file_behind_its_back, "orphaned", 1, "no such file"),
        (_journal_rows_lost, "stale", 12, ""),
        (_owed_for_ever, "stale", 6, "has not been read again"),
    ],
)
def test_every_damage_is_named_and_mended(
    home: Path,
    photos: Path,
    damage: Callable[[Path, Path], None],
    kind: str,
    count: int,
    why: str,
) -> None:
    damage(home, photos)
    found = _doctor(home, code=1)
    assert len(found[kind]) == count
    assert all(why in one["why"] for one in found[kind])
    assert found["actions"] is None
    mended = _doctor(home, "--repair", code=0)
    assert mended["actions"]
    again = _doctor(home, "--deep", code=0)
    assert again["points"] == len(list(photos.rglob("*.jpg"))) - 1


def test_content_changed_without_a_trace_is_found_by_reading(home: Path, photos: Path) -> None:
    target = photos / "red/0.jpg"
    _in_journal(home, "UPDATE files SET size = 1 WHERE path = CAST('red/0.jpg' AS BLOB)")
    target.write_bytes((photos / "red/1.jpg").read_bytes())
    stat = target.stat()
    _in_journal(
        home,
        f"UPDATE files SET size = {stat.st_size}, mtime_ns = {stat.st_mtime_ns}, "  # noqa: S608
        f"ctime_ns = {stat.st_ctime_ns} WHERE path = CAST('red/0.jpg' AS BLOB)",
    )
    assert _doctor(home, code=0)["stale"] == []
    found = _doctor(home, "--deep", code=1)
    assert [one["why"] for one in found["stale"]] == ["content: the file has other bytes"]
    _doctor(home, "--deep", "--repair", code=0)
    _doctor(home, "--deep", code=0)


def test_a_store_that_cannot_be_opened_is_built_again(home: Path) -> None:
    damaged = 0
    for path in (home / "store").rglob("*"):
        if path.is_file() and (path.parent.name == "wal" or path.suffix == ".json"):
            path.write_bytes(os.urandom(max(64, min(4096, path.stat().st_size))))
            damaged += 1
    assert damaged > 2
    done = indexer("doctor", "--home", home, check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert _doctor(home, "--repair", code=0)["points"] == 18


def test_a_store_that_is_gone_is_built_again(home: Path) -> None:
    shutil.rmtree(home / "store")
    assert indexer("doctor", "--home", home, check=False).returncode == 1
    assert _doctor(home, "--repair", code=0)["points"] == 18


def test_a_damaged_journal_is_set_aside_and_begun_again(home: Path, photos: Path) -> None:
    path = home / "journal.sqlite3"
    path.write_bytes(b"garbage" * 1000)
    done = indexer("doctor", "--home", home, check=False)
    assert done.returncode == 1
    assert "journal" in done.stderr
    found = _doctor(home, "--repair", code=0)
    assert found["points"] == 18
    assert any("new journal" in action for action in found["actions"])
    assert (home / "journal.sqlite3.damaged-1").exists()


def test_suspended_deletions_are_listed_not_wrong(home: Path, photos: Path) -> None:
    shutil.rmtree(photos / "red")
    shutil.rmtree(photos / "blue")
    indexer("scan", photos, "--home", home)
    found = _doctor(home, code=0)
    assert len(found["suspended"]) == 12
    photos.rename(photos.with_name("away"))
    found = _doctor(home, code=0)
    assert len(found["suspended"]) == 18
    assert "nothing is deleted while it is missing" in found["notes"][0]


def test_it_works_beside_a_running_daemon(home: Path, photos: Path) -> None:
    with Watch(home, photos) as watch:
        watch.settled(18)
        assert _doctor(home, code=0)["points"] == 18
        _wrong_cluster(home, photos)
        assert len(_doctor(home, code=1)["stale"]) == 3
        _doctor(home, "--repair", code=0)
        _doctor(home, code=0)
        stop = threading.Event()

        def busy() -> None:
            number = 0
            while not stop.wait(0.05):
                shutil.copy(photos / "red/0.jpg", photos / f"busy-{number % 7}.jpg")
                number += 1

        thread = threading.Thread(target=busy)
        thread.start()
        found = json.loads(indexer("doctor", "--home", home, "--json", check=False).stdout)
        stop.set()
        thread.join()
        assert found["orphaned"] == []
        watch.settled(18 + 7)
        _doctor(home, code=0)


def test_without_a_model_there_is_nothing_to_examine(tmp_path: Path) -> None:
    done = indexer("doctor", "--home", tmp_path / "new", check=False)
    assert done.returncode == 1
    assert "indexer watch" in done.stderr


def test_a_hard_link_made_elsewhere_makes_nothing_stale(
    home: Path, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere.jpg").hardlink_to(photos / "red/0.jpg")
    _doctor(home, code=0)
    (photos / "red/0.jpg").chmod(0o640)
    _doctor(home, code=0)
    os.utime(photos / "red/0.jpg")
    assert len(_doctor(home, code=1)["stale"]) == 1
