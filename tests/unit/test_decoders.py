"""`Decoders` with its real worker processes."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
from PIL import Image

from shared.decoding.decoders import Decoders
from shared.decoding.messages import STARTED
from shared.decoding.process import WorkerProcess
from shared.errors import ImageRefused
from shared.images import decode, jpeg_bytes, thumbnail
from shared.reading import Limits
from shared.types import PixelSpec
from tests.pictures import encoded, scene

_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="address space limits are Linux's")

SPECS = [PixelSpec(size=16), PixelSpec(size=8)]


@pytest.fixture
def decoders() -> Iterator[Decoders]:
    with _decoders() as decoders:
        yield decoders


def _decoders(
    limits: Limits | None = None, *, workers: int = 1, timeout_seconds: float = 20
) -> contextlib.closing[Decoders]:
    limits = limits or Limits()
    made = Decoders(SPECS, limits, workers=workers, timeout_seconds=timeout_seconds)
    return contextlib.closing(made)


def _slow_picture() -> bytes:
    """It takes a decoder a good while: 80 megapixels of PNG, whose colours have to be looked up,
    even for a thumbnail (.34 s; in black and white .16)."""
    return encoded(Image.new("P", (10_000, 8_000)), "PNG")


def _workers(pid: int | None = None) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(pid).children():
        with contextlib.suppress(psutil.Error):
            if "shared.decoding.worker" in child.cmdline():
                found.append(child)
    return found


def _wait(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def _begun(process: WorkerProcess) -> int:
    """How many pictures the worker has begun, 0 while there is none."""
    alive = process._alive
    with contextlib.suppress(ValueError):  # its memory was closed meanwhile
        return STARTED.unpack_from(alive.started)[0] if alive is not None else 0
    return 0


def _signal_begun(process: WorkerProcess, number: signal.Signals, times: int) -> None:
    """Hit workers as soon as each has begun on a picture, one after another."""
    hit: list[object] = [None]
    for _ in range(times):
        _wait(lambda: process._alive not in hit and _begun(process) > 0)
        alive = process._alive
        if alive is not None:
            hit.append(alive)
            alive.process.send_signal(number)


@contextlib.contextmanager
def _signalled(decoders: Decoders, number: signal.Signals, *, times: int) -> Iterator[None]:
    process = decoders._workers[0].process
    killer = threading.Thread(target=_signal_begun, args=(process, number, times))
    killer.start()
    yield
    killer.join()


def test_decodes_as_this_process_would(decoders: Decoders) -> None:
    for form in ("JPEG", "PNG", "WEBP", "GIF", "TIFF"):
        data = encoded(scene(1), form)
        got, wanted = decoders.decode(data), decode(data, SPECS)
        for one, other in zip(got.pixels, wanted.pixels, strict=True):
            np.testing.assert_array_equal(one, other)
        assert got.sha256 == wanted.sha256
        assert (got.phash, got.format) == (wanted.phash, form)
        assert (got.width, got.height) == (240, 180)


def test_thumbnails_are_those_of_this_process(decoders: Decoders) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying: a thumbnail stands upright
    data = encoded(scene(2), "JPEG", exif=exif)
    drawn = decoders.thumbnail(data, 100)
    assert drawn == jpeg_bytes(thumbnail(data, 100))
    with Image.open(io.BytesIO(drawn)) as image:
        assert image.size == (75, 100)


def test_refuses_in_the_same_words(decoders: Decoders) -> None:
    good = encoded(scene(3))
    for data in (b"", b"<html>", good[:-200], good[:40], b"\0\0\0\x18ftypheic"):
        with pytest.raises(ImageRefused) as wanted:
            decode(data, SPECS)
        with pytest.raises(ImageRefused) as got:
            decoders.decode(data)
        assert str(got.value) == str(wanted.value)
        with pytest.raises(ImageRefused, match="is"):
            decoders.thumbnail(data, 100)
    assert decoders.decode(good).width == 240
    assert len(_workers()) == 1


def test_limits_hold() -> None:
    data = encoded(scene(4))
    with (
        _decoders(Limits(max_pixels=1000)) as decoders,
        pytest.raises(ImageRefused, match="has 240 x 180 pixels, more than max_pixels=1000"),
    ):
        decoders.decode(data)
    with _decoders(Limits(max_file_bytes=len(data) - 1)) as decoders:
        reason = f"has {len(data)} bytes, more than max_file_bytes={len(data) - 1}"
        for ask in (decoders.decode, lambda data: decoders.thumbnail(data, 100)):
            with pytest.raises(ImageRefused, match=f"^{reason}$"):
                ask(data)


def test_a_picture_larger_than_any_message_of_jobs_arrives(decoders: Decoders) -> None:
    data = encoded(scene(5), "BMP") + bytes(65 * 2**20)
    assert decoders.decode(data).format == "BMP"


@pytest.mark.parametrize("ask", ["decode", "thumbnail"])
def test_a_picture_that_takes_too_long_costs_only_itself(ask: str) -> None:
    slow, good = _slow_picture(), encoded(scene(6))
    with _decoders(timeout_seconds=0.15) as decoders:
        decoders.decode(good)
        (before,) = _workers()
        reason = r"^takes longer than decode_timeout_seconds=0\.15 to decode$"
        with pytest.raises(ImageRefused, match=reason):
            decoders.decode(slow) if ask == "decode" else decoders.thumbnail(slow, 100)
        assert decoders.decode(good).format == "JPEG"
        assert _workers() != [before]


def test_a_worker_that_was_stopped_is_replaced() -> None:
    """Its own alarm cannot end it; the picture that follows finds another."""
    with _decoders(timeout_seconds=0.5) as decoders:
        reason = r"^takes longer than decode_timeout_seconds=0\.5 to decode$"
        with (
            _signalled(decoders, signal.SIGSTOP, times=1),
            pytest.raises(ImageRefused, match=reason),
        ):
            decoders.decode(_slow_picture())
        assert decoders.decode(encoded(scene(7))).format == "JPEG"


def test_a_large_picture_for_a_stopped_worker_does_not_block_for_ever() -> None:
    with _decoders(timeout_seconds=0.5) as decoders:
        decoders.decode(encoded(scene(8)))
        _workers()[0].suspend()
        data = encoded(scene(8), "BMP") + bytes(8 * 2**20)
        with pytest.raises(ImageRefused, match="takes longer"):
            decoders.decode(data)
        assert decoders.decode(data).format == "BMP"


def test_a_crash_is_tried_once_more() -> None:
    with _decoders() as decoders, _signalled(decoders, signal.SIGSEGV, times=1):
        assert decoders.decode(_slow_picture()).width == 10_000


def test_a_picture_that_crashes_twice_is_refused() -> None:
    with _decoders() as decoders:
        with (
            _signalled(decoders, signal.SIGSEGV, times=2),
            pytest.raises(ImageRefused, match=r"^crashes the decoder \(SIGSEGV\)$"),
        ):
            decoders.decode(_slow_picture())
        assert decoders.decode(encoded(scene(9))).format == "JPEG"


def test_a_worker_that_dies_between_pictures_costs_none(decoders: Decoders) -> None:
    data = encoded(scene(10))
    for _ in range(3):
        assert decoders.decode(data).format == "JPEG"
        for worker in _workers():
            worker.kill()


@_LINUX
def test_memory_is_limited_and_the_worker_goes_on(decoders: Decoders) -> None:
    """A picture within the limit of pixels, whose thumbnail holds it several times over."""
    decoders.decode(encoded(scene(11)))
    (worker,) = _workers()
    resource.prlimit(worker.pid, resource.RLIMIT_AS, (400 * 2**20, 400 * 2**20))
    with pytest.raises(ImageRefused, match="needs more memory to decode than there is"):
        decoders.decode(encoded(Image.new("RGB", (9_000, 9_000)), "PNG"))
    assert decoders.decode(encoded(scene(11))).format == "JPEG"
    assert _workers() == [worker]


@_LINUX
def test_a_worker_has_a_limit_of_memory(decoders: Decoders) -> None:
    decoders.decode(encoded(scene(11)))
    soft, hard = resource.prlimit(_workers()[0].pid, resource.RLIMIT_AS)
    assert soft == hard
    assert 2**31 < soft < 2**32


def test_a_caller_that_was_interrupted_leaves_no_answer_behind(decoders: Decoders) -> None:
    good, slow, process = encoded(scene(15)), _slow_picture(), decoders._workers[0].process

    def interrupt() -> None:
        _wait(lambda: _begun(process) > 0)
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            decoders.decode(slow)
    finally:
        interrupter.join()
        signal.signal(signal.SIGUSR1, before)
    assert decoders.decode(good).sha256 == decode(good, SPECS).sha256


def test_many_threads_share_few_workers() -> None:
    pictures = [encoded(scene(seed)) for seed in range(12)]
    wanted = [decode(data, SPECS).sha256 for data in pictures]

    def ask(turn: int) -> bool:
        number = turn % len(pictures)
        if turn % 3 == 0:
            with pytest.raises(ImageRefused):
                decoders.decode(b"no picture %d" % turn)
        if turn % 5 == 0:
            return decoders.thumbnail(pictures[number], 60).startswith(b"\xff\xd8")
        return decoders.decode(pictures[number]).sha256 == wanted[number]

    with _decoders(workers=2) as decoders, ThreadPoolExecutor(12) as threads:
        assert all(threads.map(ask, range(240)))
        assert len(_workers()) == 2


def test_closing_while_busy_refuses_what_is_under_way() -> None:
    """Two at work, four waiting for a worker: each hears of it, and no process is left."""
    slow = _slow_picture()
    with ThreadPoolExecutor(6) as threads:
        decoders = Decoders(SPECS, Limits(), workers=2, timeout_seconds=20)
        asked = [threads.submit(decoders.decode, slow) for _ in range(6)]
        _wait(lambda: all(_begun(worker.process) for worker in decoders._workers))
        decoders.close()
        for one in asked:
            with pytest.raises(ImageRefused, match="decoders are closed"):
                one.result(60)
    decoders.close()
    with pytest.raises(ImageRefused, match="decoders are closed"):
        decoders.decode(slow)
    assert not _workers()


def test_workers_get_no_descriptor_of_the_service() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, _decoders() as decoders:
        os.set_inheritable(listening.fileno(), True)
        decoders.decode(encoded(scene(12)))
        assert not [one for one in _workers()[0].net_connections() if one.status == "LISTEN"]
        assert _workers()[0].num_fds() < 10


_SERVICE = """
import sys
from shared.decoding.decoders import Decoders
from shared.reading import Limits
from shared.types import PixelSpec
decoders = Decoders([PixelSpec(size=8)], Limits(), workers=2, timeout_seconds=3)
print("ready", flush=True)
decoders.decode(sys.stdin.buffer.read())
print("decoded", flush=True)
sys.stdin.close()
import signal
signal.pause()
"""


@pytest.mark.parametrize("busy", [False, True])
def test_workers_end_with_a_parent_that_was_killed(busy: bool) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVICE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        workers = _workers(process.pid)
        assert len(workers) == 2
        process.stdin.write(_slow_picture() if busy else encoded(scene(13)))
        process.stdin.close()
        if busy:
            _wait(lambda: any(worker.memory_info().rss > 100 * 2**20 for worker in workers))
        else:
            assert process.stdout.readline() == b"decoded\n"
        process.kill()
    _wait(lambda: not any(worker.is_running() for worker in workers))


def test_ctrl_c_at_the_terminal_is_not_for_the_workers(decoders: Decoders) -> None:
    """It goes to the foreground group, which they are not in, and they ignore it besides."""
    assert os.getpgid(_workers()[0].pid) != os.getpgid(0)
    decoders.decode(encoded(scene(14)))
    (worker,) = _workers()
    worker.send_signal(signal.SIGINT)
    decoders.decode(encoded(scene(14)))
    assert _workers() == [worker]
