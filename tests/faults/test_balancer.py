"""Case 42: two searchers behind nginx, and one of them dies while clients ask."""

from __future__ import annotations

import contextlib
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.daemons import indexer
from tests.faults import nginx
from tests.faults.clients import FORM, Clients, Question, ask, link, questions, through
from tests.homes import draw_photos, make_home
from tests.qdrant.running import qdrant
from tests.services import Reply, Service, free_port

ADDRESSES = ("127.0.0.2", "127.0.0.3")
ANSWERS = 60
"""As many must come back between two events."""


class Searcher(Service):
    """A service at an address of its own, all on one port, as containers are."""

    def __init__(self, home: Path, address: str, port: int, **environment: str) -> None:
        self.address = address
        super().__init__(home, "--host", address, "--port", str(port), **environment)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        with contextlib.closing(link(self.address, self.port)) as connection:
            return ask(connection, Question(method, path, body, headers or {}))


@dataclass(frozen=True)
class Place:
    """Two searchers on one collection, and the port of the balancer in front of them."""

    start: Callable[[str], Searcher]
    port: int
    log: Path


@pytest.fixture
def with_nginx(needs_privilege: Callable[[str], None]) -> None:
    if not nginx.is_installed():
        needs_privilege("nginx is not installed")


@pytest.fixture(params=["embedded", "server"])
def place(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    tiny_tflite: Path,
    with_nginx: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    """Two on one home, of which one holds the store; or two without state before one server."""
    photos, home, port = tmp_path / "photos", tmp_path / "home", free_port()
    draw_photos(photos)
    with contextlib.ExitStack() as running:
        if request.param == "embedded":
            make_home(home, photos, tiny_tflite)
            start = partial(Searcher, home, port=port)
        else:
            make_home(home, photos, tiny_tflite, indexed=False)
            store = running.enter_context(qdrant())
            monkeypatch.setenv("LOOKALIKE_QDRANT_URL", store.url)
            indexer("scan", photos, "--root-name", "photos", "--home", home)
            start = partial(stateless, tmp_path, port=port)
        own = running.enter_context(nginx.balancer(tmp_path, ADDRESSES, port))
        yield Place(start, own, tmp_path / "access.log")


def stateless(folder: Path, address: str, port: int) -> Searcher:
    """As in a container: it has an empty home, and knows models and folders by settings."""
    return Searcher(
        Path(tempfile.mkdtemp(dir=folder, prefix="empty")),
        address,
        port,
        LOOKALIKE_MODELS_FOLDER=str(folder / "home" / "models"),
        LOOKALIKE_ROOTS=f"photos={folder / 'photos'}",
    )


@pytest.mark.case(42)
def test_a_searcher_killed_under_load_costs_no_client_an_answer(place: Place) -> None:
    with contextlib.ExitStack() as running:
        first, second = (running.enter_context(place.start(one)) for one in ADDRESSES)
        for one in (first, second):
            one.wait_for(lambda one=one: one.get("/readyz").status == 200)
        with Clients(place.port, questions(place.port)) as clients:
            clients.wait(ANSWERS)
            first.stop(signal.SIGKILL)
            clients.wait(ANSWERS)
            again = running.enter_context(place.start(ADDRESSES[0]))
            again.wait_for(lambda: again.get("/readyz").status == 200)
            clients.wait(ANSWERS)
            second.stop(signal.SIGKILL)
            clients.wait(ANSWERS)
    assert clients.wrong == []
    lines = place.log.read_text().splitlines()
    for address in ADDRESSES:
        assert any(f"from {address}:" in line for line in lines), "one was never asked"
    assert any(", 127.0.0." in line for line in lines), "none was asked anew: nothing was tested"


def test_what_passes_through_the_balancer_and_what_does_not(
    tmp_path: Path, tiny_tflite: Path, with_nginx: None
) -> None:
    port = free_port()
    draw_photos(tmp_path / "photos")
    make_home(tmp_path / "home", tmp_path / "photos", tiny_tflite)
    with (
        nginx.balancer(tmp_path, ADDRESSES, port) as own,
        Searcher(tmp_path / "home", ADDRESSES[0], port) as service,
    ):
        service.wait_for(lambda: service.get("/readyz").status == 200)
        answered = through(own, Question("GET", "/stats"))
        assert answered.status == 200
        assert answered.headers["x-request-id"] in service.text(), "the searcher's own id"
        large = Question("POST", "/search", b"x" * (32 * 2**20 + 1), FORM)
        assert through(own, large).status == 413
        fits = Question("POST", "/search", b"x" * (32 * 2**20 - 1), FORM)
        assert through(own, fits).status == 400, "the searcher has read it"
        elsewhere = Question("GET", "/stats", headers={"Host": "elsewhere.example"})
        assert through(own, elsewhere).json["status"] == 421, "the name that was asked for"
        with contextlib.closing(link("127.0.0.1", own)) as connection:
            connection.request("GET", "/events")
            stream = connection.getresponse()
            assert stream.status == 200
            assert stream.readline(), "an event must not wait for the next ones"
    assert not list(tmp_path.glob("body/*")), "bodies are removed"
