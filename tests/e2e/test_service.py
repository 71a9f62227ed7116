"""Names a running service answers to, the headers of its answers, and its pictures."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.homes import draw_photos, make_home
from tests.services import Reply, Service


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_tflite: Path) -> Path:
    """Eighteen pictures, the first of which tells where it was taken."""
    folder = tmp_path_factory.mktemp("service")
    first = draw_photos(folder / "photos")[0]
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (47.0, 22.0, 0.0), 3: "E", 4: (8.0, 32.0, 0.0)}
    with Image.open(first) as image:
        image.save(first, quality=90, exif=exif)
    make_home(folder / "home", folder / "photos", tiny_tflite)
    return folder / "home"


@pytest.fixture(scope="module")
def service(home: Path) -> Iterator[Service]:
    with Service(home) as service:
        yield service


def is_problem(reply: Reply, status: int) -> None:
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")
    assert reply.json["instance"] == f"urn:uuid:{reply.headers['x-request-id']}"


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:9", "[::1]:80", "192.168.1.7"]
)
def test_names_of_ours_and_plain_addresses_are_answered(service: Service, host: str) -> None:
    assert service.get("/stats", host=host).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "photos.example", "@"],
)
def test_a_page_that_gives_its_own_name_our_address_is_refused(service: Service, host: str) -> None:
    for path in ("/stats", "/", "/healthz"):
        is_problem(service.get(path, host=host), 421)


@pytest.mark.parametrize("path", ["/", "/docs", "/stats", "/healthz", "/nothing", "/clusters/999"])
def test_every_answer_has_its_headers(service: Service, path: str) -> None:
    headers = service.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["lookalike-version"]
    assert headers["x-request-id"] != service.get(path).headers["x-request-id"]
    assert "server" not in headers


def test_pages_run_and_fetch_nothing_but_their_own(service: Service) -> None:
    for path in ("/", "/docs"):
        headers = service.get(path).headers
        policy = dict(
            part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"


def test_the_parts_of_the_page_are_asked_for_again_and_not_sent_again(service: Service) -> None:
    page = service.get("/").data.decode()
    names = {part.split('"')[0] for part in page.split("/assets/")[1:]}
    assert names
    for path in ("/", *(f"/assets/{name}" for name in names)):
        first = service.get(path)
        assert first.status == 200
        assert first.headers["cache-control"] == "no-cache"
        again = service.get(path, if_none_match=first.headers["etag"])
        assert (again.status, again.data) == (304, b"")


def test_no_other_site_may_read_the_answers(service: Service) -> None:
    reply = service.get("/stats", origin="https://evil.example")
    assert not [name for name in reply.headers if name.startswith("access-control")]


def test_a_site_can_be_allowed_to_read_the_answers(home: Path) -> None:
    with Service(home, "--allow-origin", "https://our.example") as service:
        ours = service.get("/stats", origin="https://our.example")
        assert ours.headers["access-control-allow-origin"] == "https://our.example"
        other = service.get("/stats", origin="https://evil.example")
        assert "access-control-allow-origin" not in other.headers
        asks = {"Origin": "https://our.example", "Access-Control-Request-Method": "POST"}
        assert service.request("OPTIONS", "/search", headers=asks).status == 200


def located(service: Service) -> dict[str, str]:
    """The links of the picture that tells where it was taken."""
    images = service.get("/images").json["images"]
    return next(image["links"] for image in images if image["path"] == "red/0.jpg")


def has_position(reply: Reply) -> bool:
    with Image.open(io.BytesIO(reply.data)) as image:
        assert image.size == (48, 48)
        return bool(image.getexif().get_ifd(0x8825))


def test_this_machine_gets_originals_as_they_are(service: Service, home: Path) -> None:
    sent = service.get(located(service)["image"])
    assert has_position(sent)
    assert sent.data == (home.parent / "photos" / "red" / "0.jpg").read_bytes()


@pytest.mark.parametrize("name", ["x_forwarded_for", "forwarded", "x_real_ip"])
def test_what_goes_through_a_proxy_goes_without_its_position(service: Service, name: str) -> None:
    link = located(service)["image"]
    bare = service.get(link, **{name: "192.0.2.7"})
    assert bare.status == 200
    assert not has_position(bare)
    assert bare.headers["etag"] != service.get(link).headers["etag"]
    assert service.get(link, if_none_match=service.get(link).headers["etag"]).status == 304


def test_positions_can_be_kept(home: Path) -> None:
    with Service(home, "--keep-positions") as service:
        assert has_position(service.get(located(service)["image"], x_forwarded_for="192.0.2.7"))


def test_a_thumbnail_tells_nothing(service: Service) -> None:
    sent = service.get(located(service)["thumbnail"])
    with Image.open(io.BytesIO(sent.data)) as image:
        assert (image.format, dict(image.getexif())) == ("JPEG", {})


@pytest.mark.parametrize("kind", ["image", "thumbnail"])
def test_pictures_are_kept_by_who_knows_their_version(service: Service, kind: str) -> None:
    link = located(service)[kind]
    first = service.get(link)
    assert "immutable" in first.headers["cache-control"]
    assert "private" in first.headers["cache-control"]
    assert first.headers["content-security-policy"] == "default-src 'none'; sandbox"
    again = service.get(link, if_none_match=first.headers["etag"])
    assert (again.status, again.data, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert service.get(link, if_none_match='"other"').data == first.data
    for other in (link.partition("?")[0], link.partition("?")[0] + "?v=0000"):
        assert service.get(other).headers["cache-control"] == "private, no-cache"


def test_the_service_ends_with_success(home: Path) -> None:
    with Service(home) as service:
        assert service.post("/search", {"random": True}).status == 200
        assert service.stop() == 0


def test_a_second_service_of_the_same_home_answers_too(service: Service, home: Path) -> None:
    with Service(home) as second:
        assert "another service" in second.text()
        assert second.get("/stats").json == service.get("/stats").json
    assert service.socket.exists()


def test_the_command_needs_no_framework_to_be_known() -> None:
    """`searcher --help` and queries load no web framework."""
    code = "import sys, searcher.cli; print({'fastapi', 'uvicorn', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("path", ["/", "/healthz", "/stats", "/assets/styles.css"])
def test_head_has_the_headers_of_get_and_no_body(service: Service, path: str) -> None:
    head, get = service.request("HEAD", path), service.get(path)
    assert (head.status, head.data) == (200, b"")
    for name in ("content-length", "content-type", "etag"):
        assert head.headers.get(name) == get.headers.get(name)


def test_what_is_wrong_with_a_request_stands_in_its_sentence(service: Service) -> None:
    reply = service.post("/search", {"ids": []})
    is_problem(reply, 422)
    assert reply.json["detail"].endswith("give ids, or random: true")
    assert service.post("/search", {"n": "3"}).json["errors"][0]["at"] == "n"
