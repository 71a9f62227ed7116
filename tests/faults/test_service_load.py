"""The HTTP service under more clients than it can answer at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.faults.raw import head
from tests.homes import draw_photos, make_home
from tests.services import Service, form

CLIENTS = 200
SECONDS = 8.0
MEBIBYTE = 2**20


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, tiny_tflite: Path) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    draw_photos(folder / "photos")
    make_home(folder / "home", folder / "photos", tiny_tflite)
    with Service(folder / "home") as service:
        yield service


@pytest.mark.case(41)
def test_many_clients_are_answered_or_told_to_come_back(service: Service) -> None:
    process = psutil.Process(service.process.pid)
    asked = requests(service)
    asyncio.run(load(service.port, asked, clients=CLIENTS, seconds=1.0))  # everything is open now
    idle(service, process)
    before = held(process)
    found = asyncio.run(load(service.port, asked, clients=CLIENTS, seconds=SECONDS))
    idle(service, process)
    after = held(process)
    assert set(found) <= {"200", "503 later"}, found
    assert found["200"] > CLIENTS
    assert after["files"] <= before["files"] + 2
    assert after["threads"] <= before["threads"] + 2
    assert after["bytes"] < before["bytes"] + 48 * MEBIBYTE
    assert "Traceback" not in service.text()


def requests(service: Service) -> list[bytes]:
    """What clients ask for, in turn: every third is a question with a picture."""
    image = service.get("/images").json["images"][0]
    picture = service.get(image["links"]["image"]).data
    body, kind = form([picture], n="5")
    ask = head("POST", "/search", f"Content-Type: {kind}", f"Content-Length: {len(body)}") + body
    views = ("/clusters", "/stats", "/images?limit=20", image["links"]["thumbnail"])
    return [one for view in views for one in (ask, head("GET", view))] + [ask]


def held(process: psutil.Process) -> dict[str, int]:
    """What a process holds on to."""
    return {
        "files": process.num_fds(),
        "threads": process.num_threads(),
        "bytes": process.memory_info().rss,
    }


def idle(service: Service, process: psutil.Process) -> None:
    """Wait until every client is gone from the service."""
    port = service.port
    service.wait_for(
        lambda: (
            not any(one.laddr.port == port and one.raddr for one in process.net_connections("tcp"))
        )
    )
    assert service.get("/readyz").status == 200


async def load(port: int, asked: list[bytes], *, clients: int, seconds: float) -> Counter[str]:
    """Ask all the time; how often each status came, 503 with or without a time to come back at."""
    found: Counter[str] = Counter()
    until = time.monotonic() + seconds
    await asyncio.gather(*(client(port, asked, place, until, found) for place in range(clients)))
    return found


async def client(
    port: int, asked: list[bytes], place: int, until: float, found: Counter[str]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while time.monotonic() < until:
            place += 1
            writer.write(asked[place % len(asked)])
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines[1:] if line)
            await reader.readexactly(int(headers["content-length"]))
            status = lines[0].split(" ")[1]
            found[f"{status} later" if "retry-after" in headers else status] += 1
    finally:
        writer.close()
        await writer.wait_closed()
