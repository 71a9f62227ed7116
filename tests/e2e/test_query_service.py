"""`searcher query` with a service: the same output as without one, and what happens when it fails.

Every comparison makes sure who answered: without models in the home, only a service can.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from searcher.home_asker import HomeAsker
from searcher.remote.asker import ServiceAsker
from shared.points import point_id
from shared.roots import root_id
from shared.settings import Settings
from shared.store.sharing import SEARCH_SOCKET_NAME, socket_path
from tests.e2e.test_query import FORBIDDEN, Done, Place, ask, one_error, run
from tests.fake_service import FakeService, Heard, Reply
from tests.homes import draw_photos, make_home
from tests.services import Service

NOBODY = "00000000-0000-5000-8000-000000000000"


@dataclass(frozen=True)
class Pair:
    """Two homes of the same photographs: one with a service, and its copy without."""

    served: Place
    alone: Place
    service: Service

    @property
    def red(self) -> str:
        return self.served.red

    @property
    def point(self) -> str:
        return point_id(root_id(self.served.photos), b"blue/2.jpg")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, tiny_tflite: Path) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("served")
    photos = folder / "photos"
    draw_photos(photos)
    settings = make_home(folder / "home", photos, tiny_tflite, calibrated=True)
    shutil.copytree(settings.home, folder / "alone")
    with Service(settings.home) as service:
        service.wait_for(lambda: service.get("/readyz").status == 200)
        alone = Place(Settings(home=folder / "alone"), photos)
        yield Pair(Place(settings, photos), alone, service)


@pytest.fixture
def never_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a service can answer."""

    def refuse(*_: object) -> None:
        raise AssertionError("this process answered itself")

    monkeypatch.setattr(HomeAsker, "__init__", refuse)


