"""Cases 6 to 10: disks that are full, read-only or damaged."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.daemons import Watch, indexer, searcher
from tests.faults.conftest import oracle
from tests.faults.disks import fill, free_bytes, mounted, tmpfs
from tests.homes import draw_photos, make_home

MARK = 8 * 2**20
"""Where indexing pauses on the small disks of this file."""
Need = Callable[[str], None]


@pytest.fixture
def small_home(
    tmp_path: Path, photos: Path, tiny_tflite: Path, needs_privilege: Need
) -> Iterator[Path]:
    """A home on a disk of its own, of 64 MiB."""
    with mounted(tmp_path / "small", needs_privilege, *tmpfs(64)) as home:
        make_home(home, photos, tiny_tflite, indexed=False)
        (home / "settings.toml").write_text(f"min_free_bytes = {MARK}\n")
        yield home


@pytest.mark.case(6)
def test_indexing_pauses_at_the_mark_and_resumes(small_home: Path, photos: Path) -> None:
    with Watch(small_home, photos) as watch:
        watch.settled(18)
        filler = fill(small_home, leave=MARK // 2)
        draw_photos(photos / "more", 10)
        (photos / "red/0.jpg").unlink()
        found = watch.wait_until(lambda found: found["state"].startswith("paused: disk full"))
        assert "min_free_bytes=8 MiB: make room" in found["state"]
        time.sleep(1.5)
        assert watch.status()["images"] == 18  # type: ignore[index]
        options = ("--home", small_home, "--self", "--paths")
        answer = searcher("query", photos / "red/1.jpg", *options)
        assert answer.stdout.startswith(str(photos / "red/1.jpg"))
        filler.unlink()
        watch.settled(17 + 30)
        assert watch.text().count("paused: disk full") == 1
    oracle(small_home)


@pytest.mark.case(6)
def test_a_disk_that_fills_while_pictures_are_indexed(small_home: Path, photos: Path) -> None:
    draw_photos(photos / "many", 300, edge=24)
    with Watch(small_home, photos, LOOKALIKE_BATCH_SIZE="8") as watch:
        watch.wait_until(lambda found: found["images"] > 50)
        # The mark lasts .24 s: as if its default were overrun at a gigabyte a second.
        filler = fill(small_home, rest=0.03)
        found = watch.wait_until(lambda found: found["state"].startswith("paused: disk full"))
        assert free_bytes(small_home) < MARK
        assert found["images"] < 918
        filler.unlink()
        watch.settled(918)
    oracle(small_home)


@pytest.mark.case(6)
def test_a_disk_that_fills_within_one_write_loses_nothing(small_home: Path, photos: Path) -> None:
    """Without a mark, as if it were overrun at once: SIGBUS ends the daemon if the store's maps
    meet the full disk first, and it waits if the journal or a new file does."""
    draw_photos(photos / "many", 300, edge=24)
    (small_home / "settings.toml").write_text("min_free_bytes = 0\n")
    with Watch(small_home, photos, LOOKALIKE_BATCH_SIZE="8") as watch:
        watch.wait_until(lambda found: found["images"] > 50)
        filler = fill(small_home)
        while watch.process.poll() is None and "disk full" not in watch.text():
            time.sleep(0.1)
        watch.process.kill()
        assert watch.process.wait() in (-signal.SIGBUS, -signal.SIGKILL)
    filler.unlink()
    with Watch(small_home, photos) as watch:
        watch.settled(918)
    oracle(small_home)


@pytest.mark.case(6)
def test_a_disk_without_any_room(small_home: Path, photos: Path) -> None:
    with Watch(small_home, photos) as watch:
        watch.settled(18)
        filler = fill(small_home)
        (photos / "red/0.jpg").unlink()
        shutil.copy(photos / "blue/0.jpg", photos / "new.jpg")
        watch.wait_until(lambda found: found["state"].startswith("paused: disk full"))
        assert watch.stop() == 0
    done = indexer("scan", "--home", small_home, check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert str(small_home) in done.stderr
    with Watch(small_home, photos) as watch:  # it waits, or says why it cannot even begin
        while "disk full" not in watch.text() and watch.process.poll() is None:
            time.sleep(0.1)
        assert watch.process.poll() in (None, 1), watch.text()
    filler.unlink()
    filler = fill(small_home, leave=MARK // 2)
    with Watch(small_home, photos) as watch:
        watch.wait_until(lambda found: found["state"].startswith("paused: disk full"))
        filler.unlink()
        watch.settled(18)
    oracle(small_home)


@pytest.mark.case(6)
def test_a_store_with_a_disk_of_its_own(home: Path, photos: Path, needs_privilege: Need) -> None:
    (home / "settings.toml").write_text(f"min_free_bytes = {MARK}\n")
    with mounted(home / "store", needs_privilege, *tmpfs(64)) as store:
        with Watch(home, photos) as watch:
            watch.settled(18)
            filler = fill(store)
            draw_photos(photos / "more", 10)
            (photos / "red/0.jpg").unlink()
            found = watch.wait_until(lambda found: found["state"].startswith("paused: disk full"))
            assert str(store) in found["state"]
            filler.unlink()
            watch.settled(17 + 30)
        oracle(home)


@pytest.mark.case(7)
def test_a_full_disk_below_the_journal(
    tmp_path: Path, photos: Path, tiny_tflite: Path, needs_privilege: Need
) -> None:
    """The store has room on another disk; the mark is off, so that the journal's writes fail."""
    home, store = tmp_path / "small", tmp_path / "store"
    with mounted(home, needs_privilege, *tmpfs(4)):
        make_home(home, photos, tiny_tflite, indexed=False)
        store.mkdir()
        (home / "store").mkdir()
        with mounted(home / "store", needs_privilege, "--bind", str(store)):
            (home / "settings.toml").write_text("min_free_bytes = 0\n")
            indexer("scan", photos, "--home", home)
            draw_photos(photos / "more", 200)
            filler = fill(home, leave=100_000)
            done = indexer("scan", "--home", home, check=False)
            assert done.returncode == 1
            lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
            assert lines == done.stderr.splitlines()[-1:]
            assert f"{home / 'journal.sqlite3'}: database or disk is full: make room" in lines[0]
            filler.unlink()
            with Watch(home, photos) as watch:
                watch.settled(618)
                _fill_under(watch, home, photos)
                watch.settled(619)
            oracle(home)


