"""The Qdrant server goes away, stops answering, or loses a node, while pictures come."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.daemons import DEADLINE_SECONDS, Watch, indexer, searcher
from tests.faults.conftest import oracle
from tests.faults.pictures import draw
from tests.faults.server import WRITES, connect, error_of, front, is_true, ready, writes
from tests.qdrant.running import Running, qdrant

CROWD = 500
MORE_BYTES = 48 * 2**20
"""What a daemon may take more while they come; 0.4 MB were measured."""


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with qdrant(tmp_path_factory.mktemp("qdrant")) as server:
        yield server


@pytest.fixture
def server(shared_server: Running) -> Running:
    return ready(shared_server)


def _held_bytes(watch: Watch) -> int:
    found: int = psutil.Process(watch.process.pid).memory_info().rss
    return found


@pytest.mark.case(12)
def test_what_comes_while_the_server_is_away_is_owed_on_disk_and_arrives(
    home: Path, photos: Path, server: Running
) -> None:
    connect(home, server.url)
    with Watch(home, photos) as watch:
        watch.settled(18)
        server.kill()
        (photos / "red/0.jpg").unlink()
        (photos / "red/1.jpg").write_bytes((photos / "blue/0.jpg").read_bytes())
        told = watch.wait_until(lambda found: found["state"].startswith("degraded: "))
        assert f"qdrant at {server.url} does not answer" in told["state"]
        before = _held_bytes(watch)
        draw(photos / "crowd", range(CROWD))
        watch.wait_until(lambda found: found["backlog"] >= CROWD)
        assert _held_bytes(watch) - before < MORE_BYTES
        server.restart()
        watch.settled(17 + CROWD)
        assert watch.text().count(server.url) == 1, watch.text()
        is_true(home, photos)
        assert oracle(home)["points"] == 17 + CROWD


@pytest.mark.case(12)
def test_a_daemon_waits_for_the_only_node_that_is_left_and_says_so_once(
    home: Path, photos: Path, server: Running
) -> None:
    with front(server) as node:
        lost = node.url
    connect(home, f"{lost},{server.url}")
    server.kill()
    with Watch(home, photos) as watch:
        told = watch.wait_until(lambda found: "waiting for the store" in found["state"])
        assert told["state"].startswith("degraded: ")
        assert "does not answer" in told["state"]
        draw(photos / "meanwhile", range(3))
        server.restart()
        watch.settled(21)
        assert watch.text().count("does not answer") == 1, watch.text()
        is_true(home, photos)


@pytest.mark.case(12)
def test_a_node_is_lost_while_it_is_written_to(home: Path, photos: Path, server: Running) -> None:
    with front(server) as node:
        connect(home, f"{node.url},{server.url}", batch_size=16)
        with Watch(home, photos) as watch:
            watch.settled(18)
            before, taken = writes(server), node.taken
            server.fail([{"match": WRITES, "times": 99, "how": "slow", "seconds": 0.1}])
            draw(photos / "crowd", range(100))
            watch.wait_until(lambda _: writes(server) > before + 1)
            assert node.taken > taken
            node.lose()
            told = watch.settled(118)
            assert told["encoded"] == 118, "the other node took what was in hand"
            assert "degraded" not in watch.text()
            is_true(home, photos)


@pytest.mark.case(14)
def test_a_server_that_stops_answering_costs_time_outs_and_nothing_hangs(
    home: Path, photos: Path, server: Running
) -> None:
    connect(home, server.url, qdrant_wait_seconds=0)
    with Watch(home, photos) as watch:
        watch.settled(18)
        server.stop_answering()
        draw(photos / "later", range(3))
        watch.wait_until(lambda found: found["state"].startswith("degraded: "))
        assert f"qdrant at {server.url} does not answer" in indexer("status", "--home", home).stdout
        asked = searcher("query", photos / "red/1.jpg", "--home", home, check=False)
        assert f"qdrant at {server.url} does not answer" in error_of(asked)
        (photos / "later/00000.png").unlink()  # its vector may be on the way to the server
        server.go_on()
        watch.settled(20)
        is_true(home, photos)
        server.stop_answering()
        (photos / "later/00001.png").unlink()
        watch.wait_until(lambda found: found["state"].startswith("degraded: "))
        assert watch.stop() == 0


def test_commands_that_shall_not_wait_end_with_one_line(
    home: Path, photos: Path, server: Running
) -> None:
    connect(home, server.url, qdrant_wait_seconds=1)
    server.kill()
    done = indexer("watch", photos, "--home", home, "--fail-fast", check=False)
    assert f"qdrant at {server.url} does not answer" in error_of(done)
    done = indexer("scan", photos, "--home", home, check=False)
    waiting, error = done.stderr.splitlines()
    assert waiting.endswith("trying for 1 s")
    assert error.startswith(f"error: qdrant at {server.url} does not answer")
    assert done.returncode == 1


def test_a_scan_waits_for_the_server(home: Path, photos: Path, server: Running) -> None:
    connect(home, server.url, qdrant_wait_seconds=60)
    server.kill()
    log = home / "scan.log"
    command = [sys.executable, "-m", "indexer", "scan", str(photos), "--home", str(home)]
    with log.open("wb") as output, subprocess.Popen(command, stderr=output) as scan:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while "trying for 60 s" not in log.read_text():
            assert scan.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        server.restart()
        assert scan.wait(DEADLINE_SECONDS) == 0
    is_true(home, photos)
