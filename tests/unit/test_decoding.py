"""The decoding pool with its real worker processes."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from shared.decoding.messages import (
    STARTED,
    Job,
    Outcome,
    pack_hello,
    pack_jobs,
    pack_outcome,
    pack_outcomes,
    unpack_hello,
    unpack_jobs,
    unpack_outcome,
    unpack_outcomes,
)
from shared.decoding.pool import DecodingPool
from shared.images import decode
from shared.reading import Limits, Signature, content_hash
from shared.types import PixelSpec
from tests.homes import draw_photos

SPECS = [PixelSpec(size=16), PixelSpec(size=8)]


@pytest.fixture
def pool() -> Iterator[DecodingPool]:
    pool = DecodingPool(SPECS, Limits(), workers=2, timeout_seconds=20)
    yield pool
    pool.close()


def _outcomes(pool: DecodingPool, jobs: list[Job]) -> dict[int, Outcome]:
    for key, job in enumerate(jobs):
        pool.submit(key, job)
    pool.push()
    taken = [pool.take(30) for _ in jobs]
    return dict(pair for pair in taken if pair is not None)


def test_decodes_as_this_process_would(pool: DecodingPool, tmp_path: Path) -> None:
    paths = draw_photos(tmp_path)
    outcomes = _outcomes(pool, [Job(os.fsencode(path)) for path in paths])
    assert sorted(outcomes) == list(range(len(paths)))
    for key, path in enumerate(paths):
        outcome = outcomes[key]
        expected = decode(path.read_bytes(), SPECS)
        assert outcome.kind == "decoded"
        assert outcome.signature == Signature.of(path.stat())
        assert outcome.decoded is not None
        assert outcome.decoded.sha256 == expected.sha256
        for got, wanted in zip(outcome.decoded.pixels, expected.pixels, strict=True):
            np.testing.assert_array_equal(got, wanted)


def test_known_content_is_recognised_without_decoding(pool: DecodingPool, tmp_path: Path) -> None:
    file = tmp_path / "not a picture.jpg"
    file.write_bytes(b"but its content is known")
    digest = content_hash(file.read_bytes())
    outcome = _outcomes(pool, [Job(os.fsencode(file), ("other", digest))])[0]
    assert (outcome.kind, outcome.sha256) == ("known", digest)
    assert outcome.signature == Signature.of(file.stat())


def test_bad_files_are_refused_and_the_others_go_on(pool: DecodingPool, tmp_path: Path) -> None:
    good = draw_photos(tmp_path, 1)[0]
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "page.jpg").write_text("<html>")
    (tmp_path / "cut.jpg").write_bytes(good.read_bytes()[:-200])
    names = ["empty.jpg", "page.jpg", "cut.jpg", "gone.jpg", "red/0.jpg"]
    outcomes = _outcomes(pool, [Job(os.fsencode(tmp_path / name)) for name in names])
    assert [outcomes[key].kind for key in range(5)] == [
        "refused", "refused", "refused", "gone", "decoded",
    ]  # fmt: skip
    assert outcomes[0].reason == "is empty"
    assert "not an image" in (outcomes[1].reason or "")
    assert "damaged" in (outcomes[2].reason or "")
    assert outcomes[0].signature == Signature.of((tmp_path / "empty.jpg").stat())


def test_names_of_any_bytes_arrive(pool: DecodingPool, tmp_path: Path) -> None:
    path = os.path.join(os.fsencode(tmp_path), b"caf\xe9\n.jpg")
    with open(path, "wb") as file:
        file.write(draw_photos(tmp_path, 1)[0].read_bytes())
    assert _outcomes(pool, [Job(path)])[0].kind == "decoded"


def _slow_picture(path: Path) -> Path:
    """A picture that takes a decoder a good while: 80 megapixels of PNG."""
    Image.new("P", (10_000, 8_000)).save(path)
    return path


def test_a_picture_that_takes_too_long_costs_only_itself(tmp_path: Path) -> None:
    slow, good = _slow_picture(tmp_path / "slow.png"), draw_photos(tmp_path, 3)
    pool = DecodingPool(SPECS, Limits(), workers=1, timeout_seconds=0.15)
    jobs = [Job(os.fsencode(path)) for path in [good[0], slow, *good[1:]]]
    outcomes = _outcomes(pool, jobs)
    pool.close()
    assert outcomes[1].kind == "refused"
    assert outcomes[1].reason == "takes longer than decode_timeout_seconds=0.15 to decode"
    assert [outcomes[key].kind for key in outcomes if key != 1] == ["decoded"] * len(good)


def _children() -> set[int]:
    found = set()
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if "shared.decoding.worker" in child.cmdline():
                found.add(child.pid)
    return found


def test_a_picture_that_crashes_its_worker_twice_is_refused(tmp_path: Path) -> None:
    slow, good = _slow_picture(tmp_path / "crashes.png"), draw_photos(tmp_path, 2)
    pool = DecodingPool(SPECS, Limits(), workers=1, timeout_seconds=20)
    assert _outcomes(pool, [Job(os.fsencode(good[0]))])[0].kind == "decoded"

    def crash_at(jobs_started: int) -> None:
        """Kill the worker as soon as it has begun its n-th picture."""
        while True:
            alive = pool._workers[0]._alive
            if alive is not None and STARTED.unpack_from(alive.started)[0] >= jobs_started:
                alive.process.send_signal(signal.SIGSEGV)
                return
            time.sleep(0.001)

    def crash_twice() -> None:
        first = pool._workers[0]._alive
        crash_at(2)  # its first was the good picture above
        while pool._workers[0]._alive in (first, None):
            time.sleep(0.001)
        crash_at(1)

    killer = threading.Thread(target=crash_twice)
    killer.start()
    outcomes = _outcomes(pool, [Job(os.fsencode(path)) for path in [slow, *good]])
    killer.join()
    pool.close()
    assert outcomes[0].kind == "refused"
    assert outcomes[0].reason == "crashes the decoder (SIGSEGV)"
    assert [outcomes[key].kind for key in range(1, 1 + len(good))] == ["decoded"] * len(good)


def test_a_worker_that_dies_between_pictures_costs_none(tmp_path: Path) -> None:
    good = draw_photos(tmp_path, 2)
    pool = DecodingPool(SPECS, Limits(), workers=1, timeout_seconds=20)
    for _ in range(3):
        outcomes = _outcomes(pool, [Job(os.fsencode(path)) for path in good])
        assert {outcome.kind for outcome in outcomes.values()} == {"decoded"}
        for child in _children():
            os.kill(child, signal.SIGKILL)
    pool.close()


def test_closing_ends_the_workers_even_with_work_in_hand(tmp_path: Path) -> None:
    slow = _slow_picture(tmp_path / "slow.png")
    before = _children()
    pool = DecodingPool(SPECS, Limits(), workers=2, timeout_seconds=20)
    for key in range(20):
        pool.submit(key, Job(os.fsencode(slow)))
    pool.push()
    while not _children() - before:
        time.sleep(0.01)
    pool.close()
    assert _children() == before


def test_messages_survive_the_way() -> None:
    limits = Limits(1, 2)
    assert unpack_hello(pack_hello(SPECS, limits, 1.5)) == (SPECS, limits, 1.5)
    jobs = [Job(b"/a\xff\n", ("1", "2")), Job(b"/b")]
    assert unpack_jobs(pack_jobs(jobs)) == jobs
    refused = Outcome("refused", Signature(1, 2, 3, 4, 5), reason="is empty")
    assert unpack_outcome(pack_outcome(refused), SPECS) == refused
    gone = Outcome("gone")
    assert unpack_outcomes(pack_outcomes([refused, gone]), SPECS) == [refused, gone]
    assert unpack_outcomes(b"", SPECS) == []
