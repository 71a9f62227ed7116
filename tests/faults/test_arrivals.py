"""Files that arrive in crowds, or slowly."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.daemons import DEADLINE_SECONDS, Watch
from tests.faults.conftest import oracle
from tests.faults.pictures import draw, picture, stored
from tests.faults.processes import peak_bytes

pytestmark = pytest.mark.any_store

MANY = 10_000
PATIENCE_SECONDS = 4 * DEADLINE_SECONDS
"""For ten thousand pictures on a busy machine."""


def _is_settled(images: int) -> Callable[[dict[str, object]], bool]:
    return lambda found: (
        (found["images"], found["backlog"], found["state"]) == (images, 0, "watching")
    )


@pytest.mark.case(15)
def test_ten_thousand_at_once_are_all_indexed_in_bounded_memory(
    watch: Watch, home: Path, photos: Path
) -> None:
    before = peak_bytes(watch.process.pid)
    draw(photos / "crowd", range(MANY))
    watch.wait_until(_is_settled(18 + MANY), PATIENCE_SECONDS)
    grown = peak_bytes(watch.process.pid) - before
    assert grown < 192 * 2**20, f"{grown >> 20} MiB"
    assert oracle(home)["points"] == 18 + MANY


@pytest.mark.case(16)
def test_what_arrives_while_the_daemon_is_stopped_is_indexed_though_events_overflow(
    watch: Watch, home: Path, photos: Path
) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    watch.process.send_signal(signal.SIGSTOP)
    paths = draw(photos / "crowd" / "below", range(MANY // 2))
    paths += draw(photos / "red", range(MANY // 2, MANY))
    events = 3 * MANY // 2  # made, written, closed; the new folders are not watched yet
    while events <= limit:
        for path in paths[MANY // 2 :]:
            os.utime(path)
        events += MANY // 2
    watch.process.send_signal(signal.SIGCONT)
    watch.wait_until(_is_settled(18 + MANY), PATIENCE_SECONDS)
    assert "overflow" in watch.text()
    (photos / "crowd/below/later.png").write_bytes(picture(MANY))
    watch.settled(18 + MANY + 1)
    assert oracle(home)["points"] == 18 + MANY + 1


def _pieces(data: bytes, count: int) -> Iterator[bytes]:
    size = -(-len(data) // count)
    return (data[start : start + size] for start in range(0, len(data), size))


def _write_slowly(watch: Watch, path: Path, pieces: Iterator[bytes]) -> None:
    """Append pieces with pauses far shorter than the settling time, looking after each."""
    for piece in pieces:
        with path.open("ab") as file:
            file.write(piece)
        time.sleep(0.08)
        found = watch.status()
        assert found is not None
        assert (found["images"], found["refused"]) == (18, [])


@pytest.mark.case(17)
@pytest.mark.parametrize("kind", ["JPEG", "BMP"])
def test_a_file_written_in_twenty_pieces_becomes_one_vector_of_the_whole(
    home: Path, photos: Path, kind: str
) -> None:
    with Watch(home, photos, LOOKALIKE_SETTLE_SECONDS="1.5") as watch:
        watch.settled(18)
        data = picture(1, edge=100, kind=kind)
        _write_slowly(watch, photos / "slow.img", _pieces(data, 20))
        found = watch.settled(19)
        assert (found["encoded"], found["refused"]) == (19, [])
        assert stored(home)["slow.img"].bytes == len(data)
        oracle(home)


@pytest.mark.case(17)
def test_a_file_that_is_owed_and_then_written_on_is_not_read_before_it_rests_again(
    home: Path, photos: Path, tmp_path: Path
) -> None:
    data, large = picture(1, edge=1000, kind="BMP"), picture(2, edge=500)
    outside, last = tmp_path / "outside", photos / "moved in" / "last.bmp"
    outside.mkdir()
    (outside / "last.bmp").write_bytes(data[:10_000])  # half a BMP is refused
    for number in range(150):
        (outside / f"{number}.png").write_bytes(large + b"%d" % number)
    with Watch(home, photos, LOOKALIKE_SETTLE_SECONDS="1") as watch:
        watch.settled(18)
        time.sleep(max(0.0, outside.stat().st_ctime + 1.1 - time.time()))
        outside.rename(photos / "moved in")
        watch.wait_until(lambda found: found["backlog"] > 50)
        for piece in _pieces(data[10_000:], 1000):
            with last.open("ab") as file:
                file.write(piece)
            found = watch.wait_until(lambda found: True)
            assert found["refused"] == []
            if found["backlog"] <= 1 and found["images"] == 18 + 150:
                break
            time.sleep(0.1)
        last.write_bytes(data)
        watch.settled(18 + 150 + 1, refused=[])
        assert stored(home)["moved in/last.bmp"].bytes == len(data)
        oracle(home)


@pytest.mark.case(18)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_does_not_make_a_growing_file_look_finished(
    home: Path, photos: Path, number: signal.Signals
) -> None:
    data = picture(1, edge=100, kind="BMP")
    pieces = list(_pieces(data, 20))
    with Watch(home, photos, LOOKALIKE_SETTLE_SECONDS="1.5") as first:
        first.settled(18)
        _write_slowly(first, photos / "slow.img", iter(pieces[:7]))
        first.stop(number)
    with Watch(home, photos, LOOKALIKE_SETTLE_SECONDS="1.5") as second:
        _write_slowly(second, photos / "slow.img", iter(pieces[7:]))
        found = second.settled(19)
        assert (found["encoded"], found["refused"]) == (1, [])
        assert stored(home)["slow.img"].bytes == len(data)
        oracle(home)
