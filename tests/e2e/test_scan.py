"""`indexer scan`, `status` and `forget` as a user runs them, on the real embedded store."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from shared.models import Models, Pair
from tests.daemons import indexer, searcher, status
from tests.homes import add_encoder, draw_photos, tiny_encoder

pytestmark = pytest.mark.any_store


def _scan(home: Path, *arguments: str | Path) -> dict[str, int]:
    found: dict[str, int] = json.loads(indexer("scan", *arguments, "--home", home, "--json").stdout)
    return found


def test_a_scan_indexes_refuses_and_is_idempotent(home: Path, photos: Path) -> None:
    (photos / "broken.jpg").write_bytes((photos / "red/0.jpg").read_bytes()[:300])
    (photos / "empty.png").touch()
    (photos / "notes.txt").write_text("not a picture")
    found = _scan(home, photos)
    assert (found["images"], found["encoded"], found["refused"]) == (18, 18, 3)
    again = _scan(home, photos)
    assert (again["images"], again["indexed"], again["refused"]) == (18, 0, 0)
    told = status(home)
    assert told["state"] == "not running"
    assert sum(told["clusters"].values()) == 18
    reasons = {file["path"]: file["reason"] for file in told["refused"]}
    assert sorted(reasons) == ["broken.jpg", "empty.png", "notes.txt"]
    assert reasons["empty.png"] == "is empty"
    text = indexer("status", "--home", home).stdout
    assert "broken.jpg: is damaged" in text
    assert "18 indexed, 0 pending" in text


def test_changes_renames_and_deletions_are_followed(home: Path, photos: Path) -> None:
    _scan(home, photos)
    (photos / "red").rename(photos / "rouge")
    (photos / "blue/0.jpg").unlink()
    shutil.copy(photos / "green/1.jpg", photos / "green/0.jpg")
    found = _scan(home, photos)
    assert (found["images"], found["encoded"], found["reused"]) == (17, 0, 7)
    assert found["deleted"] == 7
    options = ("--home", home, "--self", "--paths", "-n", "99")
    paths = searcher("query", photos / "rouge/0.jpg", *options).stdout
    assert str(photos / "rouge/0.jpg") in paths.splitlines()
    assert "/red/" not in paths


def test_too_many_deletions_wait_until_they_are_accepted(home: Path, photos: Path) -> None:
    _scan(home, photos)
    shutil.rmtree(photos / "red")
    shutil.rmtree(photos / "green")
    done = indexer("scan", photos, "--home", home)
    assert "12 files are gone" in done.stderr
    told = status(home)
    assert (told["images"], told["roots"][0]["suspended"]) == (18, 12)
    assert "12 deletions suspended" in indexer("status", "--home", home).stdout
    accepted = _scan(home, photos, "--accept-deletions")
    assert (accepted["images"], accepted["deleted"]) == (6, 12)
    assert status(home)["roots"][0]["suspended"] == 0


def test_several_folders_excludes_and_forgetting(home: Path, photos: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    draw_photos(other, 2)
    found = _scan(home, photos, other, "--exclude", "green")
    assert found["images"] == 12 + 4
    assert indexer("scan", photos / "red", "--home", home, check=False).returncode == 1
    indexer("forget", other, "--home", home)
    told = status(home)
    assert told["images"] == 12
    assert [root["folder"] for root in told["roots"]] == [str(photos)]
    assert _scan(home)["images"] == 12


def test_a_named_root_can_move(home: Path, photos: Path, tmp_path: Path) -> None:
    assert _scan(home, photos, "--root-name", "holiday")["images"] == 18
    moved = tmp_path / "elsewhere"
    shutil.copytree(photos, moved)
    shutil.rmtree(photos)
    found = _scan(home, moved, "--root-name", "holiday")
    assert (found["images"], found["encoded"], found["deleted"]) == (18, 0, 0)
    assert _scan(home, moved)["images"] == 18
    assert [root["root"] for root in status(home)["roots"]] == ["holiday"]
    line = searcher("query", moved / "red/0.jpg", "--home", home, "--json").stdout
    assert json.loads(line)["results"][0]["root"] == "holiday"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scan", "{photos}/red/0.jpg"], "is not a folder"),
        (["scan", "{photos}/nowhere"], "does not exist"),
        (["scan", "{home}"], "lies in the home"),
        (["forget", "{photos}"], "remembered are none"),
    ],
)
def test_wrong_folders_get_one_line(
    home: Path, photos: Path, arguments: list[str], message: str
) -> None:
    filled = [text.format(photos=photos, home=home) for text in arguments]
    done = indexer(*filled, "--home", home, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_first_scan_takes_the_encoder_that_ships(tmp_path: Path, photos: Path) -> None:
    found = _scan(tmp_path / "new", photos)
    assert (found["images"], found["encoded"]) == (18, 18)
    told = status(tmp_path / "new")
    assert told["encoder"]["kind"] == "autoencoder"
    assert sum(told["clusters"].values()) == 18


def test_a_first_scan_without_pictures_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    done = indexer("scan", tmp_path / "photos", "--home", tmp_path / "new", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line == "error: no model yet: clusters need at least 2 images, found 0: add some"
    (tmp_path / "photos" / "a.jpg").write_text("not a picture")
    (tmp_path / "photos" / "b.jpg").write_text("neither")
    done = indexer("scan", tmp_path / "photos", "--home", tmp_path / "new", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "error: none of 2 images can be read" in done.stderr
    assert "fitting clusters failed" in done.stderr.splitlines()[-1]


def test_without_a_home_the_remedy_is_named(tmp_path: Path, photos: Path) -> None:
    done = indexer("status", "--home", tmp_path / "nowhere", check=False)
    assert done.returncode == 1
    assert "does not exist" in done.stderr
    done = indexer("scan", photos, "--root-name", "a", photos / "red", check=False)
    assert done.returncode == 2


@pytest.mark.case(53)
def test_two_folders_that_exist_do_not_share_a_root_name(
    home: Path, photos: Path, tmp_path: Path
) -> None:
    _scan(home, photos, "--root-name", "pictures")
    other = tmp_path / "others"
    draw_photos(other, 2)
    done = indexer("scan", other, "--root-name", "pictures", "--home", home, check=False)
    assert done.returncode == 1
    assert str(photos) in done.stderr
    assert str(other) in done.stderr
    assert status(home)["images"] == 18
    (tmp_path / "link").symlink_to(photos)  # the same folder under another name
    assert _scan(home, tmp_path / "link", "--root-name", "pictures")["images"] == 18


@pytest.mark.embedded
def test_points_lost_by_the_store_are_indexed_again(home: Path, photos: Path) -> None:
    _scan(home, photos)
    shutil.rmtree(home / "store")
    found = _scan(home, photos)
    assert (found["images"], found["encoded"]) == (18, 18)
    assert searcher("query", photos / "red/0.jpg", "--home", home, "--paths").stdout


@pytest.mark.embedded
def test_a_new_model_answers_only_when_its_collection_is_whole(
    home: Path, photos: Path, tmp_path: Path
) -> None:
    _scan(home, photos)
    old = status(home)["encoder"]["id"]
    other = tiny_encoder(tmp_path / "other.tflite", seed=1)
    models = Models(home / "models")
    bundle = add_encoder(models, other)
    about = models.clustering(models.current()).centroids
    models.set_next(Pair(bundle.id, models.add_clustering(bundle.id, about, {}).generation))
    query = ["query", photos / "red/0.jpg", "--home", home, "--json"]
    before = json.loads(searcher(*query).stdout)
    assert status(home)["encoder"]["id"] == old
    assert status(home)["next"]["id"] == bundle.id
    draw_photos(photos / "new", 1)
    found = _scan(home, photos)
    assert found["images"] == 21
    told = status(home)
    assert (told["encoder"]["id"], told["next"], told["images"]) == (bundle.id, None, 21)
    after = json.loads(searcher(*query).stdout)
    assert (before["total"], after["total"]) == (18, 21)
    kept = {path.name for path in (home / "store").iterdir() if path.is_dir()}
    assert kept == {old, bundle.id}  # the old one for a day, see `indexer upgrade`


def test_a_new_generation_relabels_without_a_mixture(home: Path, photos: Path) -> None:
    _scan(home, photos)
    models = Models(home / "models")
    current = models.current()
    centroids = models.clustering(current).centroids[:2]
    models.set_next(
        Pair(current.encoder, models.add_clustering(current.encoder, centroids, {}).generation)
    )
    found = _scan(home, photos)
    assert found["encoded"] == 0
    told = status(home)
    assert told["encoder"]["generation"] == "g2"
    assert set(told["clusters"]) == {"g2/0", "g2/1"}
    one = ("--home", home, "--probes", "1", "--json")
    answer = json.loads(searcher("query", photos / "red/0.jpg", *one).stdout)
    assert answer["cluster"].startswith("g2/")
    assert {result["cluster"] for result in answer["results"]} == {answer["cluster"]}
