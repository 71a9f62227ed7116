"""`searcher serve` as those see it who run it: signals, workers, log, probes, metrics of all."""

from __future__ import annotations

import json
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.daemons import DEADLINE_SECONDS, Watch
from tests.homes import make_home
from tests.services import Service


@pytest.fixture
def indexed(tmp_path: Path, photos: Path, tiny_tflite: Path) -> Path:
    """A home whose eighteen pictures are indexed."""
    make_home(tmp_path / "home", photos, tiny_tflite)
    return tmp_path / "home"


class Held:
    """A request that is being answered for as long as its body is not complete."""

    body = b'{"random": true}'

    def __init__(self, service: Service) -> None:
        self._link = socket.create_connection(("127.0.0.1", service.port), DEADLINE_SECONDS)
        self._link.sendall(
            b"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(self.body)
        )
        # Said when the app begins to read the body.
        assert self._link.recv(100).startswith(b"HTTP/1.1 100 ")

    def complete(self) -> bytes:
        """Send the body; everything that comes until the connection ends."""
        self._link.sendall(self.body)
        return self.rest()

    def rest(self) -> bytes:
        """Everything that comes until the connection ends."""
        with self._link, self._link.makefile("rb") as file:
            return file.read()


def closed(service: Service) -> bool:
    """Whether the service takes no new connection."""
    try:
        socket.create_connection(("127.0.0.1", service.port), 1).close()
    except ConnectionRefusedError:
        return True
    return False


