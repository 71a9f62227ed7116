"""The daemon told to stop under load, once and twice, and a second one on the same home."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.daemons import DEADLINE_SECONDS, Watch, indexer
from tests.faults.conftest import oracle
from tests.faults.pictures import draw, picture
from tests.faults.processes import children


@contextmanager
def _under_load(home: Path, photos: Path) -> Iterator[Watch]:
    draw(photos / "many", range(400), edge=200)
    with Watch(home, photos) as watch:
        watch.wait_until(lambda found: found["images"] > 18 and found["backlog"] > 100)
        yield watch


def _wait_for_end(processes: list[int]) -> None:
    deadline = time.monotonic() + 5
    while alive := [child for child in processes if Path(f"/proc/{child}").exists()]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.05)


def _recovers(home: Path, photos: Path) -> None:
    with Watch(home, photos) as second:
        found = second.settled(418, refused=[])
        assert 0 < found["encoded"] < 418  # what was finished is not done again
        assert oracle(home)["points"] == 418


@pytest.mark.case(4)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_under_load_ends_within_ten_seconds(
    home: Path, photos: Path, number: signal.Signals
) -> None:
    with _under_load(home, photos) as watch:
        decoders, started = children(watch.process.pid), time.monotonic()
        assert watch.stop(number) == 0, watch.text()
        assert time.monotonic() - started < 10
        assert decoders
        _wait_for_end(decoders)
    assert "Traceback" not in watch.text()
    _recovers(home, photos)


@pytest.mark.case(5)
@pytest.mark.parametrize("numbers", [(signal.SIGTERM, signal.SIGINT), (signal.SIGTERM,) * 2])
def test_a_second_signal_ends_the_process_at_once(
    home: Path, photos: Path, numbers: tuple[signal.Signals, signal.Signals]
) -> None:
    with _under_load(home, photos) as watch:
        decoders = children(watch.process.pid)
        watch.process.send_signal(numbers[0])
        time.sleep(0.02)
        watch.process.send_signal(numbers[1])
        started = time.monotonic()
        code = watch.process.wait(DEADLINE_SECONDS)
        assert time.monotonic() - started < 1
        assert code == 128 + numbers[1]
        _wait_for_end(decoders)
    _recovers(home, photos)


def _without_sizes(watch: Watch) -> dict[str, object]:
    found = watch.status()
    assert found is not None
    return {key: value for key, value in found.items() if key != "disk_bytes"}


@pytest.mark.case(11)
def test_a_second_indexer_is_told_who_runs_and_changes_nothing(
    watch: Watch, home: Path, photos: Path
) -> None:
    before = _without_sizes(watch)
    for command in ("watch", "scan"):
        done = indexer(command, photos, "--home", home, check=False)
        assert done.returncode == 1
        assert f"in use by `indexer watch` (process {watch.process.pid})" in done.stderr
    assert _without_sizes(watch) == before
    (photos / "new.png").write_bytes(picture(1))
    watch.settled(19)
    oracle(home)


@pytest.mark.case(11)
def test_of_two_daemons_started_together_exactly_one_goes_on(home: Path, photos: Path) -> None:
    with Watch(home, photos) as one, Watch(home, photos) as two:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while one.process.poll() is None and two.process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        loser, winner = (one, two) if one.process.poll() is not None else (two, one)
        assert loser.process.returncode == 1
        assert f"(process {winner.process.pid})" in loser.text()
        winner.settled(18)
        oracle(home)
