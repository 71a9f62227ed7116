"""Every case of bad input and fault, and a table of their outcomes at the end of the run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.daemons import indexer
from tests.faults.served import HTML, listing, point_outside
from tests.homes import draw_photos, make_home
from tests.services import Service

CASES = {
    1: "kill -9 at random moments",
    2: "killed after decode, after upsert, before the journal's commit",
    3: "kill -9 of the store's owner while others query",
    4: "SIGTERM under load",
    5: "a second SIGTERM or Ctrl-C",
    6: "the store's disk is full",
    7: "the journal's disk is full",
    8: "the home is read-only",
    9: "the store's log header is damaged",
    10: "the store's log is damaged in the middle",
    11: "two daemons on one home",
    12: "the Qdrant server is away, or loses a node",
    13: "the server answers 429, 507, 503, late or not at all",
    14: "the server stops answering",
    15: "10,000 files at once",
    16: "the daemon is stopped while 10,000 files arrive",
    17: "a file is written slowly in 20 pieces",
    18: "the daemon is restarted in the middle of that",
    19: "temporary names, then a rename",
    20: "1,000 renames",
    21: "folder trees moved in, out, renamed",
    22: "same name, size and mtime, other content",
    23: "one content under two names",
    24: "deleted while being decoded",
    25: "a watched root is deleted and made again",
    26: "a root is unmounted",
    27: "a symlink loop, a link out of the root",
    28: "FIFO, socket, device, a folder named x.jpg",
    29: "unreadable, then readable",
    30: "names that are not UTF-8, with newlines, 255 bytes long",
    31: "the inotify limit is reached",
    32: "the clock jumps a day",
    33: "odd, truncated, bit-flipped, empty images and bombs",
    34: "16-bit, CMYK, palette, alpha, animated, EXIF orientations",
    35: "a decoder that hangs or crashes",
    36: "1x1, all black, an encoder that yields NaN",
    37: "a bundle missing, damaged, of another size, swapped",
    38: "an upload too large, with and without a length",
    39: "slow heads, slow bodies, slow readers",
    40: "requests that are none, paths that leave the roots",
    41: "200 clients at once",
    42: "one of two searchers killed under load",
    43: "relabelling interrupted by kill -9",
    44: "file names with HTML in them",
    45: "a folder or file answers EIO, ESTALE, EACCES or another error inside a listed parent",
    46: "inode or device numbers of 2^63 and more",
    47: "a file of the year 1601 or 2400",
    48: "an unexpected exception for one path, at every step",
    49: "a read fails, and works later",
    53: "two existing folders under one root name",
    55: "ICC profiles: Display-P3, Adobe RGB, ProPhoto, CMYK",
    56: "a chunk too large or with a wrong checksum beside the pixels",
    57: "light or dark drawings on transparent ground",
    58: "camera raw that looks like a small TIFF",
}
"""The cases, by the number that the tests are marked with."""

_outcomes: dict[int, list[tuple[str, str]]] = {}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Remember the outcome of every test that is marked with a case."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    marker = item.get_closest_marker("case")
    if marker is None or not (report.when == "call" or report.outcome != "passed"):
        return
    reason = (
        str(report.longrepr[2]) if report.skipped and isinstance(report.longrepr, tuple) else ""
    )
    for number in marker.args:
        _outcomes.setdefault(number, []).append((report.outcome, reason))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table: one line a case; a case without a test stands out."""
    if not _outcomes:
        return
    terminalreporter.section("cases")
    for number, title in CASES.items():
        found = _outcomes.get(number, [])
        worst = next((word for word in ("failed", "skipped", "passed") if word in dict(found)), "-")
        reasons = "; ".join(sorted({reason for _, reason in found if reason}))
        terminalreporter.write_line(
            f"{number:>3}  {worst:<8} {len(found):>3} tests  {title}"
            + (f" ({reasons})" if reasons else "")
        )


@pytest.fixture
def needs_privilege() -> Callable[[str], None]:
    """Skip with a reason where a privilege is lacking; fail instead on CI, where none may hide."""

    def refuse(reason: str) -> None:
        if os.environ.get("CI"):
            pytest.fail(f"CI must provide this: {reason}")
        pytest.skip(reason)

    return refuse


def oracle(home: Path, *, deep: bool = True) -> dict[str, Any]:
    """Ask `indexer doctor` whether all holds that must hold once things are quiet."""
    done = indexer("doctor", "--home", home, "--json", *(["--deep"] if deep else []), check=False)
    if not done.stdout:
        raise AssertionError(f"doctor exited {done.returncode}: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["well"], found
    return found


@pytest.fixture(scope="module")
def served_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("service")
    for name in ("temporary", "working"):
        (folder / name).mkdir()
    return folder


@pytest.fixture(scope="module")
def served(served_folder: Path, tiny_tflite: Path) -> Iterator[Service]:
    folder = served_folder
    photos = draw_photos(folder / "photos")
    photos[0].rename(folder / "photos" / HTML)
    make_home(folder / "home", folder / "photos", tiny_tflite)
    point_outside(folder / "home")
    with Service(
        folder / "home", folder=folder / "working", TMPDIR=str(folder / "temporary")
    ) as service:
        yield service


@pytest.fixture
def untouched(served: Service, served_folder: Path) -> Iterator[None]:
    """Nothing is written: not in the home, not beside it, not where the process works."""
    # The store is opened with the first question, which writes who holds it.
    before = served.get("/stats").json["images"], listing(served_folder)
    yield
    assert (served.get("/stats").json["images"], listing(served_folder)) == before
