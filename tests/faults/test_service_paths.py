"""The HTTP service against heads that are none, and addresses that lead outside the roots."""

from __future__ import annotations

import pytest

from shared.points import point_id
from tests.faults.raw import exchange, head
from tests.faults.served import HTML, NOWHERE, OUTSIDE, is_told
from tests.services import Service

ADDRESSES = [
    "/images/x",
    "/images/..%2f..%2fsecret.jpg",
    "/images/%00",
    "/images/../../secret.jpg",
    "/images//etc/passwd",
    f"/images/{NOWHERE[:-1]}1",
    f"/images/{NOWHERE[:-1]}1/thumbnail",
    f"/images/{NOWHERE}/thumbnail?size=100000",
    f"/images/{NOWHERE}?v={'x' * 100}",
    "/images?cursor=x",
    "/images?limit=-1",
    "/images?limit=1e9",
    f"/images?limit={'9' * 5000}",
    "/clusters/x",
    "/clusters/-1",
    "/clusters/99999",
    f"/clusters/{'9' * 5000}",
    "/clusters/0?cursor=../../x",
    "/clusters/0?cursor=%ff%ff",
    f"/clusters/0?cursor={'A' * 31}",
    "/clusters?samples=25",
    "/assets/../../pyproject.toml",
    "/assets/..%2f..%2fpyproject.toml",
    "/assets/%2e%2e/__init__.py",
    "/assets/index.html%00",
    "/.env",
    "/%ff%fe",
]


@pytest.mark.case(40)
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("address", ADDRESSES, ids=lambda address: address[:40])
def test_an_address_that_is_none_is_refused(served: Service, address: str) -> None:
    is_told(served, served.get(address))


HEADS = {
    "two lengths": head("POST", "/search", "Content-Length: 5", "Content-Length: 6") + b"hello!",
    "a length and chunks": head(
        "POST", "/search", "Content-Length: 5", "Transfer-Encoding: chunked"
    )
    + b"0\r\n\r\n",
    "an odd encoding": head("POST", "/search", "Transfer-Encoding: xchunked") + b"0\r\n\r\n",
    "chunks that are not last": head("POST", "/search", "Transfer-Encoding: chunked, gzip"),
    "an odd length": head("POST", "/search", "Content-Length: +5") + b"hello",
    "a length below zero": head("POST", "/search", "Content-Length: -5") + b"hello",
    "a chunk of no size": head("POST", "/search", "Transfer-Encoding: chunked") + b"xyz\r\n",
    "a folded header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
    "a bare line feed": b"GET / HTTP/1.1\nHost: localhost\nX\n\n",
    "a space before the colon": head("GET", "/", "Content-Length : 5"),
    "a NUL in a header": head("GET", "/", "X: a\0b"),
    "no version": b"GET /\r\n\r\n",
    "another version": b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
    "a head of 1 MB": head("GET", "/healthz", "X: " + "y" * 2**20),
    "100,000 headers": head("GET", "/healthz", *["X: y"] * 100_000),
    "an address of 1 MB": head("GET", "/" + "x" * 2**20),
    "no UTF-8 in the address": b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a tunnel": b"CONNECT example.com:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "two hosts": b"GET /stats HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    "no host": b"GET /stats HTTP/1.1\r\n\r\n",
}


@pytest.mark.case(40)
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("case", HEADS)
def test_a_head_that_is_none_is_refused_and_nothing_follows(served: Service, case: str) -> None:
    smuggled = head("GET", "/stats", "Connection: close")
    found = exchange(served.port, HEADS[case] + smuggled)
    assert len(found) == 1
    is_told(served, found[0])
    assert found[0].headers["connection"] == "close"


@pytest.mark.case(40)
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("case", OUTSIDE)
@pytest.mark.parametrize("what", ["", "/thumbnail"])
def test_nothing_outside_the_roots_is_sent(served: Service, case: str, what: str) -> None:
    root = served.get("/stats").json["roots"][0]
    point = point_id(root, OUTSIDE[case].encode())
    assert served.get(f"/images/{point}/record").json["path"] == OUTSIDE[case]
    is_told(served, served.get(f"/images/{point}{what}"), 404)


@pytest.mark.case(40)
def test_nothing_of_a_root_that_is_not_known_is_sent(served: Service) -> None:
    for what in ("", "/thumbnail"):
        is_told(served, served.get(f"/images/{NOWHERE}{what}"), 404)


@pytest.mark.case(44)
def test_names_with_html_in_them_stay_names(served: Service) -> None:
    """What the page shows is tested in a browser; here, nothing leaves as HTML."""
    images = served.get("/images?limit=200").json["images"]
    (odd,) = (image for image in images if image["path"] == HTML)
    for address in (odd["links"]["image"], odd["links"]["thumbnail"]):
        sent = served.get(address)
        assert (sent.status, sent.headers["content-type"]) == (200, "image/jpeg")
        assert "<" not in sent.headers["content-disposition"]
        assert sent.headers["content-security-policy"] == "default-src 'none'; sandbox"
    for reply in (
        served.get(odd["links"]["record"]),
        served.post("/search", {"ids": [odd["id"]]}),
        served.send("/search", [b"abc"]),
        served.get("/<script>alert(1)</script>"),
    ):
        assert reply.headers["content-type"].startswith("application/")
        assert reply.headers["x-content-type-options"] == "nosniff"
