"""`indexer migrate` as a user runs it: the real embedded store, a server over a real wire."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from qdrant_client import QdrantClient, models

from shared.models import Models, Pair
from shared.points import point_id
from shared.roots import root_id
from shared.settings import load_settings
from shared.store.hub import open_hub
from shared.store.server.hub import ServerHub
from shared.types import StoredImage
from tests.daemons import indexer, searcher
from tests.fakes import axis_vector, record
from tests.homes import add_encoder, draw_photos
from tests.qdrant.running import Running, qdrant


@pytest.fixture
def server() -> Iterator[Running]:
    with qdrant() as running:
        yield running


def _points(home: Path, url: str | None) -> dict[str, StoredImage]:
    """Every point of the current model, in the embedded store or on a server."""
    settings = load_settings({"home": home, "qdrant_url": url}, {})
    with open_hub(settings, long_lived=False) as hub:
        store = hub.collection(Models(settings.models).current().encoder)
        return {
            point.record.id: point for batch in store.scroll(with_vectors=True) for point in batch
        }


def _migrated(home: Path, *arguments: str | Path) -> dict[str, int | float | str]:
    """Migrate; what is told of the current model's collection."""
    told = json.loads(indexer("migrate", *arguments, "--home", home, "--json").stdout)
    found: dict[str, int | float | str] = told["collections"][0]
    return found


def _is_well(home: Path) -> bool:
    found: bool = json.loads(indexer("doctor", "--home", home, "--json").stdout)["well"]
    return found


def test_to_a_server_and_back(home: Path, photos: Path, server: Running) -> None:
    odd = photos.joinpath("red", "gr\udcfcn.jpg")  # a name that is not UTF-8
    odd.write_bytes((photos / "red/0.jpg").read_bytes())
    indexer("scan", photos, "--home", home)
    (home / "settings.toml").write_text("# mine\nbatch_size = 7\n")
    before = _points(home, None)
    asked = ["query", photos / "red/1.jpg", "--home", home, "--json", "-n", "5"]
    answer = json.loads(searcher(*asked).stdout)["results"]

    found = _migrated(home, "--to", server.url)
    assert (found["points"], found["written"], found["extra"]) == (19, 19, 0)
    assert (found["sampled"], found["lowest"]) == (19, pytest.approx(1, abs=1e-4))
    text = (home / "settings.toml").read_text()
    assert text == f'# mine\nbatch_size = 7\nqdrant_url = "{server.url}"\n'
    there = _points(home, server.url)
    assert there.keys() == before.keys()
    for key, point in before.items():
        assert there[key].record == point.record
        assert there[key].vector @ point.vector > 1 - 1e-3  # type: ignore[operator]
    assert any(point.record.path_raw for point in there.values())
    with ServerHub(load_settings({"home": home}, {}), long_lived=False) as hub:
        assert hub.announced() == Models(home / "models").current().encoder
    assert _is_well(home)
    assert [one["id"] for one in json.loads(searcher(*asked).stdout)["results"]] == [
        one["id"] for one in answer
    ]

    draw_photos(photos / "later", 1)
    (photos / "blue/0.jpg").unlink()
    assert json.loads(indexer("scan", "--home", home, "--json").stdout)["images"] == 21
    back = indexer("migrate", "--reverse", "--home", home)
    assert "21 points" in back.stdout
    assert "1 points of the embedded store were not on the server" in back.stdout
    assert (home / "settings.toml").read_text() == "# mine\nbatch_size = 7\n"
    gone = {point_id(root_id(photos), b"blue/0.jpg")}
    assert _points(home, None).keys() - gone == _points(home, server.url).keys()


def test_points_of_others_stay_there_and_own_ones_that_are_gone_can_be_pruned(
    home: Path, photos: Path, server: Running
) -> None:
    indexer("scan", photos, "--home", home)
    settings = load_settings({"home": home, "qdrant_url": server.url}, {})
    name = Models(home / "models").current().encoder
    other = record("a.jpg", root="other")
    with ServerHub(settings, long_lived=False) as hub:
        hub.collection(name, create=True).upsert([other], axis_vector(1)[None])
    server.fail([{"match": "PUT /collections/.*/points", "times": 2, "how": "503"}])
    told = indexer("migrate", "--to", server.url, "--home", home).stdout
    assert "1 more points are there, of other indexers: they stay" in told
    assert other.id in _points(home, server.url)
    (photos / "blue/0.jpg").unlink()
    indexer("scan", "--home", home)
    found = _migrated(home, "--reverse", "--prune")
    assert (found["points"], found["written"], found["extra"], found["pruned"]) == (17, 0, 0, 1)
    assert other.id not in _points(home, None)
    assert _is_well(home)


