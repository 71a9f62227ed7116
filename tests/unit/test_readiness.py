"""What a search says while an indexer is at work on its home."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from shared.daemon_report import DaemonReport, write_report
from shared.errors import LookalikeError, ModelError, NoModel, NotReady, StoreMissing
from shared.heartbeat import STALE_SECONDS, beat
from shared.lock import HomeLock
from shared.readiness import explained, indexing_remark

ADVICE = NoModel("no model: run `indexer watch DIR` first")


def _told(run: Path, error: LookalikeError = ADVICE) -> str:
    """What a user reads about the error."""
    with pytest.raises(LookalikeError) as told, explained(run):
        raise error
    return str(told.value)


def _report(run: Path, state: str, indexed: int = 0) -> None:
    beat(run)
    write_report(run, DaemonReport(os.getpid(), state, indexed, 0, 0, "2026-01-01T00:00:00+00:00"))


def test_without_an_indexer_the_advice_stays(tmp_path: Path) -> None:
    _report(tmp_path, "indexing: 1 of 2")  # left behind by one that was killed
    assert _told(tmp_path) == str(ADVICE)
    assert indexing_remark(tmp_path) is None


@pytest.mark.parametrize("error", [ADVICE, StoreMissing("run `indexer scan DIR` first")])
@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("indexing: 0 of 1,000, 7 s left", "indexing: 0 of 1,000, 7 s left"),
        ("fitting clusters of 1,000 images", "fitting clusters of 1,000 images"),
        ("degraded: folder '/secret'", "the indexer is degraded, see `indexer status`"),
        ("watching", "no image has been found in the watched folders"),
    ],
)
def test_the_state_takes_the_place_of_the_advice(
    tmp_path: Path, error: LookalikeError, state: str, words: str
) -> None:
    with HomeLock(tmp_path, "indexer watch"):
        _report(tmp_path, state)
        with pytest.raises(NotReady) as told, explained(tmp_path):
            raise error
        assert str(told.value) == f"nothing is indexed yet: {words}"


def test_an_indexer_that_has_done_its_work_explains_nothing(tmp_path: Path) -> None:
    with HomeLock(tmp_path, "indexer watch"):
        _report(tmp_path, "watching", indexed=3)
        assert _told(tmp_path) == str(ADVICE)


def test_other_errors_pass(tmp_path: Path) -> None:
    with HomeLock(tmp_path, "indexer watch"):
        _report(tmp_path, "indexing: 1 of 2")
        assert _told(tmp_path, ModelError("damaged")) == "damaged"


def test_one_that_has_not_reported_is_named(tmp_path: Path) -> None:
    with HomeLock(tmp_path, "indexer watch"):
        assert _told(tmp_path) == "nothing is indexed yet: `indexer watch` is starting"
    with HomeLock(tmp_path, "indexer scan"):
        assert _told(tmp_path) == "nothing is indexed yet: busy with `indexer scan`"


def test_one_that_hangs_is_not_indexing(tmp_path: Path) -> None:
    with HomeLock(tmp_path, "indexer watch"):
        _report(tmp_path, "indexing: 1 of 2")
        assert indexing_remark(tmp_path) == "indexing: 1 of 2"
        long_ago = time.time() - STALE_SECONDS - 15
        os.utime(tmp_path / "heartbeat", (long_ago, long_ago))
        assert indexing_remark(tmp_path) is None
        assert "has not responded for 75 s: restart it" in _told(tmp_path)


def test_only_images_that_are_coming_are_worth_a_remark(tmp_path: Path) -> None:
    with HomeLock(tmp_path, "indexer watch"):
        for state in ("watching", "relabelling: 1 of 9", "degraded: x", "paused: disk full"):
            _report(tmp_path, state, indexed=9)
            assert indexing_remark(tmp_path) is None
