"""Cases 31 and 32: too few watches, and a clock that jumps."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.daemons import Watch
from tests.faults.conftest import oracle

Need = Callable[[str], None]

LIMIT = "user namespaces with a limit of watches of their own"


def _with_few_watches(number: int, needs_privilege: Need) -> tuple[str, ...]:
    """A command under which so many inotify watches may exist: a user namespace of its own."""
    script = f'echo {number} > /proc/sys/user/max_inotify_watches && exec "$@"'
    under = ("unshare", "--user", "--map-root-user", "sh", "-c", script, "sh")
    done = subprocess.run([*under, "true"], capture_output=True, check=False, timeout=60)
    if done.returncode:
        needs_privilege(f"{LIMIT}: {done.stderr.decode().strip()}")
    return under


def _lists_at_intervals(watch: Watch) -> None:
    found = watch.wait_until(lambda found: found["state"].startswith("degraded: "))
    assert "listing it at intervals" in found["state"]


@pytest.mark.case(31)
@pytest.mark.parametrize("watches", [0, 3])
def test_without_enough_watches_it_lists_at_intervals(
    home: Path, photos: Path, needs_privilege: Need, watches: int
) -> None:
    """The root and its three folders need four."""
    with Watch(home, photos, under=_with_few_watches(watches, needs_privilege)) as watch:
        watch.wait_until(lambda found: found["images"] == 18)
        _lists_at_intervals(watch)
        for folder in ("red", "green", "blue"):  # one of them at least is not watched
            shutil.copy(photos / "red/0.jpg", photos / folder / "new.jpg")
        watch.wait_until(lambda found: found["images"] == 21)
        _lists_at_intervals(watch)
    oracle(home)


@pytest.mark.case(31)
def test_a_new_folder_reaches_the_limit(home: Path, photos: Path, needs_privilege: Need) -> None:
    with Watch(home, photos, under=_with_few_watches(6, needs_privilege)) as watch:
        watch.settled(18)
        for number in range(3):
            (photos / f"new-{number}").mkdir()
        _lists_at_intervals(watch)
        time.sleep(1)  # the listing that the new folders caused is over
        for number in range(3):
            shutil.copy(photos / "red/0.jpg", photos / f"new-{number}/late.jpg")
        watch.wait_until(lambda found: found["images"] == 21)
    oracle(home)


def _faketime() -> Path | None:
    """Debian's libfaketime, wherever this architecture keeps it."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return found[0] if found else None


def _moved(log: str) -> bool:
    """Whether the program that wrote the log saw its clock on another day."""
    days = {line[:10] for line in log.splitlines() if line[:2] == "20"}
    return len(days) > 1


@pytest.mark.case(32)
@pytest.mark.parametrize("jump", ["+1d", "-1d"])
def test_the_clock_jumps_a_day(
    home: Path, photos: Path, tmp_path: Path, needs_privilege: Need, jump: str
) -> None:
    library = _faketime()
    if library is None:
        needs_privilege("libfaketime (Debian package faketime)")
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    fake = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    with Watch(home, photos, **fake) as watch:
        watch.settled(18)
        clock.write_text(f"{jump}\n")
        shutil.copy(photos / "red/0.jpg", photos / "after.jpg")
        watch.wait_until(lambda found: found["images"] == 19, seconds=20)
        (photos / "after.jpg").unlink()
        watch.wait_until(lambda found: found["images"] == 18, seconds=20)
        watch.wait_until(lambda found: _moved(watch.text()), seconds=20)
        clock.write_text("+0\n")
        shutil.copy(photos / "red/1.jpg", photos / "back.jpg")
        watch.settled(19, encoded=18)
    oracle(home)