def test_a_migration_that_is_killed_goes_on_and_misses_no_change(
    home: Path, photos: Path, server: Running
) -> None:
    indexer("scan", photos, "--home", home)
    server.fail([{"match": "PUT /collections/.*/points", "times": 99, "how": "slow", "seconds": 2}])
    argv = [sys.executable, "-m", "indexer", "migrate", "--to", server.url, "--home", str(home)]
    process = subprocess.Popen(argv, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not any(
        method == "PUT" and path.endswith("/points") for method, path in server.requests()
    ):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    server.fail([])
    assert not (home / "settings.toml").exists()
    (photos / "red/0.jpg").write_bytes((photos / "green/3.jpg").read_bytes())
    indexer("scan", "--home", home)
    (home / "settings.toml").write_text("# mine\n")
    found = _migrated(home, "--to", server.url, "--no-switch")
    assert found["points"] == 18
    assert (home / "settings.toml").read_text() == "# mine\n"
    there = _points(home, server.url)
    assert {key: point.record for key, point in _points(home, None).items()} == {
        key: point.record for key, point in there.items()
    }


def test_both_models_move_and_the_next_one_goes_on_there(
    home: Path, photos: Path, server: Running, tiny_tflite: Path
) -> None:
    indexer("scan", photos, "--home", home)
    held = Models(home / "models")
    bundle = add_encoder(held, tiny_tflite, size=48)
    centroids = held.clustering(held.current()).centroids
    held.set_next(Pair(bundle.id, held.add_clustering(bundle.id, centroids, {}).generation))
    settings = load_settings({"home": home}, {})
    with open_hub(settings, long_lived=False) as hub:
        other = record("a.jpg", "g1/0")
        hub.collection(bundle.id, create=True).upsert([other], axis_vector(1)[None])
    told = json.loads(indexer("migrate", "--to", server.url, "--home", home, "--json").stdout)[
        "collections"
    ]
    assert [(one["collection"], one["points"]) for one in told] == [
        (held.current().encoder, 18),
        (bundle.id, 1),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no Qdrant server is named: give --to URL"),
        (["--to", "http://127.0.0.1:9"], "nothing to migrate: the embedded store"),
        (["--to", "nonsense"], "it must be an http"),
    ],
)
def test_what_cannot_be_migrated_gets_one_line(
    home: Path, arguments: list[str], message: str
) -> None:
    done = indexer("migrate", *arguments, "--home", home, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_indexer_that_runs_is_named(home: Path, photos: Path) -> None:
    from shared.lock import HomeLock

    indexer("scan", photos, "--home", home)
    with HomeLock(home / "run", "indexer watch"):
        done = indexer("migrate", "--to", "http://127.0.0.1:9", "--home", home, check=False)
    assert done.returncode == 1
    assert f"is in use by `indexer watch` (process {os.getpid()})" in done.stderr


def test_a_server_that_cannot_be_used_ends_it_with_a_way_on(
    home: Path, photos: Path, server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexer("scan", photos, "--home", home)
    name = f"lookalike-{Models(home / 'models').current().encoder}"
    with contextlib.closing(QdrantClient(url=server.url, check_compatibility=False)) as someone:
        size = models.VectorParams(size=4, distance=models.Distance.DOT)
        someone.create_collection(name, vectors_config={"image": size})
    done = indexer("migrate", "--to", server.url, "--home", home, check=False)
    assert done.returncode == 1
    assert f"error: collection {name} at {server.url} was made for something else" in done.stderr
    monkeypatch.setenv("LOOKALIKE_QDRANT_WAIT_SECONDS", "0.2")
    done = indexer("migrate", "--to", "http://127.0.0.1:9", "--home", home, check=False)
    assert done.returncode == 1
    assert "once the server answers, the same command goes on" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert not (home / "settings.toml").exists()


def test_options_that_contradict_each_other_are_wrong_usage(home: Path) -> None:
    for arguments in (["--reverse", "--to", "http://x"], ["--prune"]):
        assert indexer("migrate", *arguments, "--home", home, check=False).returncode == 2