def samples(service: Service) -> dict[tuple[str, str], float]:
    """The value of every sample of a scrape, by name and labels as JSON."""
    text = service.get("/metrics").data.decode()
    return {
        (one.name, json.dumps(one.labels, sort_keys=True)): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def workers(service: Service) -> set[int]:
    """Process ids of the workers, as they tell."""
    of_all = {
        json.loads(labels)["pid"] for name, labels in samples(service) if name == "process_open_fds"
    }
    return set(map(int, of_all)) - {service.process.pid}


def answered(service: Service) -> float:
    """How many questions were answered, by all workers."""
    return samples(service)["lookalike_questions_total", '{"outcome": "answered"}']


@pytest.mark.parametrize("arguments", [(), ("--workers", "2")])
def test_a_request_that_is_being_answered_is_answered_after_sigterm(
    indexed: Path, arguments: tuple[str, ...]
) -> None:
    with Service(indexed, *arguments) as service:
        assert service.socket.is_socket()
        held = Held(service)
        service.process.send_signal(signal.SIGTERM)
        service.wait_for(lambda: closed(service))

        reply = held.complete()

        assert reply.startswith(b"HTTP/1.1 200 ")
        assert len(json.loads(reply.partition(b"\r\n\r\n")[2])["results"]) > 0
        assert service.process.wait(DEADLINE_SECONDS) == 0
        assert not service.socket.exists()
        assert not list((indexed / "run").glob("metrics-*"))
        assert "Traceback" not in service.text()


def test_a_request_that_takes_too_long_is_told_that_the_service_stops(indexed: Path) -> None:
    with Service(indexed, limits={"stop_seconds": 1}) as service:
        held = Held(service)
        assert service.stop() == 0

        reply = held.rest()
        assert reply.startswith(b"HTTP/1.1 503 ")
        assert b"application/problem+json" in reply
        assert "POST /search 503" in service.text()
        assert "Traceback" not in service.text()


def test_a_second_signal_ends_the_service_at_once(indexed: Path) -> None:
    with Service(indexed) as service:
        held = Held(service)
        service.process.send_signal(signal.SIGTERM)
        service.wait_for(lambda: closed(service))

        assert service.stop() == 128 + signal.SIGTERM
        assert held.rest() == b""


def test_a_second_signal_ends_all_workers_at_once(indexed: Path) -> None:
    with Service(indexed, "--workers", "2") as service:
        children = psutil.Process(service.process.pid).children(recursive=True)
        held = Held(service)
        service.process.send_signal(signal.SIGINT)
        service.wait_for(lambda: closed(service))

        assert service.stop(signal.SIGINT) == 128 + signal.SIGINT
        assert held.rest() == b""
        assert psutil.wait_procs(children, DEADLINE_SECONDS)[1] == []


def test_event_streams_end_when_the_service_stops(indexed: Path) -> None:
    with Service(indexed) as service:
        link = socket.create_connection(("127.0.0.1", service.port), DEADLINE_SECONDS)
        with link, link.makefile("rb") as file:
            link.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while not file.readline().startswith(b"event: "):
                pass
            assert samples(service)["lookalike_event_streams", "{}"] == 1

            assert service.stop() == 0
            assert file.read().endswith(b"0\r\n\r\n")  # complete, not cut off
        assert "Cancel" not in service.text()  # nor waited for until patience was at an end


def test_workers_are_replaced_when_they_die_and_end_with_their_parent(indexed: Path) -> None:
    with Service(indexed, "--workers", "2") as service:
        before = service.wait_for(lambda: len(found := workers(service)) == 2 and found)
        for _ in range(8):
            assert service.post("/search", {"random": True}).status == 200
        victim = min(before)
        psutil.Process(victim).kill()
        after = service.wait_for(
            lambda: victim not in (found := workers(service)) and len(found) == 2 and found
        )

        assert service.post("/search", {"random": True}).status == 200
        assert len(before & after) == 1
        assert answered(service) == 9  # also those of the dead
        assert f"process {victim} of the service ended: replaced" in service.text()

        children = psutil.Process(service.process.pid).children(recursive=True)
        service.stop(signal.SIGKILL)
        assert psutil.wait_procs(children, DEADLINE_SECONDS)[1] == []
        left = set((indexed / "run").glob("metrics-*"))

    with Service(indexed, "--workers", "2") as service:
        assert service.post("/search", {"random": True}).status == 200
        assert service.socket.is_socket()
        found = set((indexed / "run").glob("metrics-*"))
        assert len(left) == len(found) == 1
        assert left != found


def test_workers_answer_beside_a_daemon_that_owns_the_store(watch: Watch) -> None:
    with Service(watch.home, "--workers", "2") as service:
        for _ in range(4):
            assert service.post("/search", {"random": True}).json["total"] == 18
        found = samples(service)
        assert found["lookalike_images", "{}"] == 18
        assert found["lookalike_indexer_running", "{}"] == 1
        assert found["lookalike_indexer_files", '{"state": "indexed"}'] == 18

        watch.process.send_signal(signal.SIGSTOP)  # the store's owner hangs
        service.wait_for(lambda: service.get("/readyz").status == 503)
        found = samples(service)
        assert found["lookalike_ready", "{}"] == 0
        assert ("lookalike_images", "{}") not in found
        assert service.get("/healthz").status == 200

        watch.process.send_signal(signal.SIGCONT)
        service.wait_for(lambda: service.get("/readyz").status == 200)
        assert service.stop() == 0


@pytest.fixture
def lines(indexed: Path) -> Iterator[tuple[Service, Path]]:
    """A service that logs JSON and wants a key."""
    keys = indexed.parent / "keys"
    keys.write_text("a-key-of-32-characters-0123456789\n")
    with Service(indexed, "--log-format", "json", "--api-keys", keys) as service:
        yield service, keys


def test_every_request_is_a_line_without_secrets(lines: tuple[Service, Path]) -> None:
    service, keys = lines
    key = keys.read_text().strip()
    reply = service.get("/images?limit=5&cursor=%1b", authorization=f"Bearer {key}")
    service.get("/images?limit=7&key=" + key)
    service.request("POST", "/session", headers={"X-API-Key": key})
    assert service.stop() == 0

    told = [json.loads(line) for line in service.text().splitlines() if line.startswith("{")]

    assert [(one["method"], one["path"], one["status"]) for one in told] == [
        ("GET", "/images?limit,cursor", reply.status),
        ("GET", "/images?limit,key", 401),
        ("POST", "/session", 204),
    ]
    assert told[0]["request"] == reply.headers["x-request-id"]
    assert told[0]["bytes"] == len(reply.data)
    assert told[0]["route"] == "/images"
    assert told[0]["client"] == "127.0.0.1"
    assert key not in service.text()


def test_probes_are_no_lines_and_text_stays_on_its_line(indexed: Path) -> None:
    with Service(indexed) as service:
        for path in ("/healthz", "/readyz", "/metrics"):
            assert service.get(path).status == 200
        assert service.get("/%0aFORGED%20line").status == 404
        link = socket.create_connection(("127.0.0.1", service.port), DEADLINE_SECONDS)
        with link, link.makefile("rb") as file:
            odd = b"GET /\xc2\x85\xff HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            link.sendall(odd)
            assert file.read()
        assert service.stop() == 0

        told = service.text().splitlines()
        assert re.fullmatch(r"serving http://127\.0\.0\.1:\d+", told[0])
        assert re.fullmatch(
            r"\S+ \S+ INFO GET /%0aFORGED%20line 404 \d+ bytes [\d.]+ ms 127\.0\.0\.1 \[[\w-]+\]",
            told[1],
        )
        for line in told[2:]:  # none, or one that is escaped
            assert re.fullmatch(r"\S+ \S+ (INFO|WARNING) .*", line)


def test_ready_only_with_a_model_and_a_store(home: Path, tmp_path: Path) -> None:
    with Service(tmp_path / "nowhere") as service:
        assert service.get("/healthz").status == 200
        reply = service.get("/readyz")
        assert reply.status == 503
        assert "no model" in reply.json["detail"]
        found = samples(service)
        assert found["lookalike_ready", "{}"] == 0
        assert ("lookalike_images", "{}") not in found
    with Service(home) as service:  # a model, and no store yet
        reply = service.get("/readyz")
        assert reply.status == 503
        assert "nothing is indexed" in reply.json["detail"]
