"""Progress of a batch of work, whatever arrives and disappears meanwhile."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.progress import WINDOW_SECONDS, ProgressTracker
from shared.work_progress import WorkProgress, duration

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["arrive", "index", "refuse", "delete", "change", "wait"]),
        st.integers(1, 1000),
    ),
    max_size=60,
)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@given(EVENTS)
def test_done_never_decreases_nor_exceeds_the_total(events: list[tuple[str, int]]) -> None:
    clock = Clock()
    tracker = ProgressTracker(clock)
    pending = settled = finished = 0
    before: WorkProgress | None = None
    for event, number in events:
        of_pending, of_finished = min(number, pending), min(number, finished)
        match event:
            case "arrive":
                pending += number
            case "index" | "refuse":
                pending -= of_pending
                settled += of_pending
                finished += of_pending
            case "delete":
                pending -= of_pending
            case "change":  # finished files are written anew and become pending again
                pending += of_finished
                finished -= of_finished
            case "wait":
                clock.now += number / 10
        found = tracker.update(settled, pending)
        assert (found is None) == (pending == 0)
        if found is not None:
            assert 0 <= found.done <= found.total
            assert found.total - found.done == pending
            assert before is None or found.done >= before.done
            assert found.seconds_left is None or found.seconds_left >= 0
        before = found


def test_files_that_are_still_being_written_are_part_of_the_total() -> None:
    tracker = ProgressTracker(Clock())
    assert tracker.update(0, 160) == WorkProgress(0, 160)  # 40 known, 120 being written
    assert tracker.update(40, 120) == WorkProgress(40, 160)
    assert tracker.update(160, 0) is None
    assert tracker.update(160, 5) == WorkProgress(0, 5)  # the next batch begins at 0


def test_the_time_left_is_that_of_the_recent_rate() -> None:
    clock = Clock()
    tracker = ProgressTracker(clock)

    def left(seconds: float, settled: int, pending: int) -> float | None:
        clock.now += seconds
        found = tracker.update(settled, pending)
        return None if found is None else found.seconds_left

    assert left(0, 0, 1000) is None
    assert left(30, 0, 1000) is None  # nothing is done: this wait is no part of the rate
    assert left(1, 100, 900) == 9
    assert left(1, 200, 800) == 8
    for _ in range(40):
        stalled = left(1, 200, 800)
    assert stalled is None  # nothing was done within the window
    assert left(10, 300, 700) == WINDOW_SECONDS / 100 * 700


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (7.4, "7 s"), (99.9, "100 s"), (100, "2 min"), (5400, "90 min"), (7200, "2 h")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_words() -> None:
    assert str(WorkProgress(448, 1000, 7)) == "448 of 1,000, 7 s left"
    assert str(WorkProgress(448, 1000)) == "448 of 1,000"
