"""What cannot be looked at is unknown, not absent; odd inode numbers and dates stop nothing."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.daemons import Watch, indexer, status
from tests.faults.conftest import oracle
from tests.homes import draw_photos

Need = Callable[[str], None]


@contextmanager
def mirrored(folder: Path, mount: Path, need: Need, *options: str) -> Iterator[Path]:
    """The folder seen through FUSE at `mount`."""
    if not Path("/dev/fuse").exists():
        pytest.skip("this machine has no /dev/fuse; tests/unit/test_listing.py has the same faults")
    mount.mkdir()
    command = [sys.executable, "-m", "tests.faults.fuse_mirror", str(folder), str(mount), *options]
    process = subprocess.Popen(command)
    try:
        while not os.path.ismount(mount):
            if process.poll() is not None:
                need("fusermount3 (Debian package fuse3)")
            time.sleep(0.05)
        yield mount
    finally:
        subprocess.run(["fusermount3", "-u", "-z", mount], check=False)  # noqa: S607
        process.terminate()
        process.wait()


@pytest.fixture
def bad(photos: Path) -> Path:
    """Photographs of which the folder `bad` and one file can be made to fail."""
    (photos / "red").rename(photos / "bad")
    (photos / "blue/0.jpg").rename(photos / "blue/bad.jpg")
    return photos


@pytest.mark.case(45, 46)
@pytest.mark.parametrize("name", ["EIO", "ESTALE", "EACCES", "ETIMEDOUT"])
def test_a_folder_that_fails_inside_a_listed_parent_keeps_its_points(
    home: Path, bad: Path, tmp_path: Path, needs_privilege: Need, name: str
) -> None:
    flag, number = tmp_path / "flag", str(getattr(errno, name))
    with mirrored(bad, tmp_path / "mount", needs_privilege, str(flag), number) as mount:
        indexer("scan", mount, "--home", home)
        assert oracle(home)["points"] == 18
        flag.touch()
        (bad / "green/0.jpg").unlink()
        done = indexer("scan", mount, "--home", home)
        assert "nothing is deleted there" in done.stderr
        found = status(home)
        assert found["images"] == 17  # all but the one that is really gone
        (root,) = found["roots"]
        assert "'bad': " in root["problem"]
        assert "'blue/bad.jpg': " in root["problem"]
        told = indexer("doctor", "--home", home, "--json", check=False)
        assert told.returncode == 1
        assert '"orphaned": []' in told.stdout
        flag.unlink()
        indexer("scan", mount, "--home", home)
        assert status(home)["roots"][0]["problem"] is None
        assert oracle(home)["points"] == 17


@pytest.mark.case(45)
def test_a_daemon_is_degraded_while_a_folder_fails_and_well_afterwards(
    home: Path, bad: Path, tmp_path: Path, needs_privilege: Need
) -> None:
    flag = tmp_path / "flag"
    with (
        mirrored(bad, tmp_path / "mount", needs_privilege, str(flag)) as mount,
        Watch(home, mount, LOOKALIKE_RESCAN_SECONDS="1") as watch,
    ):
        watch.settled(18)
        flag.touch()
        found = watch.wait_until(lambda found: found["state"].startswith("degraded: cannot be"))
        assert found["images"] == 18
        flag.unlink()
        watch.settled(18)
        assert watch.stop() == 0


@pytest.mark.case(47)
def test_files_of_the_years_1601_and_2400_are_indexed(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "old and new"
    draw_photos(folder, 2)
    seconds = {"red/0.jpg": 13_569_465_600, "blue/0.jpg": -2_000_000_000, "green/0.jpg": -1}
    for name, moment in seconds.items():
        os.utime(folder / name, (0, moment))
    for _ in range(2):
        indexer("scan", folder, "--home", home)
        assert status(home)["images"] == 6
    indexer("doctor", "--repair", "--home", home)
    assert oracle(home)["points"] == 6


@pytest.mark.case(49)
@pytest.mark.parametrize(
    ("name", "retry"),
    [
        ("EIO", ["scan"]),
        ("ESTALE", ["doctor", "--repair"]),
        ("EACCES", ["scan"]),
        ("EMFILE", ["doctor", "--repair"]),
    ],
)
def test_a_file_that_cannot_be_read_waits_and_keeps_its_point(
    home: Path, photos: Path, tmp_path: Path, needs_privilege: Need, name: str, retry: list[str]
) -> None:
    (photos / "red/0.jpg").rename(photos / "red/worn.jpg")
    flag, number = tmp_path / "flag", str(getattr(errno, name))
    with mirrored(photos, tmp_path / "mount", needs_privilege, str(flag), number) as mount:
        indexer("scan", mount, "--home", home)
        flag.touch()
        shutil.copy(photos / "blue/1.jpg", photos / "red/worn too.jpg")
        os.utime(photos / "red/worn.jpg")
        for _ in range(2):
            assert indexer("scan", mount, "--home", home).returncode == 0
            found = status(home)
            assert found["images"] == 18
            assert found["refused"] == []
            reasons = {one["path"]: one["reason"] for one in found["waiting"]}
            assert set(reasons) == {"red/worn.jpg", "red/worn too.jpg"}
            assert all(one.startswith("cannot be read: ") for one in reasons.values())
        flag.unlink()
        indexer(*retry, "--home", home)
        assert status(home)["images"] == 19
        assert status(home)["waiting"] == []
        assert oracle(home)["points"] == 19
