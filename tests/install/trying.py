"""What a new user does first: watch, search, drop a picture in, recluster, serve, stop."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter
from typing import Any

from tests.compose.saying import say
from tests.install.environment import ABSENT, DEADLINE_SECONDS, ROOT, Environment

FITTING = ("sklearn", "scipy", "kneed", *ABSENT)
"""What neither the daemon nor the service may load."""
SERVING = re.compile(r"http://127\.0\.0\.1:(\d+)")


def try_all(environment: Environment, folder: Path) -> None:
    """Run everything on a copy of the example photographs; raises at the first thing amiss."""
    photos = folder / "photos"
    shutil.copytree(ROOT / "examples" / "photos", photos)
    images = len(list(photos.rglob("*.jpg")))
    log = folder / "watch.log"
    with _running(environment, log, "indexer", "watch", photos) as daemon:
        _wait("the photographs are indexed", log, lambda: _indexed(environment, images))
        _search(environment, next(photos.rglob("*.jpg")))
        added = _drop(photos)
        _wait("a further one is indexed", log, lambda: _indexed(environment, images + 1))
        # The query is the file that was copied, not the indexed one.
        (first, *_) = _search(environment, added)
        _expect(first["path"] == added.name, f"{added.name} is not the first result: {first}")
        _recluster(environment)
        groups = environment.json("searcher", "groups")
        _expect(isinstance(groups, dict), f"groups: {groups}")
        environment.json("searcher", "clusters")
        _serve(environment, folder / "serve.log", added)
        environment.run("indexer", "doctor")
        _carries_nothing(daemon, log)
    refused = environment.run("indexer", "train", photos, code=1)
    _expect("lookalike[train]" in refused.stderr, f"no remedy in: {refused.stderr}")
    shutil.rmtree(environment.variables["LOOKALIKE_HOME"])
    scanned = environment.json("indexer", "scan", photos)
    _expect(scanned["images"] == images + 1, f"scan: {scanned}")
    say("all well")


def _indexed(environment: Environment, images: int) -> bool:
    told = subprocess.run(
        [environment.command("indexer"), "status", "--json"],
        env=environment.variables,
        capture_output=True,
        check=False,
    )
    found = json.loads(told.stdout) if told.returncode == 0 else {}
    return bool(
        found
        and found["state"] == "watching"
        and (found["images"], found["backlog"]) == (images, 0)
    )


def _search(environment: Environment, picture: Path) -> list[dict[str, Any]]:
    answer = environment.json("searcher", "query", picture, "-n", "5")
    results: list[dict[str, Any]] = answer["results"]
    scores = [one["score"] for one in results]
    _expect(len(results) == 5 and scores == sorted(scores, reverse=True), f"results: {answer}")
    return results


def _drop(photos: Path) -> Path:
    """Copy a further photograph into the watched folder; the file that was copied."""
    added = min((ROOT / "examples" / "dropped").glob("*.jpg"))
    shutil.copyfile(added, photos / added.name)
    return added


def _recluster(environment: Environment) -> None:
    done = environment.run("indexer", "recluster", "--json")
    found = json.loads(done.stdout)
    _expect(found["current"] and not found["figures"], f"recluster: {found}")
    notes = done.stderr.count("matplotlib is not installed")
    _expect(notes == 1, f"{notes} notes about the figures, not one:\n{done.stderr}")


def _serve(environment: Environment, log: Path, picture: Path) -> None:
    with _running(environment, log, "searcher", "serve", "--port", "0") as service:
        _wait("the service answers", log, lambda: SERVING.search(log.read_text()) is not None)
        found = SERVING.search(log.read_text())
        port = int(found[1]) if found else 0
        started = perf_counter()
        results = json.loads(_asked(port, "POST", "/search", picture))["results"]
        say(f"{perf_counter() - started:5.2f} s  POST /search")
        _expect(results[0]["path"] == picture.name, f"{picture.name} is not the first: {results}")
        _expect(b"<html" in _asked(port, "GET", "/"), "the page is no page")
        _carries_nothing(service, log)


def _asked(port: int, method: str, target: str, picture: Path | None = None) -> bytes:
    """The body of a reply; `picture` is uploaded."""
    boundary, body = uuid.uuid4().hex, None
    if picture is not None:
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="query.jpg"'
            "\r\nContent-Type: image/jpeg\r\n\r\n"
        )
        body = head.encode() + picture.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"} if body else {}
    connection = HTTPConnection("127.0.0.1", port, timeout=DEADLINE_SECONDS)
    with contextlib.closing(connection):
        connection.request(method, target, body, kind)
        reply = connection.getresponse()
        data = reply.read()
    _expect(reply.status == 200, f"{method} {target}: {reply.status} {data[:500]!r}")
    return data


@contextlib.contextmanager
def _running(
    environment: Environment, log: Path, *arguments: str | Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A command that goes on until SIGTERM, which has to end it with exit code 0."""
    process = environment.start(log, *arguments)
    try:
        yield process
        _expect(process.poll() is None, f"it ended by itself:\n{log.read_text()}")
        process.send_signal(signal.SIGTERM)
        code = process.wait(DEADLINE_SECONDS)
        _expect(code == 0, f"exit code {code} after SIGTERM:\n{log.read_text()}")
    except BaseException:
        say(log.read_text())
        raise
    finally:
        process.kill()
        process.wait()


def _wait(what: str, log: Path, true: Callable[[], bool]) -> None:
    started = perf_counter()
    while not true():
        if perf_counter() - started > DEADLINE_SECONDS:
            raise AssertionError(f"not within {DEADLINE_SECONDS:.0f} s: {what}\n{log.read_text()}")
        time.sleep(0.1)
    say(f"{perf_counter() - started:5.2f} s  until {what}")


def _carries_nothing(process: subprocess.Popen[bytes], log: Path) -> None:
    """No library that fits or draws is mapped into a process; looked up where there is /proc."""
    maps = Path(f"/proc/{process.pid}/maps")
    loaded = maps.read_text() if maps.exists() else ""
    carried = [name for name in FITTING if f"/{name}/" in loaded]
    _expect(not carried, f"{log.stem} carries {', '.join(carried)}")


def _expect(true: bool, otherwise: str) -> None:
    if not true:
        raise AssertionError(otherwise)
