"""The client of a search service: what it sends, what it makes of every kind of answer."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searcher.answer import Answer, Took, answer_json
from searcher.asked import Asked, Refused, Wish
from searcher.query.options import Request
from searcher.remote import connection
from searcher.remote.asker import ServiceAsker
from searcher.remote.connection import Content, Service
from searcher.remote.form import condition_text
from searcher.remote.sockets import connected
from shared.conditions import Condition
from shared.errors import QueryError, ServiceError
from shared.settings import Settings
from shared.store.sharing import (
    MAX_SOCKET_PATH_BYTES,
    SEARCH_SOCKET_NAME,
    SOCKET_NAME,
    socket_path,
)
from shared.types import ScoredImage
from shared.where import parse_where
from tests.fake_service import FakeService, Heard, Reply
from tests.fakes import record
from tests.pictures import encoded, scene

POINT = "1b4e28ba-2fa1-51d2-883f-0016d3cca427"


def told(query: str = "upload", **more: Any) -> dict[str, Any]:
    """An answer with one result."""
    results = (ScoredImage(POINT, 0.25, record("red/a.jpg")),)
    answer = Answer("g1/0", ("g1/0",), 5, 9, 9, 1, results, Took(1.0, 2.0, 3.0))
    return answer_json(query, answer, records=True) | more


@contextmanager
def asking(
    answer: Callable[[Heard], Reply], wish: Wish | None = None, version: str | None = None
) -> Iterator[tuple[FakeService, ServiceAsker]]:
    """A fake service, and who asks it over TCP."""
    with FakeService(answer) as fake, closing(Service.at_url(fake.url, None)) as service:
        settings = Settings(home=Path("/nowhere"))
        yield fake, ServiceAsker(service, wish or Wish(), settings, {}, version)


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    """Two files of bytes that no text could hold, with odd names."""
    paths = [tmp_path / 'a"\\;\n.jpg', tmp_path / "b.jpg"]
    for number, path in enumerate(paths):
        path.write_bytes(bytes(range(256)) * 3 + b"\r\n--\r\n" + bytes([number]))
    return [str(path) for path in paths]


def test_a_picture_is_sent_as_a_form(pictures: list[str]) -> None:
    wish = Wish(
        Request(7, "auto", 0.9, where=parse_where(["folder=a=b; c", "width>=5"]), min_score=-0.5),
        tier="near",
        explain=True,
    )
    with asking(lambda _: Reply.of(told()), wish) as (fake, asker):
        (found,) = asker.answers([(pictures[0],)])
    assert isinstance(found, Asked)
    assert found.shown == pictures[0]
    (heard,) = fake.heard
    assert (heard.method, heard.path) == ("POST", "/search")
    assert heard.form() == [
        ("n", None, b"7"),
        ("probes", None, b"auto"),
        ("recall", None, b"0.9"),
        ("where", None, b"folder=a=b; c"),
        ("where", None, b"width>=5"),
        ("min_score", None, b"-0.5"),
        ("tier", None, b"near"),
        ("explain", None, b"true"),
        ("records", None, b"true"),
        ("image", "a__;_.jpg", Path(pictures[0]).read_bytes()),
    ]


def test_several_examples_are_one_question(pictures: list[str]) -> None:
    wish = Wish(against=(POINT.upper(), pictures[1]))
    with asking(lambda _: Reply.of(told()), wish) as (fake, asker):
        (found,) = asker.answers([(POINT, pictures[0])])
    assert isinstance(found, Asked)
    assert found.shown == f"{POINT} + {pictures[0]} - {POINT.upper()} - {pictures[1]}"
    parts = [part for part in fake.heard[0].form() if "id" in part[0] or "image" in part[0]]
    assert [(name, data) for name, _, data in parts] == [
        ("ids", POINT.encode()),
        ("not_ids", POINT.encode()),
        ("image", Path(pictures[0]).read_bytes()),
        ("not_image", Path(pictures[1]).read_bytes()),
    ]


def test_ids_and_random_are_sent_as_json() -> None:
    wish = Wish(Request(probes="all", verify=True, min_percentile=50.0))
    with asking(lambda _: Reply.of(told(POINT)), wish) as (fake, asker):
        found = list(asker.answers([(POINT,), ()]))
    assert [one.shown for one in found if isinstance(one, Asked)] == [POINT, POINT]
    first, second = (json.loads(heard.body) for heard in fake.heard)
    options = {"n": 12, "probes": "all", "verify": True, "min_percentile": 50.0, "records": True}
    assert first == options | {"ids": [POINT], "not_ids": [], "random": False}
    assert second == options | {"ids": [], "not_ids": [], "random": True}


def test_one_connection_serves_all_queries(pictures: list[str]) -> None:
    links = set[int]()
    with asking(lambda _: Reply.of(told())) as (_, asker):
        for _found in asker.answers([(pictures[0],), (pictures[1],), (POINT,)]):
            link = asker._service._link.sock
            links.add(link.getsockname()[1])
    assert len(links) == 1


def test_a_connection_that_was_idle_for_too_long_is_made_again() -> None:
    replies = iter([Reply.of(told(), headers={"Connection": "close"}), Reply.of(told())])
    with asking(lambda _: next(replies)) as (fake, asker):
        assert len(list(asker.answers([(POINT,), (POINT,)]))) == 2
    assert len(fake.heard) == 2


def problem(status: int, detail: str, **more: Any) -> Reply:
    return Reply.of({"title": "x", "status": status, "detail": detail, **more}, status)


@pytest.mark.parametrize("status", [404, 413, 422])
def test_what_is_wrong_with_a_question_costs_only_itself(
    status: int, pictures: list[str], tmp_path: Path
) -> None:
    def answer(heard: Heard) -> Reply:
        return Reply.of(told()) if b"ids" in heard.body else problem(status, "is damaged: so")

    nothing = str(tmp_path / "nothing.jpg")
    with asking(answer) as (fake, asker):
        found = list(asker.answers([(pictures[0],), (nothing,), (POINT,)]))
    assert len(fake.heard) == 2
    assert [type(one) for one in found] == [Refused, Refused, Asked]
    first, second = (one for one in found if isinstance(one, Refused))
    assert (first.given, str(first.error)) == (pictures[0], "is damaged: so")
    assert (second.given, str(second.error)[:10]) == (nothing, "is no file")


def failure(answer: Callable[[Heard], Reply], version: str | None = None) -> str:
    """The one line about a service that answers so."""
    with asking(answer, version=version) as (fake, asker):
        with pytest.raises(ServiceError) as caught:
            list(asker.answers([(POINT,), (POINT,)]))
        line = str(caught.value)
    assert line.isprintable()
    return line.replace(fake.url, "URL")


def test_what_is_wrong_with_a_service_ends_it() -> None:
    assert failure(lambda _: problem(401, "give an API\nkey")) == "URL answers 401: give an API key"
    assert failure(lambda _: Reply(502, b"<html>")) == (
        "URL answers 502: is it a Lookalike service?"
    )
    assert failure(lambda _: Reply(404, b"not found")).startswith("URL answers 404: is it")
    assert failure(lambda _: Reply(301, b"", headers={"Location": "/x"})).startswith("URL answers")
    errors = [{"at": "n", "message": "no"}]
    assert "answers 422: odd" in failure(lambda _: problem(422, "odd", errors=errors))


def test_what_is_no_answer_ends_it() -> None:
    assert failure(lambda _: Reply(200, b"<html>")) == (
        "the answer of the service is no JSON: is it a Lookalike?"
    )
    assert "is no JSON" in failure(lambda _: Reply(200, b"[" * 100_000))
    assert "is no JSON object" in failure(lambda _: Reply(200, b"[]"))
    assert "total is 'many'" in failure(lambda _: Reply.of(told(total="many")))
    assert "cannot be reached" in failure(lambda _: Reply(200, b"x" * 100, cut=50))


def test_another_version_is_not_trusted_where_it_matters() -> None:
    line = failure(lambda _: Reply.of(told(), version="9.9"), version="0.1.0")
    assert line == "URL is of version 9.9, not 0.1.0"
    assert "version None" in failure(lambda _: Reply.of(told()), version="0.1.0")
    with asking(lambda _: Reply.of(told(), version="9.9")) as (_, asker):
        assert len(list(asker.answers([(POINT,)]))) == 1


def test_a_reply_that_never_ends_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_REPLY_BYTES", 1000)
    assert failure(lambda _: Reply(200, b" " * 1001)) == "URL answers with more than 1000 bytes"


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"])
def test_a_service_that_does_not_go_on_is_left(
    part: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listener, silent(listener, part):
        port = listener.getsockname()[1]
        service = Service.at_url(f"http://127.0.0.1:{port}", None)
        with closing(service), pytest.raises(ServiceError, match="does not answer in time"):
            service.get("/")


@contextmanager
def silent(listener: socket.socket, part: bytes) -> Iterator[None]:
    """Takes one connection, sends a part of an answer, and nothing more."""
    done = threading.Event()

    def serve() -> None:
        link, _ = listener.accept()
        with link:
            link.sendall(part)
            done.wait()

    thread = threading.Thread(target=serve)
    thread.start()
    yield
    done.set()
    thread.join()


def test_a_body_that_is_refused_unread_has_its_answer_read() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            link, _ = listener.accept()
            with link:
                link.recv(1000)
                body = b'{"detail": "too large"}'
                head = f"HTTP/1.1 413 X\r\nContent-Length: {len(body)}\r\n\r\n"
                link.sendall(head.encode() + body)
                link.shutdown(socket.SHUT_WR)
                while link.recv(1 << 20):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        with closing(Service.at_url(f"http://127.0.0.1:{port}", None)) as service:
            reply = service.post("/search", Content("text/plain", (b"x" * 1000,) * 2000))
        thread.join()
    assert (reply.status, reply.body) == (413, b'{"detail": "too large"}')


def test_nobody_there_is_one_line_with_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    for address, reason in ((url, "Connection refused"), ("http://[::1]:99999", "")):
        service = Service.at_url(address, None)
        with closing(service), pytest.raises(ServiceError) as caught:
            service.get("/")
        assert str(caught.value).startswith(f"{address} cannot be reached: {reason}")


def test_the_key_and_the_path_of_an_address_are_sent() -> None:
    with FakeService(lambda _: Reply()) as fake:
        with closing(Service.at_url(f"{fake.url}/photos/", "open-sesame")) as service:
            service.get("/stats")
        with closing(Service.at_url(fake.url, None)) as service:
            service.get("/stats")
    first, second = fake.heard
    assert (first.path, first.headers["authorization"]) == ("/photos/stats", "Bearer open-sesame")
    assert second.path == "/stats"
    assert "authorization" not in second.headers


def test_a_unix_socket_is_asked_the_same_way(tmp_path: Path) -> None:
    path = str(tmp_path / "run" / "s.sock")
    fake = FakeService(lambda _: Reply(200, b"1", "0.1.0"), Path(path))
    with fake, closing(Service.at_socket(connected(path), path)) as service:
        assert service.get("/a").version == "0.1.0"
        service.close()
        assert service.get("/b").body == b"1"  # on a connection of its own
    assert [heard.path for heard in fake.heard] == ["/a", "/b"]


@pytest.mark.parametrize("depth", [1, 20])
def test_a_home_has_a_socket_for_each_purpose(
    depth: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    run = tmp_path.joinpath(*["folder"] * depth, "run")
    paths = [socket_path(run, name) for name in (SOCKET_NAME, SEARCH_SOCKET_NAME)]
    assert paths[0] == socket_path(run)
    assert len({*paths, *(socket_path(run / "other", path.name) for path in paths)}) == 4
    assert all(len(str(path)) <= MAX_SOCKET_PATH_BYTES for path in paths)


def test_results_are_drawn_as_the_service_shows_them(pictures: list[str], tmp_path: Path) -> None:
    jpeg = encoded(scene(1))

    def answer(heard: Heard) -> Reply:
        if heard.path == "/search":
            return Reply.of(told())
        if heard.path.endswith("/record"):
            return Reply.of({"path": "far/away/c.jpg"})
        return Reply(200, jpeg)

    with asking(answer, Wish(draws=True)) as (fake, asker):
        (found,) = asker.answers([(POINT,)])
        assert isinstance(found, Asked)
        (example,) = found.examples
        assert example.picture.name == "away/c.jpg"
        assert example.picture.image is not None
        shown = asker.pictures.of(found.answer.results[0].record)
    assert (shown.name, shown.note, shown.path) == ("red/a.jpg", "", None)
    assert shown.image is not None
    assert fake.heard[-1].path == f"/images/{POINT}/thumbnail?size=320"


def test_every_example_is_drawn_or_says_why_not(pictures: list[str], tmp_path: Path) -> None:
    here = tmp_path / "here.jpg"
    here.write_bytes(encoded(scene(1)))

    def answer(heard: Heard) -> Reply:
        if heard.path == "/search":
            return Reply.of(told())
        return problem(404, "no indexed image has this id")

    wish = Wish(against=(POINT, str(here)), draws=True)
    with asking(answer, wish) as (_, asker):
        # The service may decode a format that this machine does not.
        (found,) = asker.answers([(str(here), pictures[1])])
    assert isinstance(found, Asked)
    names = [(one.picture.name, one.is_negative) for one in found.examples]
    assert names == [("here.jpg", False), ("b.jpg", False), (POINT, True), ("here.jpg", True)]
    notes = [one.picture.note for one in found.examples if one.picture.image is None]
    assert notes[0].startswith("is not an image")
    assert notes[1:] == ["no indexed image has this id"]


def test_a_picture_that_cannot_be_had_costs_only_itself() -> None:
    replies = {"/thumbnail": problem(404, "no indexed image has this id"), "": Reply(200, b"no")}
    for end, note in (("/thumbnail", "no indexed image has this id"), ("", "is not an image")):
        with asking(lambda _, end=end: replies[end]) as (_, asker):
            shown = asker.pictures.of(record("red/a.jpg"))
        assert shown.image is None
        assert shown.note.startswith(note)
        assert asker.pictures.of(None).note == "unknown image"


zones = st.sampled_from(["UTC", "Asia/Kathmandu", "America/New_York"])
dates = st.dates().map(str) | st.datetimes().map(lambda moment: moment.isoformat())
spelled = st.one_of(
    st.builds("folder={}".format, st.text(st.characters(exclude_categories=["Cs"]), min_size=1)),
    st.builds("path!={}".format, st.text(min_size=1)),
    st.builds("width{}{}".format, st.sampled_from(["<", ">=", "!="]), st.floats(-1e9, 1e9)),
    st.builds("mtime>={}".format, st.integers(0, 2**40) | st.floats(0, 1e12)),
    st.builds("mtime<{}".format, dates),
    st.builds("taken_at{}{}".format, st.sampled_from(["<", "<=", "="]), dates),
    st.builds("indexed_at{}{}".format, st.sampled_from([">", ">=", "="]), dates),
)


@settings(deadline=None)
@given(spelled, zones)
def test_conditions_mean_the_same_to_the_service(text: str, zone: str) -> None:
    try:
        asked = parse_where([text])
    except QueryError:
        return
    sent = [condition_text(one) for one in asked]
    before = os.environ.get("TZ")
    try:
        os.environ["TZ"] = zone
        time.tzset()
        heard = parse_where(sent)
    finally:
        os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
        time.tzset()
    assert [moment(one) for one in heard] == [moment(one) for one in asked]


def moment(condition: Condition) -> tuple[str, str, object]:
    """The condition with its instant in one spelling."""
    value: object = condition.value
    if condition.field == "indexed_at":
        value = datetime.fromisoformat(str(value)).astimezone(UTC)
    return condition.field, condition.op, value
