from __future__ import annotations

import os
import time
from pathlib import Path

from indexer.settling import MAX_FILES, Settling, has_rested, look
from shared.reading import Signature


def _rested_after(settling: Settling, seconds: float, root: Path) -> list[bytes]:
    time.sleep(seconds)
    return [path for _, path, _ in settling.rested({"r": os.fsencode(root)})]


def test_a_file_rests_only_after_it_stopped_changing(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"1")
    settling = Settling(0.2)
    first = look(os.fsencode(file))
    assert first is not None
    settling.watch("r", b"a.jpg", first)
    assert _rested_after(settling, 0.05, tmp_path) == []
    file.write_bytes(b"22")
    assert _rested_after(settling, 0.2, tmp_path) == []
    assert len(settling) == 1
    assert _rested_after(settling, 0.25, tmp_path) == [b"a.jpg"]
    assert len(settling) == 0


def test_a_file_that_is_gone_is_dropped(tmp_path: Path) -> None:
    settling = Settling(0.01)
    settling.watch("r", b"gone.jpg", Signature(1, 2, 3, 4, 5))
    settling.watch("other", b"a.jpg", Signature(1, 2, 3, 4, 5))
    assert _rested_after(settling, 0.02, tmp_path) == []
    assert len(settling) == 0
    assert settling.next_seconds() is None


def test_seeing_the_same_state_again_does_not_start_over(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"1")
    found = look(os.fsencode(file))
    assert found is not None
    settling = Settling(0.2)
    settling.watch("r", b"a.jpg", found)
    time.sleep(0.15)
    settling.watch("r", b"a.jpg", found)
    assert _rested_after(settling, 0.1, tmp_path) == [b"a.jpg"]


def test_the_number_of_files_is_bounded() -> None:
    settling = Settling(1)
    sign = Signature(1, 2, 3, 4, 5)
    assert all(settling.watch("r", b"%d" % number, sign) for number in range(MAX_FILES))
    assert not settling.watch("r", b"one more", sign)
    assert settling.watch("r", b"0", sign)
    assert len(settling) == MAX_FILES


def test_only_regular_files_have_a_signature(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert look(os.fsencode(tmp_path)) is None
    assert look(os.fsencode(tmp_path / "link")) is None
    assert look(os.fsencode(tmp_path / "nothing")) is None


def test_rest_is_told_from_the_change_time_and_not_from_the_future() -> None:
    now = time.time_ns()
    assert has_rested(Signature(1, 0, now - 2_000_000_000, 1, 1), 1)
    assert not has_rested(Signature(1, 0, now - 500_000_000, 1, 1), 1)
    assert not has_rested(Signature(1, 0, now + 86_400_000_000_000, 1, 1), 1)
