from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from shared.errors import AlreadyRunning, LookalikeError
from shared.lock import HomeLock, holder, is_running


def test_one_at_a_time_and_the_other_is_told_who(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    with HomeLock(tmp_path, "indexer watch"):
        assert is_running(tmp_path)
        assert holder(tmp_path) == ("indexer watch", os.getpid())
        with pytest.raises(AlreadyRunning, match=rf"`indexer watch` \(process {os.getpid()}\)"):
            HomeLock(tmp_path, "indexer scan")
    assert not is_running(tmp_path)
    HomeLock(tmp_path, "indexer scan").close()


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the home should be")
    with pytest.raises(LookalikeError, match=r"home .*home cannot be written"):
        HomeLock(tmp_path / "home" / "run", "indexer watch")


def test_who_asks_for_an_instant_keeps_nobody_from_starting(tmp_path: Path) -> None:
    HomeLock(tmp_path, "indexer scan").close()
    with (tmp_path / "indexer.lock").open("rb") as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        threading.Timer(0.1, fcntl.flock, (asking, fcntl.LOCK_UN)).start()
        HomeLock(tmp_path, "indexer watch").close()
