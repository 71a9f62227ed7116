"""`indexer watch` as a daemon: pictures dropped in are found, and nothing is lost or doubled."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.daemons import Watch, indexer, searcher
from tests.homes import draw_photos

pytestmark = pytest.mark.any_store


def _found(home: Path, query: Path) -> list[str]:
    options = ("--home", home, "--self", "--paths", "-n", "99")
    return searcher("query", query, *options).stdout.splitlines()


def test_a_dropped_picture_is_found_by_a_query_beside_the_daemon(
    watch: Watch, home: Path, photos: Path, tmp_path: Path
) -> None:
    shutil.copy(photos / "red/3.jpg", tmp_path / "new.jpg")
    (tmp_path / "new.jpg").rename(photos / "dropped.jpg")
    watch.settled(19)
    assert str(photos / "dropped.jpg") in _found(home, photos / "red/3.jpg")
    assert watch.stop() == 0
    assert str(photos / "dropped.jpg") in _found(home, photos / "red/3.jpg")


def test_changes_renames_deletions_and_folders_are_followed(
    watch: Watch, home: Path, photos: Path, tmp_path: Path
) -> None:
    before = watch.status()
    assert before is not None
    (photos / "red").rename(photos / "rouge")
    watch.wait_until(
        lambda found: found["images"] == 18 and found["reused"] - before["reused"] == 6
    )
    (photos / "blue/0.jpg").unlink()
    watch.settled(17, encoded=18)
    draw_photos(tmp_path / "outside", 2)
    (tmp_path / "outside").rename(photos / "moved in")
    found = watch.settled(23)
    assert found["roots"][0]["indexed"] == 23
    paths = _found(home, photos / "rouge/1.jpg")
    assert str(photos / "rouge/1.jpg") in paths
    assert not [path for path in paths if "/red/" in path and "moved in" not in path]


def test_bad_files_are_refused_and_indexed_once_they_are_good(watch: Watch, photos: Path) -> None:
    good = (photos / "red/0.jpg").read_bytes()
    (photos / "late.jpg").write_bytes(good[:200])
    (photos / "notes.txt").write_text("no picture")
    found = watch.wait_until(lambda found: len(found["refused"]) == 2)
    assert found["images"] == 18
    (photos / "late.jpg").write_bytes(good)
    watch.settled(19)


def test_a_killed_daemon_loses_nothing_and_a_new_one_goes_on(
    watch: Watch, home: Path, photos: Path
) -> None:
    draw_photos(photos / "many", 30, edge=200)
    watch.wait_until(lambda found: found["images"] > 18)
    watch.stop(signal.SIGKILL)
    assert len(_found(home, photos / "red/0.jpg")) > 0
    (photos / "blue/5.jpg").unlink()
    with Watch(home, photos) as second:
        found = second.settled(18 + 90 - 1)
        assert sum(found["clusters"].values()) == 107


def test_a_second_daemon_is_told_who_runs(watch: Watch, home: Path, photos: Path) -> None:
    done = indexer("watch", photos, "--home", home, check=False)
    assert done.returncode == 1
    assert f"in use by `indexer watch` (process {watch.process.pid})" in done.stderr


def test_forgetting_and_accepting_reach_the_running_daemon(
    watch: Watch, home: Path, photos: Path
) -> None:
    shutil.rmtree(photos / "red")
    shutil.rmtree(photos / "green")
    watch.wait_until(lambda found: found["roots"][0]["suspended"] == 12)
    indexer("scan", photos, "--accept-deletions", "--home", home)
    watch.wait_until(lambda found: found["images"] == 6)
    indexer("forget", photos, "--home", home)
    found = watch.status()
    assert found is not None
    assert (found["images"], found["roots"]) == (0, [])


def test_a_root_that_goes_and_comes_back_is_watched_again(
    watch: Watch, photos: Path, tmp_path: Path
) -> None:
    photos.rename(tmp_path / "away")
    found = watch.wait_until(lambda found: "degraded" in found["state"])
    assert found["images"] == 18
    (tmp_path / "away").rename(photos)
    watch.settled(18)
    shutil.copy(photos / "red/0.jpg", photos / "after.jpg")
    watch.settled(19)


def test_a_change_through_one_hard_link_reaches_its_other_names(
    watch: Watch, home: Path, photos: Path
) -> None:
    os.link(photos / "red/0.jpg", photos / "other name.jpg")
    watch.settled(19)
    content = (photos / "blue/3.jpg").read_bytes()
    with (photos / "red/0.jpg").open("r+b") as file:  # the same file, so both names change
        file.write(content)
        file.truncate()
    watch.wait_until(
        lambda found: found["images"] == 19 and not found["backlog"] and found["encoded"] == 18
    )
    done = indexer("doctor", "--deep", "--home", home, check=False)
    deadline = time.monotonic() + 30
    while done.returncode and time.monotonic() < deadline:
        done = indexer("doctor", "--deep", "--home", home, check=False)
    assert done.returncode == 0, done.stdout


def test_it_starts_without_a_remembered_folder_that_is_away(
    watch: Watch, home: Path, photos: Path, tmp_path: Path
) -> None:
    watch.stop()
    photos.rename(tmp_path / "away")
    assert indexer("scan", photos, "--home", home, check=False).returncode == 1
    with Watch(home, photos) as second:
        second.wait_until(lambda found: "degraded" in found["state"])
        (tmp_path / "away").rename(photos)
        second.settled(18)
    done = indexer("watch", tmp_path / "never seen", "--home", home, check=False)
    assert done.returncode == 1
    assert "does not exist" in done.stderr


def test_it_waits_for_images_when_there_is_no_model(tmp_path: Path) -> None:
    photos = tmp_path / "few"
    draw_photos(photos, 1)
    for name in ("green", "blue"):
        shutil.rmtree(photos / name)
    with Watch(tmp_path / "home", photos) as watch:
        watch.wait_until(lambda found: found["state"].startswith("waiting for images: 1 of the 2"))
        assert watch.stop() == 0


def test_it_carries_no_training_framework(watch: Watch) -> None:
    maps = Path(f"/proc/{watch.process.pid}/maps")
    if not maps.exists():
        pytest.skip("this system has no /proc to look into a process")
    loaded = maps.read_text()
    assert "litert" in loaded
    for name in ("tensorflow/", "sklearn", "scipy/", "matplotlib", "keras"):
        assert name not in loaded


def test_sockets_and_locks_are_private(watch: Watch, home: Path) -> None:
    assert watch.process.poll() is None
    assert os.stat(home / "run").st_mode & 0o777 == 0o700
    for path in (home / "run").glob("*.sock"):
        assert path.stat().st_mode & 0o777 == 0o600


def test_json_of_a_query_beside_the_daemon_is_the_same_as_without(
    watch: Watch, home: Path, photos: Path
) -> None:
    def answer() -> dict[str, object]:
        line = searcher("query", photos / "red/0.jpg", "--home", home, "--json").stdout
        found: dict[str, object] = json.loads(line)
        found.pop("took_ms")
        return found

    beside = answer()
    watch.stop()
    assert answer() == beside
