"""`indexer backup` and `indexer restore` as a user runs them, on the real embedded store."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from shared.models import Models, Pair
from shared.settings import load_settings
from shared.store.hub import open_hub
from shared.store.server.hub import ServerHub
from shared.types import StoredImage
from tests.daemons import Watch, indexer, searcher, status
from tests.fakes import axis_vector, record
from tests.homes import add_encoder, draw_photos
from tests.qdrant.running import qdrant

BACKUP_1 = Path(__file__).parent.parent / "data" / "backup-1" / "backup"
"""Written by the first version that made backups; see `README.md` beside it."""


def _points(home: Path) -> dict[str, dict[str, StoredImage]]:
    """Every point of a home, by collection and id."""
    with open_hub(load_settings({"home": home}, {}), long_lived=False) as hub:
        return {
            name: {
                point.record.id: point
                for batch in hub.collection(name).scroll(with_vectors=True)
                for point in batch
            }
            for name in hub.names()
        }


def _backed_up(home: Path, photos: Path, tmp_path: Path) -> Path:
    indexer("scan", photos, "--home", home)
    file = tmp_path / "home.backup"
    indexer("backup", file, "--home", home)
    return file


def _paths(home: Path, photo: Path) -> list[str]:
    asked = searcher("query", photo, "--home", home, "--self", "--paths", "-n", "99")
    return asked.stdout.splitlines()


def test_a_restored_home_is_the_same_home(home: Path, photos: Path, tmp_path: Path) -> None:
    odd = photos.joinpath("red", "gr\udcfcn.jpg")  # a name that is not UTF-8
    shutil.copy(photos / "red/0.jpg", odd)
    (photos / "broken.jpg").write_bytes(b"no picture")
    (home / "settings.toml").write_text(
        'api_key = "secret-1"\nqdrant_api_key = "secret-2"\nbatch_size = 7 # small\n'
    )
    file = _backed_up(home, photos, tmp_path)
    assert b"secret" not in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    there = tmp_path / "there"
    indexer("restore", file, "--home", there)
    assert json.loads(indexer("doctor", "--home", there, "--json").stdout)["well"]
    before, after = _points(home), _points(there)
    (name,) = before
    assert len(before[name]) == 19
    for key, point in before[name].items():
        assert after[name][key].record == point.record
        assert abs(after[name][key].vector - point.vector).max() < 1e-3  # type: ignore[operator]
    assert any(point.record.path_raw for point in after[name].values())
    assert _paths(there, photos / "red/1.jpg") == _paths(home, photos / "red/1.jpg")
    assert load_settings({"home": there}, {}).batch_size == 7
    told, was = status(there), status(home)
    assert [told[key] for key in ("images", "clusters", "refused", "roots", "encoder")][:4] == [
        was[key] for key in ("images", "clusters", "refused", "roots")
    ]
    assert not [path.name for path in there.iterdir() if path.name.startswith(".")]
    assert json.loads(indexer("scan", "--home", there, "--json").stdout)["encoded"] == 0


def test_on_another_machine_the_pictures_lie_elsewhere(
    home: Path, photos: Path, tmp_path: Path
) -> None:
    file = _backed_up(home, photos, tmp_path)
    moved = tmp_path / "elsewhere"
    shutil.copytree(photos, moved)
    shutil.rmtree(photos)
    shutil.rmtree(home)
    there = tmp_path / "there"
    indexer("restore", file, "--home", there)
    found = indexer("scan", moved, "--root-name", photos, "--home", there, "--json").stdout
    assert (json.loads(found)["images"], json.loads(found)["encoded"]) == (18, 0)
    indexer("doctor", "--home", there)
    assert str(moved / "red/0.jpg") in _paths(there, moved / "red/0.jpg")


def test_a_backup_beside_a_running_indexer(watch: Watch, photos: Path, tmp_path: Path) -> None:
    file = tmp_path / "home.backup"
    indexer("backup", file, "--home", watch.home)
    draw_photos(photos / "later", 2)
    (photos / "red/0.jpg").unlink()
    shutil.copy(photos / "green/1.jpg", photos / "green/0.jpg")
    watch.settled(23)
    again = tmp_path / "later.backup"
    assert (
        json.loads(indexer("backup", again, "--home", watch.home, "--json").stdout)["points"] == 23
    )
    assert watch.stop() == 0
    there = tmp_path / "there"
    indexer("restore", file, "--home", there)
    told = json.loads(indexer("scan", "--home", there, "--json").stdout)
    assert told["images"] == 23
    indexer("doctor", "--home", there)


def test_the_next_model_is_in_it(
    home: Path, photos: Path, tmp_path: Path, tiny_tflite: Path
) -> None:
    indexer("scan", photos, "--home", home)
    models = Models(home / "models")
    bundle = add_encoder(models, tiny_tflite, size=48)
    about = models.clustering(models.current()).centroids
    pair = Pair(bundle.id, models.add_clustering(bundle.id, about, {}).generation)
    models.set_next(pair)
    file, there = tmp_path / "home.backup", tmp_path / "there"
    indexer("backup", file, "--home", home)
    indexer("restore", file, "--home", there)
    restored = Models(there / "models")
    assert (restored.current(), restored.next()) == (models.current(), pair)
    assert restored.bundle(bundle.id).spec == bundle.spec


def test_from_embedded_to_server_and_from_server_to_embedded(
    home: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, served = _backed_up(home, photos, tmp_path), tmp_path / "served"
    name = Models(home / "models").current().encoder
    other = record("a.jpg", root="other")
    with qdrant() as server:
        monkeypatch.setenv("LOOKALIKE_QDRANT_URL", server.url)
        settings = load_settings({"home": served})
        indexer("restore", file, "--home", served)
        assert not (served / "store").exists()
        indexer("doctor", "--home", served)
        with ServerHub(settings, long_lived=False) as hub:
            assert hub.announced() == name
            store = hub.collection(name)
            store.upsert([other], axis_vector(1)[None])
            point = next(iter(_points(home)[name].values())).record
            store.set_labels([(point.id, ("g1/99",))])
            late = tmp_path / "late"
            done = indexer("restore", file, "--home", late, check=False)
            assert (done.returncode, "otherwise than the backup" in done.stderr) == (1, True)
            assert {path.name for path in late.iterdir()} == {"run"}
            indexer("restore", file, "--home", late, "--force")
            assert store.get([point.id])[point.id].record == point
        again = tmp_path / "again"
        told = json.loads(indexer("backup", again, "--home", served, "--json").stdout)
        assert told["points"] == 18
        monkeypatch.delenv("LOOKALIKE_QDRANT_URL")
        embedded = tmp_path / "embedded"
        indexer("restore", again, "--home", embedded)
    indexer("doctor", "--home", embedded)
    assert _points(embedded)[name].keys() == _points(home)[name].keys()


def test_neither_a_file_nor_a_home_is_overwritten_unasked(
    home: Path, photos: Path, tmp_path: Path
) -> None:
    file = _backed_up(home, photos, tmp_path)
    done = indexer("backup", file, "--home", home, check=False)
    assert (done.returncode, "is there already" in done.stderr) == (1, True)
    indexer("backup", file, "--home", home, "--force")
    before = _points(home)
    done = indexer("restore", file, "--home", home, check=False)
    assert (done.returncode, "is not empty" in done.stderr) == (1, True)
    assert _points(home).keys() == before.keys()
    (home / "store").rename(home / "lost")
    indexer("restore", file, "--home", home, "--force")
    assert len(next(iter(_points(home).values()))) == 18
    aside = home / "before-restore-1"
    assert {path.name for path in aside.iterdir()} >= {"models", "journal.sqlite3", "roots.json"}
    indexer("doctor", "--home", home)


def test_settings_that_are_there_stay_and_places_are_not_taken_over(
    home: Path, photos: Path, tmp_path: Path
) -> None:
    indexer("scan", photos, "--home", home)
    shared = tmp_path / "models"
    shutil.copytree(home / "models", shared)
    (home / "settings.toml").write_text(f'models_folder = "{shared}"\nmin_free_bytes = 5\n')
    file, there = tmp_path / "home.backup", tmp_path / "there"
    indexer("backup", file, "--home", home)
    told = indexer("restore", file, "--home", there)
    assert "models_folder" in told.stderr
    assert load_settings({"home": there}, {}).models == there / "models"
    assert load_settings({"home": there}, {}).min_free_bytes == 5
    other, folder = tmp_path / "other", tmp_path / "folder"
    other.mkdir()
    text = f'models_folder = "{folder}"\n'
    (other / "settings.toml").write_text(text)
    indexer("restore", file, "--home", other)
    assert (other / "settings.toml").read_text() == text
    assert (folder / "current.json").exists()
    assert not (other / "models").exists()
    indexer("doctor", "--home", other)


def test_a_restore_that_is_killed_leaves_the_home_as_it_was(
    home: Path, photos: Path, tmp_path: Path
) -> None:
    file, there = _backed_up(home, photos, tmp_path), tmp_path / "there"
    argv = [sys.executable, "-m", "indexer", "restore", str(file), "--home", str(there)]
    process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    while not (there / ".restoring" / "models").exists():
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert {path.name for path in there.iterdir()} <= {"run", ".restoring"}
    indexer("restore", file, "--home", there)
    indexer("doctor", "--home", there)
    assert status(there)["images"] == 18


def test_a_backup_of_format_1_loads(tmp_path: Path) -> None:
    there = tmp_path / "there"
    indexer("restore", BACKUP_1, "--home", there)
    told = status(there)
    assert told["images"] == 6
    assert told["clusters"] == {"g1/0": 2, "g1/1": 2, "g1/2": 2}
    (points,) = _points(there).values()
    assert sorted(point.record.path for point in points.values()) == [
        f"{color}/{number}.jpg" for color in ("blue", "green", "red") for number in (0, 1)
    ]
    photo = tmp_path / "photo"
    draw_photos(photo, 1)
    line = searcher("query", photo / "red/0.jpg", "--home", there, "--json", "-n", "1").stdout
    (best,) = json.loads(line)["results"]
    assert (best["path"], best["score"] > 0.999) == ("red/0.jpg", True)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("flip", "no backup, or damaged: Bad CRC"),
        ("cut", "no backup, or damaged"),
        ("text", "no backup, or damaged"),
        ("name", "which no backup holds"),
    ],
)
def test_a_spoilt_backup_is_refused_before_anything_is_written(
    tmp_path: Path, spoil: str, message: str
) -> None:
    file = tmp_path / "spoilt"
    data = bytearray(BACKUP_1.read_bytes())
    if spoil == "flip":
        with zipfile.ZipFile(BACKUP_1) as archive:
            entry = next(one for one in archive.infolist() if one.filename.endswith(".f16"))
        data[entry.header_offset + 200] ^= 1
    elif spoil == "cut":
        del data[len(data) // 2 :]
    elif spoil == "text":
        data[:] = b"hello\n"
    file.write_bytes(data)
    if spoil == "name":
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("../../outside", b"x")
    home = tmp_path / "home"
    done = indexer("restore", file, "--home", home, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("error:")]) == 1
    assert {path.name for path in home.glob("*")} <= {"run"}
    assert indexer("restore", file, "--check", check=False).returncode == 1


def test_check_tells_of_a_whole_backup(tmp_path: Path) -> None:
    done = indexer("restore", BACKUP_1, "--check", "--home", tmp_path / "never")
    assert "is whole: 6 points" in done.stderr
    assert not (tmp_path / "never").exists()
