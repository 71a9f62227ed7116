"""A Qdrant server that answers, but not as it should: overloaded, full, slow, or cut off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.daemons import Watch, indexer
from tests.faults.pictures import draw, on_disk, stored
from tests.faults.server import WRITES, connect, error_of, is_true, names_no_key, writes
from tests.homes import draw_photos, make_home
from tests.qdrant.running import Running, qdrant

FAULTS: dict[str, dict[str, Any]] = {
    "too many requests": {"how": "429", "seconds": 1},
    "no space": {"how": "507"},
    "unavailable": {"how": "503"},
    "reset before": {"how": "reset-before"},
    "reset after": {"how": "reset-after"},
    # Last: a listing whose deletions were slow makes the next one wait.
    "time-out": {"how": "timeout", "seconds": 3},
}
"""What the stub does to the next write of vectors and to the next deletion."""


@dataclass(slots=True)
class Place:
    """A daemon at work on its pictures, with its server."""

    watch: Watch
    photos: Path
    server: Running
    drawn: int = 0

    def change(self) -> None:
        """Two pictures come, one that came before goes, one changes."""
        before = sorted((self.photos / "new").glob("*"))
        paths = draw(self.photos / "new", range(self.drawn, self.drawn + 2))
        self.drawn += 2
        for path in before[:1]:
            path.unlink()
        (self.photos / "red/0.jpg").write_bytes(paths[0].read_bytes())

    def is_settled(self) -> None:
        """Nothing is owed, and the store has every file once, with the size that it has now."""

        def calm(told: dict[str, Any]) -> bool:
            found = stored(self.watch.home)
            wanted = {path: (self.photos / path).stat().st_size for path in on_disk(self.photos)}
            is_true = {path: record.bytes for path, record in found.items()} == wanted
            return is_true and told["state"] == "watching" and told["backlog"] == 0

        self.watch.wait_until(calm)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with qdrant(tmp_path_factory.mktemp("qdrant")) as server:
        yield server


def _place(folder: Path, tflite: Path, server: Running, **settings: int) -> Iterator[Place]:
    photos, home = folder / "photos", folder / "home"
    draw_photos(photos)
    make_home(home, photos, tflite, indexed=False)
    connect(home, server.url, **settings)
    with Watch(home, photos) as watch:
        watch.settled(18)
        yield Place(watch, photos, server)
        is_true(home, photos)
        names_no_key(watch.text())


@pytest.fixture(scope="module")
def rest(
    tmp_path_factory: pytest.TempPathFactory, tiny_tflite: Path, server: Running
) -> Iterator[Place]:
    yield from _place(tmp_path_factory.mktemp("rest"), tiny_tflite, server)


@pytest.fixture(scope="module")
def grpc(
    tmp_path_factory: pytest.TempPathFactory, tiny_tflite: Path, server: Running
) -> Iterator[Place]:
    port = server.grpc_port
    yield from _place(tmp_path_factory.mktemp("grpc"), tiny_tflite, server, qdrant_grpc_port=port)


def _fails(place: Place, fault: dict[str, Any]) -> None:
    before = writes(place.server)
    place.server.fail([{"match": match} | fault for match in (WRITES, "points/delete")])
    place.change()
    place.is_settled()
    assert writes(place.server) >= before + 2, "nothing was asked again"


@pytest.mark.case(13)
def test_a_write_without_an_answer_leaves_no_ghost(rest: Place) -> None:
    """The picture is deleted while nobody knows whether its vector was written."""
    rest.server.fail([{"match": WRITES, "times": 99, "how": "reset-after"}])
    (ghost,) = draw(rest.photos / "ghost", [1])
    rest.watch.wait_until(lambda found: found["state"].startswith("degraded: "))
    assert "ghost/00001.png" in stored(rest.watch.home), "it was written"
    ghost.unlink()
    rest.server.fail([])
    rest.is_settled()


@pytest.mark.case(13)
@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_daemon_writes_is_written_again(rest: Place, fault: str) -> None:
    _fails(rest, FAULTS[fault])


@pytest.mark.case(13)
@pytest.mark.parametrize("fault", ["too many requests", "no space", "reset after", "time-out"])
def test_over_grpc_too(grpc: Place, fault: str) -> None:
    _fails(grpc, FAULTS[fault])


@pytest.mark.case(13)
def test_a_scan_goes_on_through_all_of_it_until_the_disk_stays_full(
    home: Path, photos: Path, server: Running
) -> None:
    connect(home, server.url, batch_size=3)
    once = [{"match": WRITES, "how": how} for how in ("507", "503", "reset-before", "reset-after")]
    two_batches = {"match": WRITES, "times": 2, "how": "slow"}
    full = {"match": WRITES, "times": 99, "how": "507"}
    server.fail([*once, two_batches, full])
    told = error_of(indexer("scan", photos, "--home", home, check=False))
    assert f"qdrant at {server.url} has no room left" in told
    assert told.endswith("make room, nothing was lost")
    assert len(stored(home)) == 2 * 3
    server.fail([])
    found = json.loads(indexer("scan", "--home", home, "--json").stdout)
    assert (found["images"], found["indexed"]) == (18, 18 - 2 * 3)
    is_true(home, photos)
