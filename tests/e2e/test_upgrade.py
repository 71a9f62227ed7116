"""`indexer upgrade`: another encoder answers, the one before can come back, nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.models import Models, Pair
from shared.settings import load_settings
from shared.store.hub import open_hub
from tests.daemons import Watch, indexer, searcher
from tests.homes import add_encoder, draw_photos, tiny_encoder

pytestmark = pytest.mark.any_store


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("encoder") / "other.tflite", seed=1)


@pytest.fixture
def indexed(home: Path, photos: Path, other: Path) -> tuple[str, str]:
    """A home that is indexed, with a second encoder that nothing uses: the ids of both."""
    indexer("scan", photos, "--home", home)
    models = Models(home / "models")
    bundle = add_encoder(models, other)
    models.add_clustering(bundle.id, models.clustering(models.current()).centroids, {})
    return models.current().encoder, bundle.id


def _told(home: Path, *options: str) -> dict[str, Any]:
    done = indexer("upgrade", *options, "--home", home, "--json")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _answer(home: Path, picture: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(searcher("query", picture, "--home", home, "--json").stdout)
    return found


def _collections(home: Path) -> set[str]:
    with open_hub(load_settings({"home": home}), long_lived=False) as hub:
        return set(hub.names())


def test_there_and_back_without_a_daemon(
    home: Path, photos: Path, indexed: tuple[str, str]
) -> None:
    old, new = indexed
    found = _told(home, "--to", new[:6])
    assert (found["current"]["encoder"], found["current"]["images"]) == (new, 18)
    assert (found["next"], found["previous"]["encoder"]) == (None, old)
    assert _collections(home) == {old, new}
    draw_photos(photos / "later", 1)
    (photos / "red/0.jpg").unlink()
    indexer("scan", "--home", home)
    told = _told(home, "--status")
    assert told["current"]["images"] == told["previous"]["images"] == 20
    back = _told(home, "--rollback")
    assert (back["current"]["encoder"], back["current"]["images"]) == (old, 20)
    assert back["previous"]["encoder"] == new
    indexer("doctor", "--home", home)
    assert _answer(home, photos / "red/1.jpg")["total"] == 20


def test_a_daemon_moves_while_questions_are_answered(
    home: Path, photos: Path, indexed: tuple[str, str]
) -> None:
    old, new = indexed
    with Watch(home) as watch:
        watch.wait_until(lambda told: told["state"] == "watching")
        with subprocess.Popen(
            [sys.executable, "-m", "indexer", "upgrade", "--to", new, "--home", str(home)],
            stdout=subprocess.PIPE,
            text=True,
        ) as moving:
            totals = {_answer(home, photos / "red/0.jpg")["total"]}
            while moving.poll() is None:
                totals.add(_answer(home, photos / "red/0.jpg")["total"])
        assert moving.returncode == 0
        assert totals == {18}
        assert Models(home / "models").current().encoder == new
        assert _told(home, "--rollback")["current"]["encoder"] == old
        assert _answer(home, photos / "red/0.jpg")["total"] == 18
        watch.stop()
    indexer("doctor", "--home", home)


def test_an_upgrade_under_way_is_given_up(
    home: Path, photos: Path, indexed: tuple[str, str]
) -> None:
    old, new = indexed
    models = Models(home / "models")
    models.set_next(Pair(new, "g1"))
    found = _told(home, "--status")
    assert (found["next"]["encoder"], found["lacking"]) == (new, 18)
    assert _told(home, "--rollback") == {
        "current": {"encoder": old, "generation": "g1", "images": 18},
        "next": None,
        "lacking": None,
        "previous": None,
    }
    indexer("scan", "--home", home)
    assert _collections(home) == {old}


def test_after_the_grace_time_the_old_collection_goes(
    home: Path, photos: Path, indexed: tuple[str, str]
) -> None:
    _, new = indexed
    _told(home, "--to", new)
    previous = home / "models/previous.json"
    kept = json.loads(previous.read_text())
    previous.write_text(json.dumps(kept | {"until": 0}))
    indexer("scan", "--home", home)
    assert _collections(home) == {new}
    assert not previous.exists()
    done = indexer("upgrade", "--rollback", "--home", home, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: no upgrade is under way and nothing is kept")
    assert len(done.stderr.splitlines()) == 1


def test_without_a_grace_time_nothing_is_kept(home: Path, indexed: tuple[str, str]) -> None:
    _, new = indexed
    subprocess.run(
        [sys.executable, "-m", "indexer", "upgrade", "--to", new, "--home", str(home)],
        env=os.environ | {"LOOKALIKE_UPGRADE_GRACE_SECONDS": "0"},
        check=True,
    )
    assert _collections(home) == {new}


def test_wrong_wishes_get_one_line(home: Path, indexed: tuple[str, str]) -> None:
    for options, message in (
        ((), "no other encoder waits"),
        (("--to", "zz"), "no encoder with an id that begins with 'zz': known are"),
        (("--to", ""), "2 encoders with an id that begins with ''"),
        (("--rollback",), "no upgrade is under way"),
    ):
        done = indexer("upgrade", *options, "--home", home, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith(f"error: {message}")
        assert len(done.stderr.splitlines()) == 1
    done = indexer("upgrade", "--status", "--rollback", "--home", home, check=False)
    assert done.returncode == 2
