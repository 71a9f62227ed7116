"""Requests to a server: asked again, asked elsewhere, or given up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.errors import DiskFull, StoreAway, StoreRefused
from shared.settings import Settings
from shared.store.server.calls import Calls, Patience
from shared.store.server.client import check_version, nodes
from tests.qdrant.running import Running, qdrant

Making = Callable[..., Calls]

NAMES = "GET /collections$"


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with qdrant() as stub:
        yield stub


@pytest.fixture
def stub(running: Running) -> Running:
    running.fail([])
    return running


@pytest.fixture(params=["rest", "grpc"])
def calls(request: pytest.FixtureRequest, stub: Running, tmp_path: Path) -> Iterator[Making]:
    """Makes calls to the nodes given, by default the stub, over either wire."""
    made: list[Calls] = []

    def make(
        *urls: str,
        long_lived: bool = False,
        wait: float = 20,
        grpc_port: int = stub.grpc_port,
        **more: Any,
    ) -> Calls:
        settings = Settings(
            tmp_path,
            qdrant_url=",".join(urls or (stub.url,)),
            qdrant_grpc_port=grpc_port if request.param == "grpc" else 0,
            qdrant_wait_seconds=wait,
            **more,
        )
        made.append(Calls(nodes(settings), Patience.of(settings, long_lived=long_lived)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where nothing listens, on every interface that a node could be at."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.2", 0))
        yield f"http://127.0.0.2:{reserved.getsockname()[1]}"


def names(calls: Calls) -> list[str]:
    answer = calls.run(lambda client: client.get_collections())
    return [collection.name for collection in answer.collections]


@pytest.mark.parametrize("how", ["503", "500", "507", "reset-before", "reset-after", "429"])
def test_what_passes_is_waited_for(calls: Making, stub: Running, how: str) -> None:
    stub.fail([{"match": NAMES, "times": 2, "how": how, "seconds": 0.2}])
    assert names(calls()) == []


def test_a_full_disk_is_told_after_a_few_tries(calls: Making, stub: Running) -> None:
    stub.fail([{"match": NAMES, "times": 100, "how": "507"}])
    before = stub.requests().count(("GET", "/collections"))
    with pytest.raises(DiskFull, match=r"has no room left .* make room, nothing was lost"):
        names(calls())
    assert stub.requests().count(("GET", "/collections")) - before == 3


def test_a_server_that_asks_for_more_time_than_there_is(calls: Making, stub: Running) -> None:
    stub.fail([{"match": NAMES, "times": 100, "how": "429", "seconds": 60}])
    with pytest.raises(StoreAway, match="try again later") as caught:
        names(calls(wait=5))
    assert caught.value.seconds == 60


def test_the_time_that_a_server_asks_for_is_waited(calls: Making, stub: Running) -> None:
    stub.fail([{"match": NAMES, "times": 1, "how": "429", "seconds": 1}])
    began = time.monotonic()
    assert names(calls()) == []
    assert time.monotonic() - began >= 1


def test_a_server_that_never_can(calls: Making, stub: Running) -> None:
    stub.fail([{"match": NAMES, "times": 1000, "how": "503"}])
    with pytest.raises(StoreAway, match=r"\(Shard temporarily unavailable"):
        names(calls(wait=0.5))


def test_a_request_that_takes_too_long_is_a_fault(calls: Making, stub: Running) -> None:
    stub.fail([{"match": NAMES, "times": 100, "how": "slow", "seconds": 3}])
    with pytest.raises(StoreAway, match="does not answer"):
        names(calls(wait=1, qdrant_timeout_seconds=1))


def test_nobody_there(calls: Making, nobody: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(StoreAway, match=f"qdrant at {nobody} does not answer .*: see that it runs"):
        names(calls(nobody, wait=0.6))
    [said] = [one.message for one in caplog.records if one.name == "shared.store.server.calls"]
    assert f"qdrant at {nobody} does not answer" in said
    assert said.endswith("trying for 1 s")


def test_those_who_stay_say_at_once_that_nobody_is_there(
    calls: Making, nobody: str, caplog: pytest.LogCaptureFixture
) -> None:
    began = time.monotonic()
    with pytest.raises(StoreAway):
        names(calls(nobody, long_lived=True, wait=600))
    assert time.monotonic() - began < 60
    assert not [one for one in caplog.records if one.name == "shared.store.server.calls"]


def test_another_node_takes_over_and_is_asked_from_then_on(
    calls: Making, stub: Running, nobody: str
) -> None:
    both = calls(nobody, stub.url)
    assert both.url == nobody
    assert names(both) == []
    assert both.url == stub.url
    assert names(both) == []


def test_a_node_that_comes_back_is_used_again(calls: Making) -> None:
    with qdrant() as other:
        one = calls(other.url, grpc_port=other.grpc_port)
        assert names(one) == []
        other.kill()
        threading.Timer(0.2, other.restart).start()
        assert names(one) == []


def test_a_server_of_another_version_is_refused(calls: Making) -> None:
    with qdrant(version="1.12.6") as other:
        one = calls(other.url, grpc_port=other.grpc_port)
        with pytest.raises(StoreRefused, match=f"qdrant at {other.url} is of version 1.12.6: run"):
            names(one)


@pytest.mark.parametrize("version", ["1.9.9", "2.0.0", "0.99.0", "unknown", ""])
def test_versions_that_are_not_supported(version: str) -> None:
    expected = rf"is of version {version}: run one from 1\.13 on, below 2\.0"
    with pytest.raises(StoreRefused, match=expected):
        check_version("http://node", version)


@pytest.mark.parametrize("version", ["1.13.0", "1.18.3", "1.100.0", "1.20.1-dev"])
def test_supported_versions(version: str) -> None:
    check_version("http://node", version)
