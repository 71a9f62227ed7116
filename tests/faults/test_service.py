"""The HTTP service against requests that are too large, too slow or never read."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tests.faults.processes import peak_bytes
from tests.faults.raw import head, link, replies, until_closed
from tests.homes import draw_photos, make_home
from tests.services import BOUNDARY, Reply, Service, part

MEBIBYTE = 2**20
FORM = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
SHORT = {
    "upload_bytes": 2 * MEBIBYTE,
    "head_seconds": 1.0,
    "body_seconds": 1.0,
    "idle_seconds": 1.0,
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, tiny_tflite: Path) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    draw_photos(folder / "photos")
    Image.effect_noise((2400, 1700), 90).convert("RGB").save(folder / "photos" / "large.bmp")
    make_home(folder / "home", folder / "photos", tiny_tflite)
    with Service(folder / "home", limits=SHORT) as service:
        yield service


@contextlib.contextmanager
def others_are_answered(service: Service) -> Iterator[None]:
    """Somebody else asks all the while."""
    done, answered = threading.Event(), []

    def ask() -> None:
        while not done.is_set():
            answered.append(service.get("/stats").status)
            time.sleep(0.05)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        done.set()
        asking.join()
    assert set(answered) == {200}


def trickle(opened: socket.socket, data: bytes) -> None:
    """Send byte after byte, far more slowly than the service has patience."""
    with contextlib.suppress(OSError):
        for place in range(len(data)):
            opened.sendall(data[place : place + 1])
            time.sleep(0.05)


def trickled(service: Service, begin: bytes, rest: bytes) -> list[Reply]:
    """What comes back for a beginning and bytes that trickle in."""
    with link(service.port) as opened, others_are_answered(service):
        opened.sendall(begin)
        sending = threading.Thread(target=trickle, args=(opened, rest))
        sending.start()
        found = until_closed(opened)
        sending.join()
    return replies(found)


def is_problem(reply: Reply, status: int) -> None:
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")
    assert reply.json["status"] == status
    assert reply.headers["x-request-id"] in reply.json["instance"]
    assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.case(38)
@pytest.mark.parametrize("path", ["/search", "/search/batch", "/session", "/images"])
def test_an_upload_that_is_too_large_is_refused(service: Service, path: str) -> None:
    body = part("image", bytes(20 * MEBIBYTE), "x.jpg")
    reply = service.request("POST", path, body, {"Content-Type": FORM.partition(" ")[2]})
    is_problem(reply, 413)


@pytest.mark.case(38)
def test_who_asks_first_whether_to_send_is_told_at_once(service: Service) -> None:
    asks = head("POST", "/search", FORM, "Content-Length: 99999999", "Expect: 100-continue")
    with link(service.port) as opened:
        opened.sendall(asks)
        (reply,) = replies(until_closed(opened))
    is_problem(reply, 413)


@pytest.mark.case(38)
def test_memory_stays_flat_under_a_body_without_a_length(service: Service) -> None:
    service.get("/stats")
    before = peak_bytes(service.process.pid)
    chunk = b"100000\r\n" + bytes(MEBIBYTE) + b"\r\n"
    with link(service.port) as opened:

        def send() -> None:
            with contextlib.suppress(OSError):
                opened.sendall(head("POST", "/search", FORM, "Transfer-Encoding: chunked"))
                begin = part("image", b"", "x.jpg").removesuffix(b"\r\n")
                opened.sendall(f"{len(begin):x}\r\n".encode() + begin + b"\r\n")
                for _ in range(300):
                    opened.sendall(chunk)

        sending = threading.Thread(target=send)
        sending.start()
        found = replies(until_closed(opened))
        sending.join()
    for reply in found:  # a sender that is not even listening may lose the answer
        is_problem(reply, 413)
    assert peak_bytes(service.process.pid) - before < 32 * MEBIBYTE
    assert service.get("/stats").status == 200


@pytest.mark.case(38)
def test_a_body_without_a_length_is_counted(service: Service) -> None:
    body = part("image", bytes(8 * MEBIBYTE), "x.jpg")
    with link(service.port) as opened:
        opened.sendall(head("POST", "/search", FORM, "Transfer-Encoding: chunked"))
        opened.sendall(f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n")
        (reply,) = replies(until_closed(opened))
    is_problem(reply, 413)


@pytest.mark.case(39)
@pytest.mark.parametrize("begin", [b"", head("GET", "/healthz"), head("GET", "/healthz") + b"GE"])
def test_a_head_that_trickles_in_is_given_up(service: Service, begin: bytes) -> None:
    rest = head("GET", "/stats", f"X-Slow: {'x' * 200}")[begin.endswith(b"GE") * 2 :]
    *answered, reply = trickled(service, begin, rest)
    assert [one.status for one in answered] == [200] * begin.count(b"\r\n\r\n")
    is_problem(reply, 408)


@pytest.mark.case(39)
@pytest.mark.parametrize("kind", [FORM, "Content-Type: application/json"])
def test_a_body_that_trickles_in_is_given_up(service: Service, kind: str) -> None:
    begin = head("POST", "/search", kind, "Content-Length: 1000")
    (reply,) = trickled(service, begin, part("image", bytes(800), "x.jpg"))
    is_problem(reply, 408)


@pytest.mark.case(39)
def test_a_connection_on_which_nothing_comes_is_closed(service: Service) -> None:
    with link(service.port) as opened:
        assert until_closed(opened) == b""


@pytest.mark.case(39)
def test_a_body_that_nobody_asked_for_holds_no_connection(service: Service) -> None:
    begin = head("GET", "/healthz", "Content-Length: 100000")
    (reply,) = trickled(service, begin, bytes(200))
    assert reply.status == 200


@pytest.mark.case(39)
def test_a_body_that_comes_after_its_answer_holds_no_connection(service: Service) -> None:
    with link(service.port) as opened:
        opened.sendall(head("GET", "/healthz", "Content-Length: 5"))
        answer = b""
        while not answer.endswith(b"}"):
            answer += opened.recv(65_536)
        opened.sendall(b"later")
        assert until_closed(opened) == b""
    assert replies(answer)[0].status == 200


@pytest.mark.case(39)
def test_who_does_not_read_the_answer_is_cut_off(service: Service) -> None:
    images = service.get("/images?limit=200").json["images"]
    (large,) = (image for image in images if image["path"] == "large.bmp")
    process = psutil.Process(service.process.pid)
    with link(service.port, window=4096) as opened:
        opened.sendall(head("GET", large["links"]["image"]))
        own = opened.getsockname()[1]
        assert service.wait_for(lambda: own in remote_ports(process))
        with others_are_answered(service):
            service.wait_for(lambda: own not in remote_ports(process))


@pytest.mark.case(39)
def test_who_reads_slowly_gets_the_whole_answer(service: Service) -> None:
    images = service.get("/images?limit=200").json["images"]
    (large,) = (image for image in images if image["path"] == "large.bmp")
    found = 0
    with link(service.port) as opened:
        opened.sendall(head("GET", large["links"]["image"], "Connection: close"))
        while more := opened.recv(MEBIBYTE):
            found += len(more)
            time.sleep(0.1)
    assert found > large["bytes"]


def remote_ports(process: psutil.Process) -> set[int]:
    """The other ends of a process's connections."""
    return {one.raddr.port for one in process.net_connections("tcp") if one.raddr}
