"""The service's log lines, as text and as JSON."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from searcher.service.log import Log
from shared.log import LogFormat
from shared.settings import Settings
from tests.homes import make_home
from tests.scrapes import running, scrape, value


@pytest.fixture
def indexed(tmp_path: Path, photos: Path, tiny_tflite: Path) -> Settings:
    """A home whose eighteen pictures are indexed."""
    return make_home(tmp_path / "home", photos, tiny_tflite)


@pytest.fixture
def logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


@pytest.mark.usefixtures("logging_restored")
def test_an_unexpected_error_is_logged_once_with_the_request(
    indexed: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    Log(LogFormat.json).begin()
    with running(indexed) as client:
        reply = client.get("/fails/badly")
        found = scrape(client)

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    errors = [
        line for line in lines if "RuntimeError: no such luck: badly" in line.get("error", "")
    ]
    request = reply.headers["x-request-id"]
    assert reply.status == 500
    assert reply.json["instance"] == f"urn:uuid:{request}"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert [line["request"] for line in errors] == [request]
    assert [line["status"] for line in lines if "status" in line] == [500]
    assert value(found, "requests_total", route="/fails/{what}", method="GET", status="500") == 1


@pytest.mark.usefixtures("logging_restored")
def test_text_lines_name_the_request(indexed: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    Log().begin()
    with running(indexed) as client:
        request = client.get("/fails/badly\u2028twice").headers["x-request-id"]

    told = capsys.readouterr().err
    assert f"ERROR a request failed [{request}]\n    Traceback " in told
    assert told.count("Traceback") == 1
    assert re.search(r"INFO GET /fails/badly\S+twice 500 \d+ bytes .*\[", told)
    assert "\n    RuntimeError: no such luck: badly\\u2028twice\n" in told
