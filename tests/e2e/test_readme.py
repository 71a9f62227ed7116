"""Every line of the documentation that a reader would type is run, in the order of the page."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import fields
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from typer.main import get_command

import indexer.cli
import searcher.cli
from shared.settings import Settings
from tests.daemons import Watch, run
from tests.homes import draw_photos
from tests.services import Service, free_port

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = (ROOT / "docs" / "commands.md").read_text()


def _lines(text: str) -> list[str]:
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith(("indexer ", "searcher "))]


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reader's folder: enough pictures to train on, and a cat to ask with."""
    draw_photos(tmp_path / "photos", 18)
    draw_photos(tmp_path / "summer", 2, edge=40)
    shutil.copy(tmp_path / "photos/red/0.jpg", tmp_path / "cat.jpg")
    shutil.copy(tmp_path / "photos/green/0.jpg", tmp_path / "dog.jpg")
    (tmp_path / "photos/blue").rename(tmp_path / "photos/holiday 2024")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOOKALIKE_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def web(reader: Path) -> Iterator[str]:
    """The reader's folder as a web server on loopback."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.timeout(600)
def test_every_command_of_the_readme_works(reader: Path, web: str) -> None:
    lines = _lines(README)
    assert len(lines) >= 15
    for line in lines:
        command, *arguments = shlex.split(line, comments=True)
        if arguments[0] == "watch":
            _watch(reader / "home", arguments[1:])
            continue
        if arguments[0] == "serve":
            with Service(reader / "home", *arguments[1:]) as service:
                assert b"<title>" in service.get("/").data
                assert service.stop() == 0
            continue
        done = run(command, [_real(argument, reader, web) for argument in arguments], check=False)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        assert done.stdout or done.stderr, line
        if "--save-h5" in arguments:
            shutil.copy(next((reader / "home").rglob("Conv_AE.h5")), reader)
        if "forget" in arguments:
            run("indexer", ["scan", "photos"], check=True)
    assert (reader / "out.png").stat().st_size > 1000
    assert (reader / "out.html").stat().st_size > 1000


def _watch(home: Path, arguments: list[str]) -> None:
    serves = "--serve" in arguments
    port = free_port()
    with Watch(home, *arguments, *(["--port", str(port)] if serves else [])) as watch:
        watch.settled(54)
        while serves:
            with contextlib.suppress(URLError), urlopen(f"http://127.0.0.1:{port}/readyz") as ready:
                assert ready.status == 200
                break
            assert watch.process.poll() is None, watch.text()
            time.sleep(0.1)
        assert watch.stop() == 0


def _real(argument: str, reader: Path, web: str) -> str:
    """The argument, with the web and the id of the page replaced by ones that exist here."""
    if argument.startswith("https://"):
        return f"{web}/cat.jpg"
    if re.fullmatch(r"[0-9a-f]{8}-[0-9a-f-]{27}", argument):
        answer = run("searcher", ["query", reader / "cat.jpg", "--json"], check=True)
        return str(json.loads(answer.stdout)["results"][0]["id"])
    return argument


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    text = README + (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE))
    assert {"demo", "test", "check"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def test_every_option_and_setting_is_documented() -> None:
    for app in (indexer.cli.application(), searcher.cli.application()):
        for command in get_command(app).commands.values():  # type: ignore[attr-defined]
            for parameter in command.params:
                for option in parameter.opts:
                    if option.startswith("--"):
                        assert option in COMMANDS, f"{command.name} {option}"
    for field in fields(Settings):
        assert f"`{field.name}`" in COMMANDS, field.name


def test_every_command_has_help() -> None:
    for name, app in (
        ("indexer", indexer.cli.application()),
        ("searcher", searcher.cli.application()),
    ):
        for command in get_command(app).commands:  # type: ignore[attr-defined]
            shown = run(name, [command, "--help"], check=True).stdout
            assert "Usage:" in shown
            assert "--home" in shown
