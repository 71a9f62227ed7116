"""The file in which the daemon says what it does."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from shared.daemon_report import DaemonReport, read_report, remove_report, write_report
from shared.heartbeat import STALE_SECONDS, beat
from shared.lock import HomeLock
from shared.work_progress import WorkProgress

REPORT = DaemonReport(
    os.getpid(),
    "indexing: 2 of 9, 3 s left",
    *(1, 7, 1),
    "2026-01-02T03:04:05+00:00",
    WorkProgress(2, 9, 3.0),
)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Path]:
    """The run folder of a home in which this process is the daemon."""
    with HomeLock(tmp_path, "indexer watch"):
        beat(tmp_path)
        yield tmp_path


def test_what_was_written_is_read_until_it_is_removed(run: Path) -> None:
    assert read_report(run) is None
    for report in (REPORT, DaemonReport(os.getpid(), "watching", 8, 0, 1, REPORT.at)):
        assert write_report(run, report)
        assert read_report(run) == report
    remove_report(run)
    assert read_report(run) is None
    remove_report(run)
    assert sorted(path.name for path in run.iterdir()) == ["heartbeat", "indexer.lock"]


def test_nobody_runs_nothing_is_reported(tmp_path: Path) -> None:
    with HomeLock(tmp_path, "indexer watch"):
        write_report(tmp_path, REPORT)
        assert read_report(tmp_path) == REPORT
    assert read_report(tmp_path) is None


def test_the_report_of_an_earlier_process_is_not_the_present_one(run: Path) -> None:
    write_report(run, DaemonReport(os.getppid(), "watching", 1, 2, 3, REPORT.at))
    assert read_report(run) is None


def test_a_daemon_that_hangs_reports_nothing(run: Path) -> None:
    write_report(run, REPORT)
    long_ago = time.time() - STALE_SECONDS - 5
    os.utime(run / "heartbeat", (long_ago, long_ago))
    assert read_report(run) is None
    beat(run)
    assert read_report(run) == REPORT


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        json.dumps({"format": 1}).encode(),
        json.dumps({"format": 1, "pid": None}).encode(),
        json.dumps({"format": 2} | asdict(REPORT) | {"progress": 7}).encode(),
        json.dumps({"format": 2} | asdict(REPORT) | {"progress": {"done": 1}}).encode(),
    ],
)
def test_a_damaged_file_is_none(run: Path, damaged: bytes) -> None:
    (run / "report.json").write_bytes(damaged)
    assert read_report(run) is None


def test_a_later_version_is_none(run: Path) -> None:
    write_report(run, REPORT)
    value = json.loads((run / "report.json").read_text())
    (run / "report.json").write_text(json.dumps(value | {"format": 3}))
    assert read_report(run) is None


def test_the_first_version_is_read_without_progress(run: Path) -> None:
    state, at = "catching up 2 of 9", REPORT.at
    value = {"format": 1, "pid": os.getpid(), "state": state, "at": at}
    (run / "report.json").write_text(json.dumps(value | {"indexed": 1, "backlog": 7, "refused": 1}))
    found = read_report(run)
    assert found == replace(REPORT, state=state, progress=None)
    assert found.is_indexing


def test_what_cannot_be_written_leaves_no_older_report(run: Path) -> None:
    write_report(run, REPORT)
    (run / ".report.json-new").mkdir()  # in the way of every write, whoever runs this
    assert not write_report(run, REPORT)
    assert not (run / "report.json").exists()
    assert not write_report(run / "missing", REPORT)
