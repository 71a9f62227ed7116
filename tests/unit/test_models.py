"""Bundles and clusterings on disk: complete or absent, hashed, versioned, switched atomically."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.errors import ModelError, NoModel
from shared.files import folder_beside
from shared.models import ENCODER_FILE, Bundle, Models, Pair
from shared.types import PixelSpec

DATA = Path(__file__).parent.parent / "data" / "models-v1"


class Interrupted(BaseException):
    """Stands for Ctrl-C at the worst moment."""


def interrupt(*_: object, **__: object) -> None:
    raise Interrupted


@pytest.fixture
def models(tmp_path: Path) -> Models:
    return Models(tmp_path / "home" / "models")


def add(models: Models, content: bytes = b"graph", **manifest: Any) -> Bundle:
    with folder_beside(models.root / "encoders") as built:
        (built / ENCODER_FILE).write_bytes(content)
        (built / "figures").mkdir()
        (built / "figures" / "loss.png").write_bytes(b"curve")
        values = {"kind": "autoencoder", "pixels": PixelSpec(size=96).to_json(), "data": {}}
        return models.add_bundle(built, values | manifest)


def centroids(k: int = 3) -> NDArray[np.float32]:
    return np.eye(k, 512, dtype=np.float32)


def whole(models: Models) -> Pair:
    """A pair that is there."""
    bundle = add(models)
    return Pair(bundle.id, models.add_clustering(bundle.id, centroids(), {}).generation)


def flip(path: Path, place: int = -2) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# Bundles


def test_a_bundle_comes_back_with_its_manifest_and_files(models: Models) -> None:
    made = add(models, metrics={"val_loss": 0.029})
    found = models.bundle(made.id)
    assert found == made
    assert found.path == models.root / "encoders" / made.id
    assert (found.kind, found.spec) == ("autoencoder", PixelSpec(size=96))
    assert found.manifest["metrics"] == {"val_loss": 0.029}
    assert (found.manifest["format"], found.manifest["latent"]) == (1, 512)
    assert found.read(ENCODER_FILE) == b"graph"
    assert found.read("figures/loss.png") == b"curve"
    assert files(found.path) == ["encoder.tflite", "figures/loss.png", "manifest.json"]


def test_the_id_is_the_hash_of_the_manifest_and_that_holds_every_other_hash(
    models: Models,
) -> None:
    bundle = add(models)
    manifest = (bundle.path / "manifest.json").read_bytes()
    assert bundle.id == hashlib.sha256(manifest).hexdigest()[:16]
    assert bundle.manifest["files"] == {
        "encoder.tflite": hashlib.sha256(b"graph").hexdigest(),
        "figures/loss.png": hashlib.sha256(b"curve").hexdigest(),
    }


def test_the_same_content_twice_is_one_bundle(models: Models) -> None:
    assert add(models).id == add(models).id
    assert len(os.listdir(models.root / "encoders")) == 1
    assert add(models, b"other").id != add(models).id
    assert add(models, kind="other").id != add(models).id


@pytest.mark.parametrize("name", ["encoder.tflite", "figures/loss.png"])
def test_a_flipped_byte_in_a_file_is_found_when_it_is_read(models: Models, name: str) -> None:
    bundle = add(models)
    flip(bundle.path / name)
    with pytest.raises(ModelError, match=f"encoder {bundle.id}: {name} is damaged"):
        bundle.read(name)


@pytest.mark.parametrize("place", [0, 5, 40, -2])
def test_a_flipped_byte_in_the_manifest_is_found_at_once(models: Models, place: int) -> None:
    bundle = add(models)
    flip(bundle.path / "manifest.json", place)
    with pytest.raises(ModelError, match=f"encoder {bundle.id}: manifest.json is damaged"):
        models.bundle(bundle.id)


def test_adding_a_damaged_bundle_again_repairs_it(models: Models) -> None:
    bundle = add(models)
    flip(bundle.path / ENCODER_FILE)
    assert add(models).id == bundle.id
    assert bundle.read(ENCODER_FILE) == b"graph"
    assert os.listdir(models.root / "encoders") == [bundle.id]


def test_a_missing_bundle_and_a_missing_file(models: Models) -> None:
    with pytest.raises(ModelError, match="encoder 0123456789abcdef is missing from"):
        models.bundle("0123456789abcdef")
    bundle = add(models)
    (bundle.path / ENCODER_FILE).unlink()
    with pytest.raises(ModelError, match=r"encoder.tflite cannot be read: No such file"):
        bundle.read(ENCODER_FILE)
    with pytest.raises(ModelError, match=r"holds no file autoencoder.keras"):
        bundle.read("autoencoder.keras")


def test_a_bundle_of_another_version(models: Models) -> None:
    bundle = add(models)
    manifest = json.dumps(dict(bundle.manifest) | {"format": 2}).encode()
    other = hashlib.sha256(manifest).hexdigest()[:16]
    shutil.copytree(bundle.path, models.root / "encoders" / other)
    (models.root / "encoders" / other / "manifest.json").write_bytes(manifest)
    with pytest.raises(ModelError, match="has format 2, this program reads 1"):
        models.bundle(other)


@pytest.mark.parametrize("pixels", [{"fit": "crop"}, {"depth": 3}, {"size": 0}])
def test_a_geometry_that_this_program_does_not_know(models: Models, pixels: dict[str, Any]) -> None:
    bundle = add(models, pixels=PixelSpec().to_json() | pixels)
    with pytest.raises(ModelError, match="has a geometry that this program does not know"):
        _ = bundle.spec


@pytest.mark.parametrize("step", ["shared.files.os.fsync", "shared.models.publish_folder"])
def test_an_interrupted_bundle_leaves_nothing_to_see(
    models: Models, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(step, interrupt)
        with pytest.raises(Interrupted):
            add(models)
    assert os.listdir(models.root / "encoders") == []


# Clusterings


def test_generations_count_up_and_each_stays(models: Models) -> None:
    bundle = add(models)
    for number in (1, 2, 3):
        made = models.add_clustering(bundle.id, centroids(number + 1), {"chosen_by": "elbow"})
        assert made.generation == f"g{number}"
    for number in (1, 2, 3):
        found = models.clustering(Pair(bundle.id, f"g{number}"))
        assert (found.encoder, found.n_clusters) == (bundle.id, number + 1)
        np.testing.assert_array_equal(found.centroids, centroids(number + 1))
    other = add(models, b"other")
    assert models.add_clustering(other.id, centroids(), {}).generation == "g1"


def test_the_tenth_generation_follows_the_ninth(models: Models) -> None:
    for number in range(1, 12):
        assert models.add_clustering("e", centroids(), {}).generation == f"g{number}"


def test_foreign_names_are_no_generations(models: Models) -> None:
    for name in ("g", "g0", "g07", "gx", "g\u0663", ".new-g9"):
        (models.root / "clusterings" / "e" / name).mkdir(parents=True)
    assert models.add_clustering("e", centroids(), {}).generation == "g1"


def test_how_a_clustering_was_made(models: Models, tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "elbow.png").write_bytes(b"curve")
    about = {"chosen_by": "elbow", "sizes": (3, 2, 1), "inertia": 0.1 + 0.2, "by k": {2: 1, 10: 2}}
    made = models.add_clustering("e", centroids(), about, tmp_path / "figures")
    found = models.about_clustering(Pair("e", made.generation))
    assert found["sizes"] == [3, 2, 1]
    assert found["inertia"] == 0.1 + 0.2
    assert found["by k"] == {"2": 1, "10": 2}
    assert (found["k"], found["encoder"], found["generation"]) == (3, "e", "g1")
    place = models.clustering_path(Pair("e", "g1"))
    assert (place / "figures" / "elbow.png").read_bytes() == b"curve"


def test_the_callers_centroids_are_untouched_and_copied(models: Models) -> None:
    given: Any = centroids().astype(np.float64)
    made = models.add_clustering("e", given, {})
    np.testing.assert_array_equal(given, centroids().astype(np.float64))
    assert made.centroids.dtype == np.float32


@pytest.mark.parametrize("place", [0, 9, 200, -3])
def test_a_flipped_byte_in_centroids(models: Models, place: int) -> None:
    models.add_clustering("e", centroids(), {})
    flip(models.clustering_path(Pair("e", "g1")) / "centroids.npy", place)
    with pytest.raises(ModelError, match=r"g1/centroids.npy is damaged: fit it again"):
        models.clustering(Pair("e", "g1"))


def test_every_flipped_byte_in_clustering_json_is_found(models: Models) -> None:
    """White space apart: JSON has no meaning there."""
    models.add_clustering("e", centroids(), {"sizes": [3, 2, 1]})
    path = models.clustering_path(Pair("e", "g1")) / "clustering.json"
    content = path.read_bytes()
    for place in range(len(content)):
        flip(path, place)
        if content[place : place + 1].isspace():
            path.write_bytes(content)
            continue
        with pytest.raises(ModelError, match="g1"):
            models.about_clustering(Pair("e", "g1"))
        path.write_bytes(content)


def test_missing_parts_of_a_clustering(models: Models) -> None:
    with pytest.raises(ModelError, match=r"clusterings/e/g1 is missing: fit it again"):
        models.clustering(Pair("e", "g1"))
    models.add_clustering("e", centroids(), {})
    (models.clustering_path(Pair("e", "g1")) / "centroids.npy").unlink()
    with pytest.raises(ModelError, match=r"centroids.npy cannot be read"):
        models.clustering(Pair("e", "g1"))


def test_a_clustering_moved_to_another_encoder_is_refused(models: Models) -> None:
    models.add_clustering("e", centroids(), {})
    shutil.copytree(models.root / "clusterings" / "e", models.root / "clusterings" / "f")
    with pytest.raises(ModelError, match="belongs to another encoder"):
        models.clustering(Pair("f", "g1"))


def test_a_clustering_of_another_version(models: Models) -> None:
    models.add_clustering("e", centroids(), {})
    path = models.clustering_path(Pair("e", "g1")) / "clustering.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    with pytest.raises(ModelError, match="has format 2, this program reads 1"):
        models.about_clustering(Pair("e", "g1"))


@pytest.mark.parametrize("step", ["shared.models.write_json", "shared.models.publish_folder"])
def test_an_interrupted_clustering_leaves_nothing_to_see(
    models: Models, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(step, interrupt)
        with pytest.raises(Interrupted):
            models.add_clustering("e", centroids(), {})
    assert os.listdir(models.root / "clusterings" / "e") == []
    assert models.add_clustering("e", centroids(), {}).generation == "g1"


def test_a_generation_that_appears_meanwhile_is_never_taken_for_ones_own(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    models.add_clustering("e", centroids(2), {})
    monkeypatch.setattr(models, "_generations", lambda encoder: [])
    with pytest.raises(ModelError, match="g1 appeared meanwhile"):
        models.add_clustering("e", centroids(3), {})
    assert models.clustering(Pair("e", "g1")).n_clusters == 2


@pytest.mark.parametrize("bad", [np.zeros((3, 5)), np.full((2, 512), np.nan), np.zeros((0, 512))])
def test_centroids_that_cannot_be_used(models: Models, bad: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="centroids"):
        models.add_clustering("e", bad, {})
    assert files(models.root) == []


# The current pair and the next


def test_nothing_trained_yet(models: Models) -> None:
    with pytest.raises(NoModel, match=r"no model in .*home: run `indexer watch DIR` first"):
        models.current()
    assert models.next() is None


def test_current_and_next_are_named_apart_and_next_is_spent(models: Models) -> None:
    first = whole(models)
    models.set_current(first)
    second = Pair(first.encoder, models.add_clustering(first.encoder, centroids(2), {}).generation)
    models.set_next(second)
    assert (models.current(), models.next()) == (first, second)
    models.set_current(first)
    assert models.next() == second
    models.set_current(second)
    assert models.current() == second
    assert models.next() is None
    assert Models(models.root).current() == second


def test_a_pair_is_made_current_only_if_it_is_whole(models: Models) -> None:
    pair = whole(models)
    models.set_current(pair)
    bundle = add(models, b"other")
    for bad in (Pair(pair.encoder, "g2"), Pair("0" * 16, "g1"), Pair(bundle.id, "g1")):
        for switch in (models.set_current, models.set_next):
            with pytest.raises(ModelError):
                switch(bad)
    models.add_clustering(bundle.id, centroids(), {})
    flip(bundle.path / ENCODER_FILE)
    with pytest.raises(ModelError, match="damaged"):
        models.set_current(Pair(bundle.id, "g1"))
    assert models.current() == pair
    assert models.next() is None


def test_an_interrupted_switch_leaves_the_old_pair(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = whole(models)
    models.set_current(first)
    second = Pair(first.encoder, models.add_clustering(first.encoder, centroids(2), {}).generation)
    before = files(models.root)
    with monkeypatch.context() as patched:
        patched.setattr("shared.files.os.replace", interrupt)
        with pytest.raises(Interrupted):
            models.set_current(second)
    assert models.current() == first
    assert files(models.root) == before


@pytest.mark.parametrize(
    ("encoder", "generation"),
    [
        ("../../x", "g1"),
        ("0123456789abcdef/../x", "g1"),
        ("0123456789ABCDEF", "g1"),
        ("0123456789abcdef\n", "g1"),
        ("0123456789abcdef", "../g1"),
        ("0123456789abcdef", "g0"),
        ("0123456789abcdef", "g1\n"),
        ("0123456789abcdef", "g\u0661"),
        (None, None),
        (["0123456789abcdef"], "g1"),
    ],
)
@pytest.mark.parametrize("name", ["current", "next"])
def test_names_that_lead_elsewhere_are_refused(
    models: Models, name: str, encoder: object, generation: object
) -> None:
    models.root.mkdir(parents=True)
    value = {"format": 1, "encoder": encoder, "generation": generation}
    (models.root / f"{name}.json").write_text(json.dumps(value))
    with pytest.raises(ModelError, match=f"{name}.json names no encoder and generation"):
        getattr(models, name)()


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is damaged"), (b"[]", "holds no object"), (b"\xff", "is damaged"), (b"{}", "format")],
)
def test_damaged_pointers(models: Models, content: bytes, reason: str) -> None:
    models.root.mkdir(parents=True)
    (models.root / "current.json").write_bytes(content)
    with pytest.raises(ModelError, match=rf"current.json .*{reason}"):
        models.current()


def test_reading_changes_nothing_on_disk(models: Models) -> None:
    """Searchers mount this folder read-only."""
    pair = whole(models)
    models.set_current(pair)
    before = {name: (models.root / name).stat().st_mtime_ns for name in files(models.root)}
    models.current()
    models.next()
    models.bundle(pair.encoder).read(ENCODER_FILE)
    models.clustering(pair)
    after = {name: (models.root / name).stat().st_mtime_ns for name in files(models.root)}
    assert after == before


# Yesterday's files


def test_a_folder_that_the_first_version_wrote_still_loads() -> None:
    models = Models(DATA / "models")
    pair = Pair("553f66a5bcdd4a5b", "g1")
    assert models.current() == pair
    assert models.next() == pair
    bundle = models.bundle(pair.encoder)
    assert (bundle.kind, bundle.spec) == ("autoencoder", PixelSpec(size=128))
    assert bundle.read(ENCODER_FILE).startswith(b"not a graph")
    clustering = models.clustering(pair)
    assert clustering.centroids.shape == (2, 512)
    assert (clustering.centroids[0, 0], clustering.centroids[1, 1]) == (1, 0.5)
    assert clustering.labels == ["g1/0", "g1/1"]
    assert models.about_clustering(pair)["sizes"] == [3, 1]
