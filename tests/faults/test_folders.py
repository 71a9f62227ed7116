"""Renames by the thousand, trees that move, and a root that is deleted and made again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.daemons import Watch, indexer
from tests.faults.conftest import oracle
from tests.faults.pictures import draw, on_disk, picture, stored

pytestmark = pytest.mark.any_store


@pytest.mark.case(20)
def test_a_thousand_renames_leave_final_paths_and_encode_nothing(
    watch: Watch, home: Path, photos: Path
) -> None:
    paths = draw(photos / "before", range(1000))
    encoded = watch.settled(1018)["encoded"]
    for number, path in enumerate(paths):
        path = path.rename(photos / f"renamed {number}.png")
        if number % 2:  # and some of them once more, into another folder
            folder = photos / "after" / str(number % 7)
            folder.mkdir(parents=True, exist_ok=True)
            path.rename(folder / path.name)
    # An event in the middle may have been enough to index a name that was not the last.
    watch.wait_until(lambda found: found["reused"] >= 1000)
    watch.wait_until(lambda found: found["images"] == 1018 and _agree(home, photos))
    assert watch.settled(1018)["encoded"] == encoded
    assert oracle(home)["points"] == 1018


def _agree(home: Path, photos: Path) -> bool:
    return stored(home).keys() == on_disk(photos)


@pytest.mark.case(21)
def test_trees_moved_in_out_and_renamed_are_followed_and_go_on_being_watched(
    watch: Watch, home: Path, photos: Path, tmp_path: Path
) -> None:
    draw(tmp_path / "tree/a/b/c", range(6))
    draw(tmp_path / "tree/a/d", range(6, 10))
    (tmp_path / "tree").rename(photos / "in")
    watch.settled(28)
    encoded = watch.wait_until(lambda found: True)["encoded"]
    (photos / "in/a/b").rename(photos / "in/a/renamed")
    (photos / "in/a").rename(photos / "lifted")
    (photos / "red").rename(photos / "lifted/red")
    watch.wait_until(lambda found: found["images"] == 28 and _agree(home, photos))
    assert watch.settled(28)["encoded"] == encoded
    (photos / "lifted/renamed").rename(tmp_path / "out")
    watch.settled(22)
    for number, folder in enumerate(("lifted/d", "lifted/red", "in")):
        (photos / folder / "new.png").write_bytes(picture(100 + number))
        watch.settled(23 + number)
    (tmp_path / "out").rename(photos / "in again")
    watch.settled(31)
    (photos / "in again/c/new.png").write_bytes(picture(200))
    watch.settled(32)
    assert _agree(home, photos)
    oracle(home)


@pytest.mark.case(21)
def test_events_arrive_after_a_moved_folder_and_its_successor_are_gone(
    watch: Watch, home: Path, photos: Path, tmp_path: Path
) -> None:
    """The watch of a folder outlives its move; this order of events confuses its bookkeeping."""
    draw(photos / "box", range(3))
    watch.settled(21)
    (photos / "box").rename(tmp_path / "moved out")
    watch.settled(18)
    draw(photos / "box", range(3, 6))
    watch.settled(21)
    shutil.rmtree(photos / "box")
    watch.settled(18)
    shutil.rmtree(tmp_path / "moved out")
    (photos / "new.png").write_bytes(picture(7))
    watch.settled(19)
    (photos / "red/later.png").write_bytes(picture(8))
    watch.settled(20)
    oracle(home)


@pytest.mark.case(21)
def test_a_folder_that_comes_back_under_another_name_is_watched_through_further_moves(
    watch: Watch, home: Path, photos: Path, tmp_path: Path
) -> None:
    draw(photos / "box/inner", range(3))
    watch.settled(21)
    (photos / "box").rename(tmp_path / "out")
    watch.settled(18)
    (tmp_path / "out").rename(photos / "back")
    watch.settled(21)
    (photos / "box").mkdir()
    watch.settled(21)
    (photos / "box").rename(photos / "other")
    watch.settled(21)
    (photos / "back/inner/new.png").write_bytes(picture(7))
    watch.settled(22)
    (photos / "back/inner/new.png").write_bytes(picture(8))
    watch.settled(22, encoded=26)
    oracle(home)


@pytest.mark.case(21)
def test_trees_that_grow_while_they_are_discovered_are_whole_in_the_end(
    watch: Watch, home: Path, photos: Path
) -> None:
    names = [f"{n % 5}/{n % 3}/{n % 7}/{n}" for n in range(200)]
    for number, name in enumerate(names):
        draw(photos / name, [number])
    watch.settled(218)
    (photos / names[-1] / "later.png").write_bytes(picture(999))
    watch.settled(219)
    oracle(home)


@pytest.fixture(params=["the same inode", "another inode"])
def make_again(request: pytest.FixtureRequest, photos: Path, tmp_path: Path) -> Callable[[], None]:
    """Deletes the root and makes it again at once. ext4 gives it the very same inode, unless some
    other process was quicker to ask for one; then it is another once more."""

    def again() -> None:
        before = photos.stat().st_ino
        if request.param == "another inode":
            (tmp_path / "beside").mkdir()
            shutil.rmtree(photos)
            (tmp_path / "beside").rename(photos)
            assert photos.stat().st_ino != before
            return
        shutil.rmtree(photos)
        for number in range(100):  # others may make folders at the same time
            made = tmp_path / f"made {number}"
            made.mkdir()
            if made.stat().st_ino == before:
                made.rename(photos)
                return
        made.rename(photos)

    return again


@pytest.mark.case(25)
def test_a_root_made_again_empty_suspends_deletions_and_is_watched(
    watch: Watch, home: Path, photos: Path, make_again: Callable[[], None]
) -> None:
    make_again()
    found = watch.wait_until(lambda found: found["roots"][0]["suspended"] == 18)
    assert found["images"] == 18
    for number in range(3):
        (photos / f"{number}.png").write_bytes(picture(number))
        watch.wait_until(lambda found, wanted=19 + number: found["images"] == wanted)
    watch.settled(21)
    assert len(oracle(home)["suspended"]) == 18
    indexer("scan", photos, "--accept-deletions", "--home", home)
    watch.settled(3)
    assert stored(home).keys() == on_disk(photos)
    (photos / "new.png").write_bytes(picture(9))
    watch.settled(4)
    assert oracle(home)["suspended"] == []


@pytest.mark.case(25)
def test_a_root_made_again_part_full_suspends_what_is_missing_and_indexes_what_is_there(
    watch: Watch, home: Path, photos: Path, make_again: Callable[[], None], tmp_path: Path
) -> None:
    shutil.copytree(photos, tmp_path / "copy")
    make_again()
    for color in ("red", "green"):  # more than half: without the replacement, the rest would go
        shutil.copytree(tmp_path / "copy" / color, photos / color)
    draw(photos / "new", range(4))
    watch.settled(22, encoded=22)
    found = watch.wait_until(lambda found: found["roots"][0]["suspended"] == 6)
    assert found["images"] == 22
    assert len(oracle(home)["suspended"]) == 6
    watch.stop()
    with Watch(home, photos) as second:  # nor does a restart carry them out
        (photos / "later.png").write_bytes(picture(9))
        second.settled(23)
        assert len(oracle(home)["suspended"]) == 6
        shutil.copytree(tmp_path / "copy/blue", photos / "blue")
        second.wait_until(lambda found: found["roots"][0]["suspended"] == 0)
        second.settled(23)
        assert oracle(home)["suspended"] == []


@pytest.mark.case(25)
def test_a_root_deleted_while_files_are_owed_comes_to_rest(
    watch: Watch, home: Path, photos: Path, tmp_path: Path
) -> None:
    draw(tmp_path / "large", range(60), edge=500)
    (tmp_path / "large").rename(photos / "large")
    for path in (photos / "red").iterdir():
        os.utime(path)
    watch.wait_until(lambda found: found["backlog"] > 10)
    shutil.rmtree(photos)
    found = watch.wait_until(lambda found: found["state"].startswith("degraded"))
    assert str(photos) in found["state"]
    photos.mkdir()
    (photos / "new.png").write_bytes(picture(9))
    watch.wait_until(lambda found: found["state"] == "watching" and not found["backlog"])
    names = {path for path in stored(home) if not path.startswith("large/")}
    assert len(names) == 18 + 1
    oracle(home)
