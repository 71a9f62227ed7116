"""The cache of thumbnails: whole files or none, bounded, shared by threads and processes."""

from __future__ import annotations

import hashlib
import logging
import os
import random
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from searcher.service.thumbnails import Thumbnails
from shared.errors import ImageRefused, QueryError

SHA = hashlib.sha256(b"one").hexdigest()
OTHER = hashlib.sha256(b"two").hexdigest()
PLENTY = 10_000_000


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def used(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def sha(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def test_what_is_put_comes_back(tmp_path: Path) -> None:
    cache = Thumbnails(tmp_path / "c", PLENTY)
    assert cache.get(SHA, 320) is None
    cache.put(SHA, 320, b"small")
    cache.put(SHA, 160, b"")
    assert cache.get(SHA, 320) == b"small"
    assert cache.get(SHA, 160) == b""
    assert cache.get(SHA, 640) is None
    assert cache.get(OTHER, 320) is None
    assert (cache.hits, cache.misses) == (2, 3)
    # Another process, or this one after a restart:
    assert Thumbnails(tmp_path / "c", PLENTY).get(SHA, 320) == b"small"


def test_nobody_else_may_look(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Thumbnails(tmp_path / "c", PLENTY).put(SHA, 320, b"small")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "c").stat().st_mode) == 0o700
    (file,) = (tmp_path / "c").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("sha256", "edge"),
    [
        ("../" * 21 + "a", 320),
        (SHA.upper(), 320),
        (SHA[:-1], 320),
        (SHA + "\n", 320),
        (SHA + "0", 320),
        ("", 320),
        (SHA[:-1] + "\0", 320),
        ("\u0661" * 64, 320),
        (SHA, 321),
        (SHA, -160),
        (SHA, 0),
    ],
)
def test_names_are_checked_before_the_disk_is_touched(
    tmp_path: Path, sha256: str, edge: int
) -> None:
    cache = Thumbnails(tmp_path / "c", PLENTY)
    with pytest.raises(QueryError):
        cache.get(sha256, edge)
    with pytest.raises(QueryError):
        cache.put(sha256, edge, b"x")
    with pytest.raises(QueryError):
        cache.get_or_make(sha256, edge, lambda: b"x")
    assert not (tmp_path / "c").exists()


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def cut_to_nothing(file: Path) -> None:
    os.truncate(file, 0)


def lengthen(file: Path) -> None:
    with file.open("ab") as opened:
        opened.write(b"x")


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-2] ^= 1
    file.write_bytes(data)


def age(file: Path) -> None:
    """As another version of the program would write it."""
    file.write_bytes(b"LKT0" + file.read_bytes()[4:])


def link(file: Path) -> None:
    file.rename(file.parent / "target")
    file.symlink_to("target")


def fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize("damage", [cut, cut_to_nothing, lengthen, flip, age, link, fifo])
def test_damaged_files_are_made_again(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    cache = Thumbnails(tmp_path, PLENTY)
    cache.put(SHA, 320, b"small picture")
    (file,) = tmp_path.iterdir()
    damage(file)
    assert cache.get(SHA, 320) is None
    assert cache.get_or_make(SHA, 320, lambda: b"made again") == b"made again"
    assert cache.get(SHA, 320) == b"made again"


def test_it_is_made_once_for_all_threads(tmp_path: Path) -> None:
    cache, made, all_ask = Thumbnails(tmp_path, PLENTY), [], threading.Barrier(8)

    def make() -> bytes:
        made.append(threading.get_ident())
        # Until every other thread has missed: that is when they wait for this one.
        while cache.misses < 8:
            time.sleep(0.001)
        return b"small"

    found: list[bytes] = []

    def ask() -> None:
        all_ask.wait()
        found.append(cache.get_or_make(SHA, 320, make))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [b"small"] * 8
    assert len(made) == 1
    assert cache.get_or_make(SHA, 320, pytest.fail) == b"small"
    assert (cache.hits, cache.misses) == (1, 8)


def test_what_cannot_be_made_is_tried_again_the_next_time(tmp_path: Path) -> None:
    cache = Thumbnails(tmp_path, PLENTY)

    def refuse() -> bytes:
        raise ImageRefused("is damaged")

    with pytest.raises(ImageRefused, match="is damaged"):
        cache.get_or_make(SHA, 320, refuse)
    assert cache.get_or_make(SHA, 320, lambda: b"small") == b"small"


def test_a_failure_is_everyones_who_waits_for_it(tmp_path: Path) -> None:
    cache, caught = Thumbnails(tmp_path, PLENTY), []

    def refuse() -> bytes:
        while cache.misses < 2:
            time.sleep(0.001)
        raise ImageRefused("is damaged")

    def ask() -> None:
        try:
            cache.get_or_make(SHA, 320, refuse)
        except ImageRefused as error:
            caught.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert caught == ["is damaged"] * 2


def test_the_bound_holds_and_the_least_recently_used_go(tmp_path: Path) -> None:
    cache, bound = Thumbnails(tmp_path, 100_000), 100_000
    for number in range(300):
        cache.put(sha(number), 320, bytes(988))
        for path in tmp_path.glob(f"{sha(number)}*"):
            os.utime(path, (number, number))  # as if a second had passed
        assert used(tmp_path) <= bound
    kept = [number for number in range(300) if cache.get(sha(number), 320) is not None]
    assert kept == list(range(300 - len(kept), 300))
    assert len(kept) >= 70  # the low-water mark is at three quarters


def test_being_used_saves_from_removal(tmp_path: Path) -> None:
    cache = Thumbnails(tmp_path, 100_000)
    cache.put(SHA, 320, bytes(988))
    (file,) = tmp_path.iterdir()
    os.utime(file, (1, 1))
    for number in range(90):
        cache.put(sha(number), 320, bytes(988))
        for path in tmp_path.glob(f"{sha(number)}*"):
            os.utime(path, (2, 2))
    assert cache.get(SHA, 320) is not None  # touches it
    for number in range(90, 130):
        cache.put(sha(number), 320, bytes(988))
    assert cache.get(SHA, 320) is not None
    assert cache.get(sha(0), 320) is None


def test_a_file_is_touched_at_most_once_an_hour(tmp_path: Path) -> None:
    cache = Thumbnails(tmp_path, PLENTY)
    cache.put(SHA, 320, b"small")
    (file,) = tmp_path.iterdir()
    now = time.time()
    for before, touched in ((now - 3000, False), (now - 7200, True), (now + 7200, True)):
        os.utime(file, (before, before))
        cache.get(SHA, 320)
        assert (file.stat().st_mtime != pytest.approx(before, abs=0.01)) is touched


def test_the_folder_is_not_listed_at_every_put(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed, real = [], os.scandir

    def scandir(path: Path) -> object:
        listed.append(path)
        return real(path)

    cache = Thumbnails(tmp_path, 64 * 100_000)
    monkeypatch.setattr("searcher.service.thumbnails.os.scandir", scandir)
    for number in range(1000):
        cache.put(sha(number), 320, bytes(988))
    assert len(listed) == 10


def test_what_is_larger_than_the_bound_is_not_kept(tmp_path: Path) -> None:
    for bound in (0, 10, 1000):
        cache = Thumbnails(tmp_path / "c", bound)
        assert cache.get_or_make(SHA, 320, lambda: bytes(1000)) == bytes(1000)
        assert cache.get(SHA, 320) is None


def test_files_of_others_are_left_alone_and_old_remains_are_removed(tmp_path: Path) -> None:
    theirs = ["holiday.jpg", ".hidden", f"{SHA}.jpg", f"{SHA}-320.thumbnail.bak", ".thumbnail-new"]
    ours = [".0123456789abcdef.thumbnail-new", ".fedcba9876543210.thumbnail-new"]
    for name in theirs + ours:
        (tmp_path / name).write_bytes(bytes(5000))
        os.utime(tmp_path / name, (1, 1))
    os.utime(tmp_path / ours[1])  # being written by another process
    cache = Thumbnails(tmp_path, 10_000)
    for number in range(50):
        cache.put(sha(number), 320, bytes(988))
    assert set(theirs) <= set(names(tmp_path))
    assert ours[0] not in names(tmp_path)
    assert ours[1] in names(tmp_path)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("place", ["file", "file/below", "loop"])
def test_a_folder_that_cannot_be_used_costs_the_cache_and_is_told_once(
    tmp_path: Path, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "loop").symlink_to("loop")
    cache = Thumbnails(tmp_path / place, PLENTY)
    for number in range(3):
        assert cache.get_or_make(sha(number), 320, lambda: b"small") == b"small"
    (told,) = warnings(caplog)
    assert told.startswith(f"thumbnails are not kept in {tmp_path / place}: ")


def test_a_full_disk_costs_the_cache(tmp_path: Path) -> None:
    """As near as a test gets: the kernel lets the process write no more than 100 bytes a file."""
    code = """
import resource, signal, sys
from pathlib import Path
from searcher.service.thumbnails import Thumbnails
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
cache = Thumbnails(Path(sys.argv[1]), 1_000_000)
for edge in (160, 320):
    assert cache.get_or_make("0" * 64, edge, lambda: bytes(1000)) == bytes(1000)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert cache.get("0" * 64, 320) is None
assert list(Path(sys.argv[1]).iterdir()) == []
cache.put("0" * 64, 320, bytes(1000))
assert cache.get("0" * 64, 320) == bytes(1000)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(b"thumbnails are not kept in") == 1


def test_a_folder_that_is_removed_comes_back(tmp_path: Path) -> None:
    cache = Thumbnails(tmp_path / "c", PLENTY)
    cache.put(SHA, 320, b"small")
    for path in (tmp_path / "c").iterdir():
        path.unlink()
    (tmp_path / "c").rmdir()
    assert cache.get_or_make(SHA, 320, lambda: b"again") == b"again"
    assert cache.get(SHA, 320) == b"again"


_WORKER = """
import hashlib, random, sys
from pathlib import Path
from searcher.service.thumbnails import Thumbnails
folder, seed = Path(sys.argv[1]), int(sys.argv[2])
cache, pick = Thumbnails(folder, 200_000), random.Random(seed)
for _ in range(700):
    sha = hashlib.sha256(str(pick.randrange(400)).encode()).hexdigest()
    wanted = sha.encode() * pick.randrange(1, 60)
    found = cache.get_or_make(sha, 320, lambda: wanted)
    assert found == sha.encode() * (len(found) // 64), "a torn or foreign file"
    assert cache.hits + cache.misses
print(cache.hits, cache.misses)
"""


def test_two_processes_share_a_folder(tmp_path: Path) -> None:
    """Each writes, reads and removes what the other does; a third damages what it finds."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(tmp_path), str(seed)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for seed in (1, 2)
    ]
    pick = random.Random(3)
    while any(worker.poll() is None for worker in workers):
        files = list(tmp_path.glob("*.thumbnail"))
        if files:
            victim = pick.choice(files)
            if victim.exists():
                try:
                    os.truncate(victim, victim.stat().st_size // 2)
                except FileNotFoundError:
                    continue
        time.sleep(0.002)
    for worker in workers:
        out, err = worker.communicate()
        assert worker.returncode == 0, err.decode()
        assert err == b""
        hits, misses = map(int, out.split())
        assert hits
        assert misses
    assert used(tmp_path) <= 200_000 * (1 + 2 / 64) + 2 * 3852
    assert all(name.endswith(".thumbnail") for name in names(tmp_path))
