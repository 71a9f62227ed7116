"""What a real daemon reports of itself, from its first wait to its end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

from shared.daemon_report import DaemonReport, read_report
from tests.daemons import DEADLINE_SECONDS, Watch
from tests.homes import draw_photos


def _followed(home: Path, true: Callable[[DaemonReport], bool]) -> list[DaemonReport]:
    """Every report until one satisfies `true`."""
    seen: list[DaemonReport] = []
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not seen or not true(seen[-1]):
        assert time.monotonic() < deadline, seen
        report = read_report(home / "run")
        if report is not None and report not in seen[-1:]:
            seen.append(report)
        time.sleep(0.005)
    return seen


def test_it_follows_the_backlog_and_goes_with_the_daemon(home: Path, photos: Path) -> None:
    with Watch(home, photos) as watch:
        _followed(home, lambda report: (report.state, report.indexed) == ("watching", 18))
        draw_photos(photos / "more", 40)
        (photos / "more" / "broken.jpg").write_bytes(b"no picture")
        seen = _followed(home, lambda report: (report.indexed, report.backlog) == (138, 0))
        busy = [report for report in seen if report.backlog]
        assert busy
        assert all(report.state.startswith("indexing: ") for report in busy)
        assert all(report.state == f"indexing: {report.progress}" for report in busy)
        last = _followed(home, lambda report: report.refused == 1)[-1]
        assert last.pid == watch.process.pid
        assert watch.stop() == 0
        assert not (home / "run/report.json").exists()


def test_nothing_is_read_once_the_daemon_was_killed(home: Path, photos: Path) -> None:
    with Watch(home, photos) as watch:
        _followed(home, lambda report: report.state == "watching")
        watch.process.send_signal(signal.SIGKILL)
        watch.process.wait()
        assert (home / "run/report.json").exists()
        assert read_report(home / "run") is None


def test_it_says_that_it_waits_for_its_first_pictures(tmp_path: Path) -> None:
    photos, home = tmp_path / "photos", tmp_path / "home"
    photos.mkdir()
    with Watch(home, photos):
        found = _followed(home, lambda report: report.state.startswith("waiting for images: 0 "))
        assert (found[-1].indexed, found[-1].backlog) == (0, 0)
        draw_photos(photos, 4)
        seen = _followed(home, lambda report: report.state == "watching" and report.indexed == 12)
        fitting = "fitting clusters of 12 images"
        assert any((one.state, one.backlog) == (fitting, 12) for one in seen)


def test_progress_adds_up_while_files_arrive_and_disappear(home: Path, photos: Path) -> None:
    with Watch(home, photos):
        _followed(home, lambda report: (report.state, report.indexed) == ("watching", 18))
        seen: list[DaemonReport] = []
        for part in ("a", "b", "c"):
            draw_photos(photos / part, 60)
            seen += _followed(home, lambda report: report.is_indexing)
            for file in sorted((photos / part / "red").iterdir())[::2]:
                file.unlink()
        whole = 18 + 3 * (180 - 30)
        seen += _followed(home, lambda one: (one.state, one.indexed) == ("watching", whole))
    done = 0
    for report in seen:
        if report.progress is None:
            done = 0
            continue
        assert done <= report.progress.done <= report.progress.total
        assert report.progress.total - report.progress.done == report.backlog
        done = report.progress.done
    assert done == 0
    assert any(report.progress for report in seen)
