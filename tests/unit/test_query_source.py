"""Where queries come from: files, URLs served by a small local server, ids, and nothing at all."""

from __future__ import annotations

import contextlib
import http.server
import io
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from searcher.query.source import Query, read_query
from shared.errors import ImageRefused, QueryError
from shared.images import decode
from shared.reading import Signature
from shared.settings import Settings

POINT = "e5dfd83c-b33c-5c32-8284-255852e6b1f6"


def png(size: tuple[int, int] = (8, 8)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "red").save(buffer, "PNG")
    return buffer.getvalue()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one behaviour a path."""

    protocol_version = "HTTP/1.0"
    stop: threading.Event

    def do_GET(self) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            getattr(self, "get_" + self.path.strip("/").replace(".", "_"))()

    def get_ok_png(self) -> None:
        assert self.headers["User-Agent"] == "lookalike"
        self.answer(png(), kind="text/html")

    def get_text(self) -> None:
        self.answer(b"<html>", kind="image/png")

    def get_large(self) -> None:
        self.answer(b"x" * 2001)

    def get_liar(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"x" * 2001)

    def get_drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.drip()

    def get_header_drip(self) -> None:
        self.wfile.write(b"HTTP/1.0 200 OK\r\nX-Long: ")
        self.drip()

    def drip(self) -> None:
        while not self.stop.wait(0.05):
            self.wfile.write(b"x")
            self.wfile.flush()

    def get_away(self) -> None:
        self.redirect("/ok.png")

    def get_file(self) -> None:
        self.redirect("file:///etc/passwd")

    def get_ftp(self) -> None:
        self.redirect("ftp://127.0.0.1/x.png")

    def get_loop(self) -> None:
        self.redirect("/loop")

    def get_missing(self) -> None:
        self.send_error(404, "Not Found")

    def redirect(self, target: str) -> None:
        self.send_response(302)
        self.send_header("Location", target)
        self.end_headers()

    def answer(self, body: bytes, kind: str = "image/png") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    Handler.stop = threading.Event()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = False
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        Handler.stop.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return Settings(home=tmp_path, url_max_bytes=2000, url_timeout_seconds=5)


def refusal(given: str, settings: Settings) -> str:
    with pytest.raises((QueryError, ImageRefused)) as caught:
        read_query(given, settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_url_is_fetched_whatever_its_header_says(url: str, settings: Settings) -> None:
    assert read_query(f"{url}/ok.png", settings) == Query(f"{url}/ok.png", data=png())
    assert read_query(f"{url}/away", settings).data == png()
    assert read_query(f"HTTP{url[4:]}/ok.png", settings).data == png()
    data = read_query(f"{url}/text", settings).data or b""
    with pytest.raises(ImageRefused, match="is not an image"):
        decode(data, [])


@pytest.mark.parametrize("path", ["large", "liar"])
def test_a_large_download_is_refused(url: str, settings: Settings, path: str) -> None:
    assert "more than url_max_bytes=2000 bytes" in refusal(f"{url}/{path}", settings)


@pytest.mark.parametrize("path", ["drip", "header_drip"])
def test_the_time_limit_is_for_everything(url: str, tmp_path: Path, path: str) -> None:
    hasty = Settings(home=tmp_path, url_timeout_seconds=0.4)
    started = time.monotonic()
    message = refusal(f"{url}/{path}", hasty)
    assert 0.3 < time.monotonic() - started < 2
    assert message.startswith("was not downloaded within url_timeout_seconds=0.4")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("file", "redirects to file:, only http and https are followed"),
        ("ftp", "redirects to ftp:, only http and https are followed"),
        ("missing", "the server answers 404 Not Found"),
        ("loop", "the server answers 302"),
    ],
)
def test_other_answers_of_a_server(url: str, settings: Settings, path: str, message: str) -> None:
    assert message in refusal(f"{url}/{path}", settings)


@pytest.mark.parametrize(
    "given", ["http://", "http://127.0.0.1:1/x", "http://[::1/", "http://a b/"]
)
def test_urls_that_lead_nowhere(settings: Settings, given: str) -> None:
    assert "cannot be downloaded: " in refusal(given, settings)


@pytest.mark.parametrize("given", ["file:///etc/passwd", "ftp://host/x.png", "data://x"])
def test_other_schemes_are_not_fetched(settings: Settings, given: str) -> None:
    assert "use http:// or https://" in refusal(given, settings)


def test_a_file_is_read_and_links_to_it_followed(tmp_path: Path, settings: Settings) -> None:
    file, link = tmp_path / "a.png", tmp_path / "link.png"
    file.write_bytes(png())
    link.symlink_to(file)
    query = read_query(str(file), settings)
    assert (query.shown, query.data, query.path) == (str(file), png(), os.fsencode(file))
    through = read_query(str(link), settings)
    assert (through.data, through.path) == (png(), query.path)
    assert through.file == query.file == Signature.of(file.stat())


def test_a_name_that_is_not_utf8(tmp_path: Path, settings: Settings) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")
    Path(name).write_bytes(png())
    query = read_query(name, settings)
    assert query.data == png()
    assert query.shown.endswith("caf\ufffd.png")


def test_an_id_is_an_id_unless_a_file_is_called_so(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_query(POINT.upper(), settings) == Query(POINT.upper(), point=POINT)
    (tmp_path / POINT).write_bytes(png())
    assert read_query(POINT, settings).data == png()


def test_what_is_nothing_is_said_to_be_nothing(tmp_path: Path, settings: Settings) -> None:
    assert refusal(str(tmp_path / "nope.jpg"), settings).startswith("is no file, http(s) URL or id")
    assert refusal("", settings).startswith("is no file")
    assert refusal(POINT[:-1], settings).startswith("is no file")
    assert refusal(str(tmp_path), settings) == "is a folder: name the images in it"


def test_special_files_are_refused_without_waiting(tmp_path: Path, settings: Settings) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refusal(str(tmp_path / "pipe"), settings) == "is not a regular file"
    (tmp_path / "empty.png").write_bytes(b"")
    assert refusal(str(tmp_path / "empty.png"), settings) == "is empty"
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert "No such file" in refusal(str(tmp_path / "dangling"), settings)
    tight = Settings(home=tmp_path, max_file_bytes=10)
    (tmp_path / "a.png").write_bytes(png())
    assert "more than max_file_bytes=10" in refusal(str(tmp_path / "a.png"), tight)