@pytest.fixture
def asked_there(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What a service was asked."""
    asked, answers = list[object](), ServiceAsker.answers

    def noted(self: ServiceAsker, queries: Any) -> Any:
        asked.extend(queries)
        return answers(self, queries)

    monkeypatch.setattr(ServiceAsker, "answers", noted)
    return asked


def timeless(done: Done) -> Done:
    return Done(done.code, re.sub(rb'"took_ms": \{[^}]*\}', b"", done.out), done.err)


@pytest.fixture
def bad(pair: Pair, tmp_path: Path) -> str:
    """A file that ends too early."""
    path = tmp_path / "broken.jpg"
    path.write_bytes(Path(pair.red).read_bytes()[:200])
    return str(path)


FORMS = [
    "RED --self --json",
    "LINK --json -n 18",
    "RED LINK --together --not POINT --json",
    "RED",
    "RED GREEN POINT",
    "RED GREEN --json",
    "RED POINT --paths",
    "RED --paths -0 -n 3",
    "RED --explain -n 4",
    "RED POINT --explain --json",
    "RED GREEN --together --exact --json",
    "RED --not GREEN --explain",
    "RED POINT --together --not GREEN --json",
    "POINT --not RED",
    "RED --where folder=red --where indexed_at>=2024 --json",
    "RED --where taken_at<2020-05",
    "RED --probes auto --recall 0.8 --json",
    "RED --probes 2 --verify",
    "RED --exact -n 18 --json",
    "RED --tier near",
    "RED --exact --min-score 0.5",
    "RED --exact --min-percentile 90 --json",
]


@pytest.mark.parametrize("form", FORMS)
def test_the_output_is_the_same_byte_for_byte(
    pair: Pair, form: str, request: Any, tmp_path: Path
) -> None:
    link = tmp_path / "link.jpg"
    os.link(pair.red, link)  # one file under two names
    names = {"RED": pair.red, "LINK": str(link), "GREEN": str(pair.served.photos / "green/1.jpg")}
    arguments = [(names | {"POINT": pair.point}).get(word, word) for word in form.split()]
    alone = ask(pair.alone, *arguments)
    assert alone.out
    request.getfixturevalue("never_at_home")
    assert timeless(ask(pair.served, *arguments)) == timeless(alone)


def test_errors_are_the_same_line_for_line(pair: Pair, tmp_path: Path, bad: str) -> None:
    gone = str(tmp_path / "gone.jpg")
    for arguments in (
        [bad],
        [gone, pair.red, bad, NOBODY, "", str(tmp_path), pair.red],
        [NOBODY, "--json"],
        [pair.red, bad, "--together"],
        [gone, bad, pair.red, "--together", "--not", NOBODY],
        [pair.red, "--not", bad],
        [pair.red, "--not", NOBODY],
        [pair.red, "-n", "0"],
    ):
        alone = ask(pair.alone, *arguments)
        assert alone.code
        assert alone.err
        assert timeless(ask(pair.served, *arguments)) == timeless(alone), arguments


def test_single_errors_come_from_the_service(pair: Pair, bad: str, never_at_home: None) -> None:
    assert one_error(ask(pair.served, bad)).startswith(f"error: {bad}: is damaged")
    assert one_error(ask(pair.served, NOBODY)) == f"error: {NOBODY}: no indexed image has this id"


@pytest.mark.parametrize("more", [(), ("--explain",)])
def test_sheets_and_pages_are_the_same(pair: Pair, tmp_path: Path, more: tuple[str, ...]) -> None:
    drawn = []
    for place in (pair.served, pair.alone):
        sheet, page = tmp_path / "out.png", tmp_path / "out.html"
        options = ("-n", "3", "--sheet", str(sheet), "--html", str(page), *more)
        done = ask(place, pair.red, pair.point, *options)
        assert (done.code, done.err) == (0, "")
        drawn.append((done.out, sheet.read_bytes(), page.read_bytes()))
    assert drawn[0] == drawn[1]


def test_at_random(pair: Pair, never_at_home: None) -> None:
    (line,) = ask(pair.served, "--random", "--self", "--json", "-n", "1").lines
    answer = json.loads(line)
    assert answer["query"] == answer["results"][0]["id"]


def test_a_process_that_asks_a_service_loads_next_to_nothing(pair: Pair) -> None:
    heavy = (*FORBIDDEN, "numpy", "PIL", "ai_edge_litert", "qdrant_edge", "searcher.search")
    heavy = tuple(name for name in heavy if name not in ("http.client", "ssl", "searcher.reasons"))
    code = (
        "import sys, json\nfrom searcher.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end\n"
        f"print(json.dumps([name for name in {heavy!r} if name in sys.modules]))"
    )
    home = str(pair.served.settings.home)
    for form in ("--paths", "--json", "--explain"):
        done = run(["-c", code, "query", "--home", home, "-n", "1", form, pair.red])
        assert (done.code, done.err, done.lines[-1]) == (0, "", "[]")


def test_a_service_elsewhere_needs_no_home(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: str, never_at_home: None
) -> None:
    monkeypatch.setenv("LOOKALIKE_URL", pair.service.url)
    nowhere = Place(Settings(home=tmp_path / "nowhere"), pair.served.photos)
    three = (pair.red, pair.point, "-n", "3", "--self", "--json")
    assert timeless(ask(nowhere, *three)) == timeless(ask(pair.served, *three))
    paths = ask(nowhere, pair.red, "--paths")
    assert (paths.code, paths.out) == (1, b"")
    assert "is not known on this machine" in paths.err
    assert one_error(ask(nowhere, bad)).startswith(f"error: {bad}: is damaged")
    assert not nowhere.settings.home.exists()
    monkeypatch.setenv("LOOKALIKE_URL", pair.service.url + "/")
    assert ask(pair.served, pair.red, "--self", "--paths", "-n", "1").lines == [pair.red]
    assert ask(pair.served, pair.red, "--paths", "-n", "1").lines != [pair.red]


def test_a_service_elsewhere_is_drawn_by_its_thumbnails(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, never_at_home: None
) -> None:
    monkeypatch.setenv("LOOKALIKE_URL", pair.service.url)
    nowhere = Place(Settings(home=tmp_path / "nowhere"), pair.served.photos)
    page = tmp_path / "out.html"
    done = ask(nowhere, pair.red, pair.point, "-n", "3", "--explain", "--html", str(page))
    assert done.code == 0
    assert done.err == (
        "heat maps are drawn by the home itself: ask there, without LOOKALIKE_URL\n"
    )
    text = page.read_text()
    assert text.count("<img") == 2 + 2 * 3
    assert 'alt="query: blue/2.jpg"' in text
    assert "hash bits differ" in text
    assert "file://" not in text


def test_a_service_with_keys(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, never_at_home: None
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("0123456789abcdef0123\n")
    shutil.copytree(pair.alone.settings.home, tmp_path / "home")
    with Service(tmp_path / "home", "--api-keys", keys) as service:
        monkeypatch.setenv("LOOKALIKE_URL", service.url)
        for key in ("", "fedcba9876543210fedc"):
            monkeypatch.setenv("LOOKALIKE_API_KEY", key)
            line = one_error(ask(pair.served, pair.red, pair.red))
            assert line.startswith(f"error: {service.url} answers 401: give an API key")
            assert not key or key not in line
        monkeypatch.setenv("LOOKALIKE_API_KEY", "0123456789abcdef0123")
        assert ask(pair.served, pair.red, "-n", "1").code == 0


def test_a_service_elsewhere_that_is_not_there(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, never_at_home: None
) -> None:
    monkeypatch.setenv("LOOKALIKE_URL", "http://127.0.0.1:1")
    line = one_error(ask(pair.served, pair.red, pair.red))
    assert line == "error: http://127.0.0.1:1 cannot be reached: Connection refused"


@contextlib.contextmanager
def failing(place: Place, answer: Callable[[Heard], Reply]) -> Iterator[FakeService]:
    """A service in a home that answers so."""
    path = socket_path(place.settings.run, SEARCH_SOCKET_NAME)
    with FakeService(answer, path) as fake:
        yield fake


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"{}", "0.0.0-other"),
        Reply(200, b"{}"),
        Reply(200, b"<html>", version("lookalike")),
        Reply(200, b"{}", version("lookalike")),
        Reply(500, b"", version("lookalike")),
        Reply.of({"detail": "more than 128 wait"}, 503, version=version("lookalike")),
        Reply.of({"detail": "more than 4 bytes"}, 413, version=version("lookalike")),
        Reply.of({"detail": "odd", "errors": []}, 422, version=version("lookalike")),
        Reply(200, b"x" * 100, version("lookalike"), cut=50),
    ],
)
def test_the_home_answers_in_place_of_a_service_that_does_not(pair: Pair, reply: Reply) -> None:
    alone = ask(pair.alone, pair.red, pair.point, "--json")
    with failing(pair.alone, lambda _: reply) as fake:
        done = ask(pair.alone, pair.red, pair.point, "--json")
    assert len(fake.heard) == 1
    assert timeless(done) == timeless(alone)
    assert (done.code, done.err, len(done.lines)) == (0, "", 2)


def test_a_service_that_dies_between_queries(
    pair: Pair, tmp_path: Path, asked_there: list[object]
) -> None:
    gone = str(tmp_path / "gone.jpg")
    given = (pair.red, gone, pair.point, pair.red, NOBODY)
    alone = ask(pair.alone, *given)

    def answer(heard: Heard) -> Reply:
        if len(fake.heard) > 1:
            return Reply(503, b"", version("lookalike"))
        whole = pair.service.request("POST", heard.path, heard.body, heard.headers)
        return Reply(whole.status, whole.data, version("lookalike"))

    with failing(pair.alone, answer) as fake:
        done = ask(pair.alone, *given)
    assert len(fake.heard) == 2
    assert len(asked_there) == len(given)
    assert timeless(done) == timeless(alone)


def test_a_socket_that_nobody_listens_at(pair: Pair, asked_there: list[object]) -> None:
    alone = ask(pair.alone, pair.red)
    path = socket_path(pair.alone.settings.run, SEARCH_SOCKET_NAME)
    fake = FakeService(lambda _: Reply(), path)
    fake._server.server_close()  # leaves the socket behind, as kill -9 does
    try:
        assert ask(pair.alone, pair.red) == alone
    finally:
        path.unlink()
    assert asked_there == []
