"""The HTTP service against bodies that are no questions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.faults.served import NOWHERE, is_told, is_told_in_a_batch
from tests.services import BOUNDARY, Service, part

KIND = f"multipart/form-data; boundary={BOUNDARY}"
END = f"--{BOUNDARY}--\r\n".encode()

FORMS = {
    "no body": b"",
    "only the end": END,
    "no end": part("image", b"abc", "x.jpg"),
    "another boundary": b"--other\r\n\r\nabc\r\n--other--\r\n",
    "no head": f"--{BOUNDARY}\r\n\r\nabc\r\n".encode() + END,
    "no name": f"--{BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\nabc\r\n".encode() + END,
    "a head of 1 MB": f"--{BOUNDARY}\r\nX: {'x' * 2**20}\r\n\r\nabc\r\n".encode() + END,
    "1,000 heads": f"--{BOUNDARY}\r\n{'X: y' * 1000}\r\n\r\nabc\r\n".encode() + END,
    "no colon": f"--{BOUNDARY}\r\nContent-Disposition\r\n\r\nabc\r\n".encode() + END,
    "a NUL in the head": f"--{BOUNDARY}\r\nContent-\0: form-data\r\n\r\nabc\r\n".encode() + END,
    "10,000 fields": part("where", b"width>1") * 10_000 + END,
    "10,000 files": part("image", b"abc", "x.jpg") * 10_000 + END,
    "a field of 1 MB": part("where", b"x" * 2**20) + END,
    "an unknown field": part("image", b"abc", "x.jpg") + part("colour", b"red") + END,
    "an unknown file": part("image", b"abc", "x.jpg") + part("other", b"abc", "y.jpg") + END,
    "a file for a field": part("n", b"3", "n.txt") + END,
    "a field for a file": part("image", b"abc") + END,
    "a field twice": part("image", b"abc", "x.jpg") + part("n", b"1") * 2 + END,
    "no picture": part("image", b"<html>", "x.jpg") + END,
    "an empty picture": part("image", b"", "x.jpg") + END,
    "a name that climbs": part("image", b"abc", "../../../etc/cron.d/x") + END,
    "a name that climbs back": part("image", b"abc", "..\\..\\x\0.jpg") + END,
    "a name of HTML": part("image", b"abc", "<script>alert(1)<\\/script>") + END,
    "no UTF-8": part("where", b"path=\xff\xfe") + part("image", b"abc", "x.jpg") + END,
    "ids that are none": part("ids", b"../../x") + END,
    "an id that is nowhere": part("ids", NOWHERE[:-1].encode() + b"1") + END,
    "digits without end": part("image", b"a", "x.jpg") + part("probes", b"9" * 5000) + END,
    "other digits": part("image", b"a", "x.jpg") + part("probes", "٣".encode()) + END,
    "no number": part("image", b"a", "x.jpg") + part("min_score", b"nan") + END,
}


@pytest.mark.case(40)
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("path", ["/search", "/search/batch"])
@pytest.mark.parametrize("case", FORMS)
def test_a_form_that_is_none_is_refused(served: Service, path: str, case: str) -> None:
    reply = served.request("POST", path, FORMS[case], {"Content-Type": KIND})
    is_told_in_a_batch(served, reply) if path == "/search/batch" else is_told(served, reply)


@pytest.mark.case(40)
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/form-data; boundary={'x' * 10_000}",
        "multipart/form-data; boundary=\xff",
        "application/x-www-form-urlencoded",
        "../../x",
    ],
)
def test_a_kind_of_body_that_is_none_is_refused(served: Service, kind: str) -> None:
    body = part("image", b"abc", "x.jpg") + END
    is_told(served, served.request("POST", "/search", body, {"Content-Type": kind}))


VALUES: list[Any] = [
    None,
    [],
    {},
    "ids",
    {"ids": []},
    {"ids": "x"},
    {"ids": ["../../etc/passwd"]},
    {"ids": [NOWHERE[:-1] + "1"]},
    {"ids": [NOWHERE + "\0"]},
    {"ids": [NOWHERE] * 17},
    {"random": True, "ids": [NOWHERE]},
    {"random": "true"},
    {"random": True, "n": 0},
    {"random": True, "n": 10**30},
    {"random": True, "n": "12"},
    {"random": True, "probes": "many"},
    {"random": True, "probes": 1, "recall": 0.5},
    {"random": True, "self": "yes"},
    {"random": True, "own_files": ["1:2:3"]},
    {"random": True, "own_ids": ["../etc"]},
    {"random": True, "where": ["; DROP TABLE"]},
    {"random": True, "where": ["width=" + "9" * 400]},
    {"random": True, "where": ["path=\ud800", "width>>3"]},
    {"random": True, "where": ["x"] * 33},
    {"random": True, "where": ["path=" + "x" * 5000]},
    {"random": True, "min_score": 1e400},
    {"random": True, "__proto__": {}},
]


@pytest.mark.case(40)
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("value", VALUES, ids=lambda value: json.dumps(value)[:40])
def test_a_question_that_is_none_is_refused(served: Service, value: Any) -> None:
    is_told(served, served.post("/search", value))
    is_told_in_a_batch(served, served.post("/search/batch", {"queries": [value]}))


@pytest.mark.case(40)
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"ids": ["\xff"]}',
        b'{"random": true, "where": ["path=\\ud800"]',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"random": true, "n": NaN}',
        b'{"random": true}{"random": true}',
        b"9" * 100_000,
        b"\0",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_json_that_is_none_is_refused(served: Service, body: bytes) -> None:
    for path in ("/search", "/search/batch"):
        kind = {"Content-Type": "application/json"}
        is_told(served, served.request("POST", path, body, kind))
