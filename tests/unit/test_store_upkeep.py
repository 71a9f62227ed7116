"""Who asks does not wait for what can wait: turns are kept, and tidying is put off."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from shared.store.edge import upkeep
from shared.store.edge.store import PAUSE_SECONDS, POINTS_PER_WRITE, EdgeStore
from shared.store.edge.turns import Turns
from shared.store.edge.upkeep import Upkeep
from shared.store.protocol import Probe
from shared.types import Embeddings
from tests.fakes import record


class Clock:
    """Stands still until it is set forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("shared.store.edge.upkeep.time.monotonic", lambda: self.now)


def rows(count: int) -> Embeddings:
    made = np.random.default_rng(0).normal(size=(count, 512)).astype(np.float32)
    unit: Embeddings = made / np.linalg.norm(made, axis=1, keepdims=True)
    return unit


def int8_files(folder: Path) -> list[Path]:
    return list(folder.glob("segments/*/vector_storage/quantized.data"))


def test_whoever_waits_longest_is_next() -> None:
    turns, order = Turns(), []

    def take(name: str) -> None:
        with turns:
            order.append(name)

    with turns:
        waiting = []
        for number in range(5):
            waiting.append(threading.Thread(target=take, args=(f"{number}",)))
            waiting[-1].start()
            while len(turns._waiting) <= number:
                time.sleep(0.001)
    take("late")
    for thread in waiting:
        thread.join()
    assert order == ["0", "1", "2", "3", "4", "late"]


def test_one_that_gives_up_lets_the_others_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def __init__(self) -> None:
            self.asked = 0

        def acquire(self) -> None:
            self.asked += 1
            if self.asked == 2:
                raise KeyboardInterrupt

    turns, order = Turns(), []

    def take() -> None:
        with turns:
            order.append("passed")

    with turns:
        with monkeypatch.context() as patch:
            patch.setattr("shared.store.edge.turns.threading.Lock", Interrupted)
            with pytest.raises(KeyboardInterrupt), turns:
                pass
        other = threading.Thread(target=take)
        other.start()
    other.join(10)
    assert order == ["passed"]


def test_an_error_gives_the_turn_on() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="inside"), turns:
        raise ValueError("inside")
    with turns:
        pass


def test_tidying_is_due_by_the_number_of_changes_and_again_after_a_failure() -> None:
    one = Upkeep(100)
    one.note(99)
    assert not one.is_due()
    one.note(1)
    assert one.is_due()
    assert not one.is_due(at_least=101)

    def fail() -> None:
        with one.tidying():
            one.note(5)
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert one.is_due(at_least=105)
    with one.tidying():
        one.note(7)
    assert not one.is_due()
    one.note(93)
    assert one.is_due()


def test_the_log_is_flushed_more_often_than_the_store_is_tidied_while_nobody_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    one = Upkeep(10 * upkeep.LOG_POINTS)
    one.note(upkeep.LOG_POINTS - 1)
    assert not one.should_flush
    one.note(1)
    assert one.should_flush
    assert not one.is_due()
    one.asked()
    assert not one.should_flush
    assert one.may_keep_log
    one.note(upkeep.LOG_POINTS_ASKED - upkeep.LOG_POINTS)
    assert one.should_flush  # however much is asked, the log does not grow for ever
    assert not one.may_keep_log
    one.flushed()
    one.note(upkeep.LOG_POINTS)
    assert not one.should_flush
    clock.now += upkeep.ASKED_SECONDS + 1
    assert one.should_flush
    one.flushed()
    assert not one.should_flush
    assert one.is_flushed
    one.note(1)
    assert not one.is_flushed


def test_tidying_rests_in_proportion_and_while_somebody_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, one = Clock(monkeypatch), Upkeep(100)
    assert not one.may_wait
    with one.tidying():
        clock.now += 0.25
    clock.now += 0.25 * upkeep.REST - 0.01
    assert one.may_wait
    clock.now += 0.02
    assert not one.may_wait
    one.asked()
    clock.now += upkeep.ASKED_SECONDS - 0.01
    assert one.may_wait
    clock.now += 0.02
    assert not one.may_wait


def test_a_writer_rests_between_pieces_while_somebody_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []
    monkeypatch.setattr("shared.store.edge.store.time.sleep", rests.append)
    store = EdgeStore.open(tmp_path / "c", create=True)
    some = [record(f"{n}.jpg") for n in range(2 * POINTS_PER_WRITE + 1)]
    store.upsert(some, rows(len(some)))
    assert not rests
    store.search([Probe(rows(1)[0], "g1/0", 5)])
    store.upsert(some, rows(len(some)))
    assert rests == [PAUSE_SECONDS] * 6  # three pieces to build, three to write
    assert store.count() == len(some)
    store.close()


def test_a_store_that_is_asked_tidies_when_it_closes(tmp_path: Path) -> None:
    store = EdgeStore.open(tmp_path / "c", create=True)
    store.upsert([record(f"{n}.jpg") for n in range(1500)], rows(1500))
    probe = Probe(rows(1)[0], "g1/0", 5)
    before = store.search([probe])
    store.tidy()
    assert not int8_files(tmp_path / "c")
    assert store.search([probe]) == before
    store.close()
    assert int8_files(tmp_path / "c")
    store = EdgeStore.open(tmp_path / "c")
    assert [hit.id for hit in store.search([probe])[0]] == [hit.id for hit in before[0]]
    store.close()


def test_a_store_that_is_asked_tidies_once_much_has_changed(tmp_path: Path) -> None:
    store = EdgeStore.open(tmp_path / "c", create=True, flush_points=1500)
    probe = Probe(rows(1)[0], "g1/0", 5)
    for start in range(0, 1500, 100):
        store.search([probe])
        assert not int8_files(tmp_path / "c")
        part = [record(f"{n}.jpg") for n in range(start, start + 100)]
        store.upsert(part, rows(100))
    assert int8_files(tmp_path / "c")
    store.close()


def test_who_only_asks_leaves_a_store_as_it_is(tmp_path: Path) -> None:
    store = EdgeStore.open(tmp_path / "c", create=True)
    store.upsert([record(f"{n}.jpg") for n in range(1500)], rows(1500))
    assert store._shard is not None
    store._shard.close()  # without what `close` does before
    store._shard = None
    store = EdgeStore.open(tmp_path / "c")
    assert len(store.search([Probe(rows(1)[0], "g1/0", 5)])[0]) == 5
    store.close()
    assert not int8_files(tmp_path / "c")


def test_searches_come_between_the_pieces_of_a_write(tmp_path: Path) -> None:
    store = EdgeStore.open(tmp_path / "c", create=True)
    many = 200 * POINTS_PER_WRITE
    records, made = [record(f"{n}.jpg") for n in range(many)], rows(many)
    seen: list[int] = []
    writing = threading.Thread(target=lambda: store.upsert(records, made))
    writing.start()
    while writing.is_alive():
        store.search([Probe(made[0], None, 1)])
        seen.append(store.count())
    writing.join()
    assert store.count() == many
    assert len({number for number in seen if 0 < number < many}) > 5
    store.close()
