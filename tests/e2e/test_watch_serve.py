"""`indexer watch --serve`: the daemon with a real `searcher serve` as its child."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from indexer import service
from indexer.service import Service
from tests.daemons import DEADLINE_SECONDS, Watch, indexer


@pytest.fixture
def port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number: int = listening.getsockname()[1]
        return number


def _wait(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _get(port: int, path: str) -> Any:
    """The answer's JSON, None while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return json.load(answer)
    except OSError:
        return None


def _images(port: int) -> Any:
    return (_get(port, "/stats") or {}).get("images")


def _services(pid: int) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(pid).children():
        with contextlib.suppress(psutil.Error):
            if "searcher" in child.cmdline():
                found.append(child)
    return found


def _has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_it_serves_what_it_indexes_until_it_stops(home: Path, photos: Path, port: int) -> None:
    with Watch(home, photos, "--serve", "--port", str(port)) as watch:
        watch.settled(18)
        _wait(lambda: _images(port) == 18)
        first = watch.text().splitlines()[0]
        assert first.endswith(f"serving http://127.0.0.1:{port}")
        indexing = _get(port, "/stats")["indexing"]
        assert (indexing["state"], indexing["indexed"]) == ("watching", 18)
        (child,) = _services(watch.process.pid)
        assert watch.stop() == 0
        assert _has_ended(child)
        assert "killed" not in watch.text()


def test_a_service_that_dies_is_started_again(home: Path, photos: Path, port: int) -> None:
    with Watch(home, photos, "--serve", "--port", str(port)) as watch:
        _wait(lambda: _images(port) == 18)
        (child,) = _services(watch.process.pid)
        child.kill()
        _wait(lambda: _services(watch.process.pid) not in ([], [child]))
        _wait(lambda: _images(port) == 18)
        assert "searcher serve ended with exit code -9" in watch.text()
        assert watch.stop() == 0


def test_the_service_ends_with_a_daemon_that_was_killed(
    home: Path, photos: Path, port: int
) -> None:
    with Watch(home, photos, "--serve", "--port", str(port)) as watch:
        _wait(lambda: _images(port) == 18)
        (child,) = _services(watch.process.pid)
        family = [child, *child.children(recursive=True)]
        watch.process.send_signal(signal.SIGKILL)
        watch.process.wait()
        _wait(lambda: all(_has_ended(process) for process in family))


def test_a_taken_port_is_said_once_and_indexing_goes_on(
    home: Path, photos: Path, port: int
) -> None:
    with Watch(home, photos, "--serve", "--port", str(port)) as watch:
        with socket.create_server(("127.0.0.1", port)):
            watch.settled(18)
            _wait(lambda: "cannot be served" in watch.text())
            time.sleep(2.5)  # long enough for two more looks
            assert watch.text().count("cannot be served") == 1
            assert f"port {port} of 127.0.0.1 cannot be served: Address" in watch.text()
            assert not _services(watch.process.pid)
        _wait(lambda: _images(port) == 18)


def test_a_port_without_a_service_is_wrong_usage(home: Path) -> None:
    done = indexer("watch", "--home", home, "--port", "8000", check=False)
    assert done.returncode == 2
    assert "--port is for --serve" in done.stderr


def test_a_service_that_does_not_stop_is_killed(
    home: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "STOP_SECONDS", 0.5)
    with Service(home, port):
        _wait(lambda: _get(port, "/healthz") is not None)
        (child,) = _services(psutil.Process().pid)
        child.suspend()
    assert _has_ended(child)
