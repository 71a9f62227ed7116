"""API keys of a running service, its cookie, and its refusal to be open to the network."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemons import searcher
from tests.homes import draw_photos, make_home
from tests.services import Reply, Service

KEYS = ("first-key-of-the-service", "second-key-of-the-service")
OPEN = ("/", "/docs", "/healthz", "/readyz")
CLOSED = ("/stats", "/images", "/clusters", "/metrics", "/openapi.json", "/events", "/nothing")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_tflite: Path) -> Path:
    folder = tmp_path_factory.mktemp("service")
    draw_photos(folder / "photos")
    make_home(folder / "home", folder / "photos", tiny_tflite)
    return folder / "home"


@pytest.fixture(scope="module")
def keyed(home: Path) -> Iterator[Service]:
    """A service that asks for a key."""
    file = home.parent / "keys"
    file.write_text(f"# of the tests\n{KEYS[0]}\n\n{KEYS[1]}\n")
    with Service(home, "--api-keys", file, "--allow-host", "photos.example") as service:
        yield service


def is_problem(reply: Reply, status: int) -> None:
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")
    assert reply.json["instance"] == f"urn:uuid:{reply.headers['x-request-id']}"


def test_a_name_can_be_allowed(keyed: Service) -> None:
    assert keyed.get("/healthz", host="Photos.Example:443").status == 200
    assert keyed.get("/healthz", host="other.example").status == 421


@pytest.mark.parametrize("path", CLOSED)
def test_without_a_key_nothing_is_told_of_the_pictures(keyed: Service, path: str) -> None:
    for headers in (
        {},
        {"authorization": "Bearer"},
        {"authorization": f"Basic {KEYS[0]}"},
        {"authorization": f"Bearer {KEYS[0]}x"},
        {"x_api_key": KEYS[0][:-1]},
        {"x_api_key": ""},
        {"x_api_key": "\xff"},
        {"cookie": "lookalike_session=0"},
        {"cookie": f"lookalike_session={KEYS[0]}"},
    ):
        reply = keyed.get(path, **headers)
        is_problem(reply, 401)
        assert reply.headers["www-authenticate"].startswith("Bearer")


def test_questions_need_a_key_too(keyed: Service) -> None:
    is_problem(keyed.post("/search", {"random": True}), 401)
    assert keyed.post("/search", {"random": True}, x_api_key=KEYS[1]).status == 200


@pytest.mark.parametrize("key", KEYS)
def test_each_key_opens_everything(keyed: Service, key: str) -> None:
    for path in ("/stats", "/images", "/clusters", "/openapi.json"):
        assert keyed.get(path, x_api_key=key).status == 200
        assert keyed.get(path, authorization=f"bearer {key}").status == 200


@pytest.mark.parametrize("path", OPEN)
def test_what_tells_nothing_needs_no_key(keyed: Service, path: str) -> None:
    assert keyed.get(path).status == 200


def test_a_key_is_taken_for_a_cookie_that_scripts_cannot_read(keyed: Service) -> None:
    reply = keyed.post("/session", None, authorization=f"Bearer {KEYS[1]}")
    assert (reply.status, reply.data) == (204, b"")
    cookie, *marks = reply.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=strict"} <= set(marks)
    assert KEYS[1] not in cookie
    assert keyed.get("/stats", cookie=f"other=1; {cookie}").status == 200
    assert keyed.get("/stats", cookie=cookie, x_api_key="wrong").status == 401
    gone = keyed.request("DELETE", "/session", headers={"Cookie": cookie})
    assert gone.status == 204
    assert "Max-Age=0" in gone.headers["set-cookie"]


def test_a_wrong_key_is_taken_for_nothing(keyed: Service) -> None:
    is_problem(keyed.post("/session", None, x_api_key="wrong"), 401)
    is_problem(keyed.post("/session", None), 401)


def test_keys_are_never_logged(keyed: Service) -> None:
    for key in KEYS:
        keyed.get(f"/stats?key={key}", x_api_key=key)
        cookie = keyed.post("/session", None, x_api_key=key).headers["set-cookie"]
        assert key not in keyed.text()
        assert cookie.split(";")[0].partition("=")[2] not in keyed.text()


def test_the_socket_of_the_home_needs_neither_key_nor_name(keyed: Service) -> None:
    link = http.client.HTTPConnection("anything.example")
    link.sock = socket.socket(socket.AF_UNIX)
    with link.sock:
        link.sock.connect(str(keyed.socket))
        link.request("GET", "/stats")
        assert json.loads(link.getresponse().read())["images"] == 18
    assert keyed.socket.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104 - refused
def test_the_network_is_refused_without_a_key(home: Path, host: str) -> None:
    done = searcher("serve", "--home", home, "--port", "0", "--host", host, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert host in done.stderr
    assert "--api-keys" in done.stderr


def test_keys_that_are_too_short_are_refused(home: Path, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("short-secret\n")
    done = searcher("serve", "--home", home, "--api-keys", tmp_path / "keys", check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "short-secret" not in done.stderr


def test_insecure_is_said_aloud(home: Path) -> None:
    host = "0.0.0.0"  # noqa: S104 - what is tested
    with Service(home, "--host", host, "--insecure") as service:
        assert service.get("/stats").status == 200
