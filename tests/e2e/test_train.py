"""`indexer train` as a user runs it, and what it may change in a home that answers already."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from indexer.starter import BUNDLE
from shared.models import read_bundle
from tests.daemons import Watch, indexer, searcher, status
from tests.homes import draw_photos

QUICK = ("--encoder", "autoencoder-plain", "--epochs", "2")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    draw_photos(tmp_path / "photos", 20)
    return tmp_path / "photos"


def _train(home: Path, *arguments: str | Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(
        indexer("train", *arguments, *QUICK, "--home", home, "--json").stdout
    )
    return found


@pytest.mark.timeout(600)
def test_training_again_changes_no_answer_until_the_new_collection_is_whole(
    tmp_path: Path, photos: Path
) -> None:
    home = tmp_path / "home"
    (photos / "broken.jpg").write_bytes(b"no picture")
    first = _train(home, photos, "--k", "3")
    assert first["current"] is True
    assert (first["k"], first["images"]) == (3, 60)
    assert [file["path"] for file in first["refused"]] == [str(photos / "broken.jpg")]  # type: ignore[attr-defined]
    names = sorted(Path(path).name for path in first["figures"])  # type: ignore[attr-defined]
    assert {"losses.png", "elbow.png", "reconstructions.png", "cluster-0.png"} <= set(names)
    indexer("scan", photos, "--home", home)

    def answer() -> dict[str, object]:
        line = searcher("query", photos / "red/0.jpg", "--home", home, "--json").stdout
        found: dict[str, object] = json.loads(line)
        found.pop("took_ms")
        return found

    before = answer()
    second = _train(home, photos, "--seed", "1")
    assert second["current"] is False
    assert second["encoder"] != first["encoder"]
    assert answer() == before
    told = status(home)
    assert told["encoder"]["id"] == first["encoder"]
    assert told["next"] == {"id": second["encoder"], "generation": "g1", "images": 0}
    done = indexer("scan", photos, "--home", home)
    assert f"encoder {second['encoder']} now answers" in done.stderr
    told = status(home)
    assert (told["encoder"]["id"], told["next"], told["images"]) == (second["encoder"], None, 60)
    assert answer()["total"] == 60


def test_watch_begins_with_the_encoder_that_ships_once_there_are_images(
    tmp_path: Path, photos: Path
) -> None:
    home, late = tmp_path / "home", tmp_path / "late"
    shutil.move(photos, late)
    photos.mkdir()
    with Watch(home, photos) as watch:
        watch.wait_until(lambda found: found["state"].startswith("waiting for images: 0"))
        for name in ("blue", "green", "red"):
            shutil.move(late / name, photos / name)
        watch.wait_until(lambda found: found["images"] == 60, seconds=100)
        assert searcher("query", photos / "red/0.jpg", "--home", home, "--paths").stdout
        assert status(home)["encoder"]["id"] == read_bundle(BUNDLE).id
        assert watch.stop() == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["few"], 1, "3 images, at least 50 are needed"),
        (["few/red/0.jpg"], 1, "is not a folder"),
        (["nowhere"], 1, "No such file"),
        (["junk"], 1, "none of 60 images can be read"),
        (["photos", "--k", "61"], 1, "k = 61 with 60 images"),
        (["photos", "--k", "none"], 2, "neither auto nor a whole number"),
        (["photos", "--epochs", "0"], 2, "--epochs"),
        (["photos", "--from-model", "missing.keras"], 1, "missing.keras"),
    ],
)
def test_what_cannot_be_trained_on_gets_one_line(
    tmp_path: Path, photos: Path, arguments: list[str], code: int, message: str
) -> None:
    draw_photos(tmp_path / "few", 1)
    (tmp_path / "junk").mkdir()
    for number in range(60):
        (tmp_path / "junk" / f"{number}.jpg").write_text(f"junk {number}")
    folder, *options = arguments
    done = indexer("train", tmp_path / folder, *options, "--home", tmp_path / "home", check=False)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "home").glob("models/encoders/*"))
