"""A searcher with an empty home, as in a container: it waits for everything, and follows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daemons import indexer, searcher
from tests.homes import draw_photos, make_home
from tests.qdrant.running import qdrant
from tests.services import Service


def test_it_lives_before_there_is_anything_and_outlives_the_store(
    tmp_path: Path, tiny_tflite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, home = tmp_path / "photos", tmp_path / "home"
    draw_photos(photos)
    with qdrant(tmp_path / "storage") as store:
        monkeypatch.setenv("LOOKALIKE_QDRANT_URL", store.url)
        models, roots = str(home / "models"), f"photos={photos}"
        settings = {"LOOKALIKE_MODELS_FOLDER": models, "LOOKALIKE_ROOTS": roots}
        with Service(tmp_path / "empty", **settings) as service:
            assert service.get("/readyz").status == 503, "there is no model"
            make_home(home, photos, tiny_tflite, indexed=False)
            assert service.get("/readyz").status == 503, "there is no collection"
            indexer("scan", photos, "--root-name", "photos", "--home", home)
            service.wait_for(lambda: service.get("/readyz").status == 200)
            found = service.send("/search", [photos / "red" / "0.jpg"], n="3")
            assert found.status == 200
            image = found.json["results"][0]["links"]["image"]
            assert service.get(image).data == (photos / "red" / "0.jpg").read_bytes()
            store.kill()
            away = service.send("/search", [photos / "red" / "0.jpg"])
            assert away.status == 503
            assert "retry-after" in away.headers
            assert service.get("/readyz").status == 503
            assert service.get("/healthz").status == 200
            store.restart()
            service.wait_for(lambda: service.get("/readyz").status == 200)
            again = service.send("/search", [photos / "red" / "0.jpg"], n="3")
            assert again.json["results"] == found.json["results"]


def test_roots_that_are_none_are_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKALIKE_ROOTS", "photos")
    done = searcher("serve", "--home", tmp_path / "home", "--port", "0", check=False)
    assert done.returncode != 0
    assert "setting roots has 'photos': it must be NAME=FOLDER" in done.stderr