def _fill_under(watch: Watch, home: Path, photos: Path) -> None:
    """Fill the journal's disk under a running daemon: it waits, and says so once."""
    filler = fill(home)
    shutil.copy(photos / "red/0.jpg", photos / "late.jpg")
    watch.wait_until(lambda found: found["state"].startswith("paused: disk full"))
    filler.unlink()


@pytest.mark.case(8)
def test_a_read_only_home_is_refused_and_named(
    home: Path, photos: Path, needs_privilege: Need
) -> None:
    draw_photos(photos, 20)  # enough to train on
    indexer("scan", photos, "--home", home)
    with mounted(home, needs_privilege, "--bind", "-o", "ro", str(home)):
        if os.access(home, os.W_OK):
            needs_privilege("a read-only bind mount")
        for command in ("train", "scan", "watch"):
            done = indexer(command, photos, "--home", home, check=False)
            assert (done.returncode, done.stdout) == (1, ""), command
            *before, last = done.stderr.splitlines()
            assert before == [] or command == "train", done.stderr
            assert str(home) in last
            assert "Read-only" in last
            assert "epoch" not in done.stderr
        for done in (
            indexer("doctor", "--home", home, check=False),
            searcher("query", photos / "red/0.jpg", "--home", home, check=False),
        ):
            assert done.returncode == 1
            assert len(done.stderr.splitlines()) == 1, done.stderr
            assert str(home) in done.stderr
    oracle(home)


@pytest.fixture
def killed_home(home: Path, photos: Path) -> Path:
    """A home whose daemon was killed while most of its points were in the log alone."""
    draw_photos(photos / "many", 200)
    with Watch(home, photos, LOOKALIKE_BATCH_SIZE="1") as watch:
        watch.wait_until(lambda found: found["images"] > 60)
        watch.stop(signal.SIGKILL)
        assert watch.status()["backlog"] > 0, "it was done before it was killed"  # type: ignore[index]
    return home


def _logs(home: Path) -> list[tuple[Path, int]]:
    """The store's log files with entries, each with the length of what is written."""
    found = []
    for path in (home / "store").glob("*/wal/*"):
        written = len(path.read_bytes().rstrip(b"\0"))
        if path.name.startswith(("open-", "closed-")) and written > 100:
            found.append((path, written))
    assert found
    return found


def _damage(path: Path, place: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        before = file.read(16)
        file.seek(place)
        file.write(bytes(byte ^ 0xAA for byte in before))


@pytest.mark.case(9)
def test_a_damaged_log_header_is_found_and_doctor_builds_the_store_again(
    killed_home: Path, photos: Path
) -> None:
    for path, _ in _logs(killed_home):
        _damage(path, 0)
    for command in ("scan", "doctor", "watch"):
        done = indexer(command, "--home", killed_home, check=False)
        assert done.returncode == 1
        last = done.stderr.splitlines()[-1]
        assert last.startswith(f"error: store {killed_home / 'store'}")
        assert "indexer doctor --repair" in last
    indexer("doctor", "--repair", "--home", killed_home)
    assert oracle(killed_home)["points"] == 618


@pytest.mark.case(10)
@pytest.mark.parametrize("command", ["scan", "watch"])
def test_a_log_damaged_in_the_middle_loads_short_and_the_missing_are_indexed_again(
    killed_home: Path, photos: Path, command: str
) -> None:
    for path, written in _logs(killed_home):
        _damage(path, written // 2)
    found = indexer("doctor", "--home", killed_home, "--json", check=False)
    assert found.returncode == 1
    assert "the store has no point for it" in found.stdout
    if command == "scan":
        indexer("scan", "--home", killed_home)
    else:
        with Watch(killed_home, photos) as watch:
            watch.settled(618)
    assert oracle(killed_home)["points"] == 618
