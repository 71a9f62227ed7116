"""Case 37: models that are missing, damaged, of another size, or swapped under running queries."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.models import Models, Pair
from shared.settings import load_settings
from tests.daemons import indexer, run, searcher
from tests.faults.conftest import oracle
from tests.homes import add_encoder, make_home, tiny_encoder


def _models(home: Path) -> Models:
    return Models(load_settings({"home": home}, {}).models)


def _is_refused(home: Path, photos: Path, wanted: str) -> None:
    """Every command that needs the model says one sentence and does nothing."""
    for command, arguments in (
        ("searcher", ["query", photos / "red/0.jpg"]),
        ("indexer", ["scan"]),
        ("indexer", ["watch"]),
        ("indexer", ["doctor"]),
    ):
        done = run(command, [*arguments, "--home", home], check=False)
        assert (done.returncode, done.stdout) == (1, ""), (command, arguments, done)
        last = done.stderr.splitlines()[-1]
        assert last.startswith("error: "), done.stderr
        assert wanted in last
        assert "Traceback" not in done.stderr
        assert "unexpected" not in done.stderr


@pytest.fixture
def scanned(home: Path, photos: Path) -> Path:
    """A home whose eighteen pictures are indexed."""
    indexer("scan", photos, "--home", home)
    return home


@pytest.mark.case(37)
@pytest.mark.parametrize("folder", ["encoders", "clusterings"])
def test_a_missing_model(scanned: Path, photos: Path, folder: str) -> None:
    pair = _models(scanned).current()
    place = scanned / "models" / folder / pair.encoder
    place.rename(scanned / "away")
    _is_refused(scanned, photos, pair.encoder)
    (scanned / "away").rename(place)
    oracle(scanned)


@pytest.mark.case(37)
@pytest.mark.parametrize(
    "name", ["manifest.json", "encoder.tflite", "clustering.json", "centroids.npy", "current.json"]
)
def test_a_flipped_byte(scanned: Path, photos: Path, name: str) -> None:
    (path,) = (scanned / "models").rglob(name)
    kept = path.read_bytes()
    damaged = bytearray(kept)
    damaged[len(kept) // 2] ^= 0x11
    path.write_bytes(damaged)
    _is_refused(scanned, photos, "")
    path.write_bytes(kept)
    assert oracle(scanned)["points"] == 18


@pytest.mark.case(37)
def test_an_encoder_of_another_size(scanned: Path, photos: Path, tmp_path: Path) -> None:
    """Its manifest promises a geometry that its graph does not take."""
    models = _models(scanned)
    before = models.current()
    tflite = models.bundle(before.encoder).path / "encoder.tflite"
    wrong = add_encoder(models, tflite, size=32)
    clustering = models.clustering(before)
    fitted = models.add_clustering(wrong.id, clustering.centroids, {"chosen_by": "k"})
    models.set_current(Pair(wrong.id, fitted.generation))
    for command, arguments in (
        ("searcher", ["query", photos / "red/0.jpg"]),
        ("indexer", ["scan"]),
        ("indexer", ["watch"]),
    ):
        done = run(command, [*arguments, "--home", scanned], check=False)
        assert (done.returncode, done.stdout) == (1, ""), done
        assert f"encoder {wrong.id} maps" in done.stderr.splitlines()[-1]
    models.set_current(before)
    assert oracle(scanned)["points"] == 18


@pytest.mark.case(37)
def test_no_answer_mixes_two_models(tmp_path: Path, photos: Path, tiny_tflite: Path) -> None:
    """Two encoders whose vectors have nothing to do with each other take turns being current."""
    home = tmp_path / "home"
    other = tiny_encoder(tmp_path / "other.tflite", seed=1)
    make_home(home, photos, tiny_tflite)
    first = _models(home).current()
    make_home(home, photos, other, k=2)
    pairs = [first, _models(home).current()]
    over = threading.Event()

    def swap() -> None:
        turn = 0
        while not over.wait(0.003):
            turn += 1
            _models(home).set_current(pairs[turn % 2])

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        queries = sorted(photos.rglob("*.jpg"))
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda path: _answer(home, path), queries))
    finally:
        over.set()
        swapper.join()
    assert {answer["total"] for answer in answers} == {18}
    for path, answer in zip(queries, answers, strict=True):
        best = answer["results"][0]
        assert best["path"] == str(path.relative_to(photos))
        assert best["score"] > 0.999
        searched = answer["clusters_searched"]
        assert {image["cluster"] for image in answer["results"]} <= set(searched)


def _answer(home: Path, path: Path) -> dict[str, object]:
    done = searcher("query", path, "--home", home, "--self", "--json")
    found: dict[str, object] = json.loads(done.stdout)
    return found
