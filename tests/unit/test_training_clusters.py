"""Clusters for an encoder that exists: what they leave, what they refuse, what they draw."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.training.clusters import (
    ClusterConfig,
    ClusteringResult,
    Encoded,
    cluster_pictures,
    cluster_vectors,
)
from indexer.training.figures import draw_cluster, draw_elbow
from indexer.training.kmeans import KMeansResult
from shared.encoder import LiteRTEncoder
from shared.errors import ModelError, TrainingError
from shared.images import pixels
from shared.models import ENCODER_FILE, Bundle, Models
from shared.reading import Limits
from tests.homes import add_encoder, draw_photos
from tests.progress import Silent


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Sixty-six pictures in three clear groups, more than are encoded at once."""
    return draw_photos(tmp_path_factory.mktemp("photos"), 22, edge=96)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory.mktemp("home") / "models")


@pytest.fixture(scope="module")
def bundle(models: Models, tiny_tflite: Path) -> Bundle:
    return add_encoder(models, tiny_tflite)


@pytest.fixture(scope="module")
def progress() -> Silent:
    return Silent()


@pytest.fixture(scope="module")
def found(
    many: list[Path],
    bundle: Bundle,
    models: Models,
    progress: Silent,
    tmp_path_factory: pytest.TempPathFactory,
) -> ClusteringResult:
    bad = tmp_path_factory.mktemp("bad") / "bad.jpg"
    bad.write_bytes(b"no picture")
    paths = [*many[:9], bad, *many[9:]]
    return cluster_pictures(paths, bundle, models, ClusterConfig(seed=3), progress)


def test_the_generation_is_whole_and_fits_the_vectors(
    found: ClusteringResult, models: Models, bundle: Bundle, many: list[Path]
) -> None:
    assert (found.pair.encoder, found.pair.generation) == (bundle.id, "g1")
    encoder = LiteRTEncoder(bundle.read(ENCODER_FILE), bundle_id=bundle.id, spec=bundle.spec)
    vectors = encoder.encode(np.stack([pixels(path, bundle.spec) for path in many]))
    clustering = models.clustering(found.pair)
    labels = clustering.predict(vectors)
    assert tuple(np.bincount(labels, minlength=found.k)) == found.sizes
    about = models.about_clustering(found.pair)
    assert about["chosen_by"] == found.chosen_by in ("elbow", "fallback")
    assert (about["method"], about["starts"], about["k"]) == ("k-means", 4, found.k)
    assert about["silhouettes"][0] is None
    assert all(-1 <= score <= 1 for score in about["silhouettes"][1:])
    assert about["seed"] == 3
    nearest = [np.linalg.norm(clustering.centroids - row, axis=1).min() for row in vectors]
    assert about["mean_distance"] == pytest.approx(np.mean(nearest), rel=1e-4)


def test_known_vectors_give_the_same_clusters_and_sheets_of_what_is_there(
    many: list[Path], bundle: Bundle, tmp_path: Path
) -> None:
    models = Models(tmp_path / "models")
    encoder = LiteRTEncoder(bundle.read(ENCODER_FILE), bundle_id=bundle.id, spec=bundle.spec)
    vectors = encoder.encode(np.stack([pixels(path, bundle.spec) for path in many]))
    made = cluster_pictures(many, bundle, models, ClusterConfig(k=3), Silent())
    paths = [path if path.parent.name != "red" else tmp_path / "gone.jpg" for path in many]
    known = Encoded(tuple(paths), vectors, ())
    found = cluster_vectors(known, bundle, models, ClusterConfig(k=3), Silent())
    assert found.sizes == made.sizes
    np.testing.assert_array_equal(
        models.clustering(found.pair).centroids, models.clustering(made.pair).centroids
    )
    assert len(made.figures) == 4  # the elbow and three sheets
    assert len(found.figures) == 3
    with pytest.raises(TrainingError, match="k = 67 with 66 images: give 1 to 66, or auto"):
        cluster_vectors(known, bundle, models, ClusterConfig(k=67), Silent())


def test_three_clear_groups_are_three_clusters(
    many: list[Path], bundle: Bundle, models: Models, found: ClusteringResult
) -> None:
    again = cluster_pictures(many, bundle, models, ClusterConfig(k=3, seed=3), Silent())
    assert (again.pair.generation, again.chosen_by) == ("g2", "given")
    assert again.sizes == (22, 22, 22)


def test_the_same_seed_gives_the_same_bytes(
    many: list[Path], bundle: Bundle, found: ClusteringResult, models: Models, tmp_path: Path
) -> None:
    other = Models(tmp_path / "models")
    again = cluster_pictures(many, bundle, other, ClusterConfig(seed=3, workers=1), Silent())
    for name in ("centroids.npy", "clustering.json"):
        made = (models.clustering_path(found.pair) / name).read_bytes()
        assert (other.clustering_path(again.pair) / name).read_bytes() == made


def test_what_cannot_be_read_costs_that_picture_only(found: ClusteringResult) -> None:
    ((path, reason),) = found.refused
    assert Path(str(path)).name == "bad.jpg"
    assert "is not an image" in reason
    assert found.images == sum(found.sizes) == 66


def test_every_figure_is_a_picture(found: ClusteringResult) -> None:
    sheets = {f"cluster-{number}.png" for number in range(found.k)}
    assert {path.name for path in found.figures} == {"elbow.png"} | sheets
    for path in found.figures:
        with Image.open(path) as picture:
            picture.load()
            assert picture.width > picture.height


def test_every_stage_reaches_its_total(found: ClusteringResult, progress: Silent) -> None:
    names = [stage.name for stage in progress.stages]
    assert names == ["Encoding pictures", "Clustering", "Drawing clusters"]
    assert all(stage.done == stage.total for stage in progress.stages)


def test_limits_hold(many: list[Path], bundle: Bundle, models: Models) -> None:
    with pytest.raises(TrainingError, match=r"none of 66 images can be read; .*max_pixels"):
        cluster_pictures(many, bundle, models, ClusterConfig(), Silent(), Limits(max_pixels=99))


@pytest.mark.parametrize(
    ("count", "k", "message"),
    [
        (0, None, "no images to cluster, at least 1 is needed"),
        (5, 6, "k = 6 with 5 images: give 1 to 5, or auto"),
    ],
)
def test_too_few_pictures_get_one_line(
    many: list[Path], bundle: Bundle, models: Models, count: int, k: int | None, message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        cluster_pictures(many[:count], bundle, models, ClusterConfig(k=k), Silent())


def test_k_is_checked_against_what_could_be_read(
    many: list[Path], bundle: Bundle, models: Models, tmp_path: Path
) -> None:
    paths = [*many[:3], tmp_path / "gone.jpg"]
    with pytest.raises(TrainingError, match="k = 4: give at least 1 and at most 3"):
        cluster_pictures(paths, bundle, models, ClusterConfig(k=4), Silent())


@pytest.mark.parametrize("option", [{"k": 0}, {"seed": -1}, {"seed": 2**32}, {"workers": 0}])
def test_an_option_out_of_range_is_one_clear_line(option: dict[str, int]) -> None:
    with pytest.raises(TrainingError, match=f"{next(iter(option))} is .*: it must be"):
        ClusterConfig(**option)


def test_a_home_that_cannot_be_written_is_one_line(
    many: list[Path], bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    with pytest.raises(TrainingError, match=r"cannot write models to .*/models"):
        cluster_pictures(many, bundle, Models(tmp_path / "models"), ClusterConfig(k=2), Silent())


def test_a_damaged_encoder_is_refused(many: list[Path], tmp_path: Path, tiny_tflite: Path) -> None:
    models = Models(tmp_path / "models")
    bundle = add_encoder(models, tiny_tflite)
    (bundle.path / ENCODER_FILE).write_bytes(b"not what was sealed")
    with pytest.raises(ModelError, match="damaged"):
        cluster_pictures(many, bundle, models, ClusterConfig(), Silent())


def test_an_interrupted_run_leaves_nothing(
    many: list[Path], bundle: Bundle, tmp_path: Path
) -> None:
    class Interrupted(Silent):
        def say(self, text: str) -> None:
            raise KeyboardInterrupt

    models = Models(tmp_path / "models")
    one_group = many[:20] + many[22:24]
    with pytest.raises(KeyboardInterrupt):  # at the warning that one cluster holds most
        cluster_pictures(one_group, bundle, models, ClusterConfig(k=2), Interrupted())
    assert list(tmp_path.rglob("*")) == []


_IN_A_PROCESS = """
import json, sys
from pathlib import Path
from indexer.training.clusters import ClusterConfig, cluster_pictures
from shared.models import Models
from tests.progress import Silent
models = Models(Path(sys.argv[1]))
paths = [Path(name) for name in json.loads(sys.argv[3])]
found = cluster_pictures(paths, models.bundle(sys.argv[2]), models, ClusterConfig(k=3), Silent())
frameworks = {"tensorflow", "keras", "torch", "jax"} & set(sys.modules)
print(json.dumps([found.sizes, sorted(frameworks)]))
"""


def test_no_training_framework_comes_in_and_the_terminal_stays_clean(
    many: list[Path], tmp_path: Path, tiny_tflite: Path
) -> None:
    bundle = add_encoder(Models(tmp_path), tiny_tflite)
    names = json.dumps([str(path) for path in many])
    done = subprocess.run(
        [sys.executable, "-c", _IN_A_PROCESS, str(tmp_path), bundle.id, names],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [[22, 22, 22], []]
    assert done.stderr == ""


CURVE = KMeansResult(
    centroids=np.zeros((3, 512), np.float32),
    k=3,
    chosen_by="elbow",
    method="k-means",
    inertia=10.0,
    sizes=(1, 20, 3000),
    ks=(1, 2, 3, 4, 5),
    inertias=(70.0, 40.0, 10.0, 9.0, 8.0),
    silhouettes=(None, 0.2, 0.6, 0.5, -0.1),
    curve_images=3000,
)
ONE = replace(CURVE, ks=(3,), inertias=(10.0,), silhouettes=(0.6,), chosen_by="given")


@pytest.mark.parametrize(
    "result",
    [
        CURVE,
        replace(CURVE, k=4),
        replace(CURVE, chosen_by="fallback", k=5),
        ONE,
        replace(ONE, k=1, ks=(1,), sizes=(60,), inertias=(0.0,), silhouettes=(None,)),
        replace(CURVE, inertias=(0.0,) * 5, silhouettes=(None,) * 5, chosen_by="fallback"),
    ],
    ids=["elbow", "elbow at the right", "fallback", "given", "one cluster", "all the same"],
)
def test_every_way_of_choosing_k_can_be_drawn(result: KMeansResult, tmp_path: Path) -> None:
    draw_elbow(result, tmp_path / "elbow.png")
    with Image.open(tmp_path / "elbow.png") as picture:
        assert np.asarray(picture.convert("RGB")).std() > 0


@pytest.mark.parametrize("count", [0, 1, 7, 18])
def test_a_sheet_has_room_for_its_pictures(count: int, tmp_path: Path) -> None:
    red = np.full((16, 16, 3), (255, 0, 0), np.uint8)
    draw_cluster(1, (5, count), [red] * count, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as picture:
        shown = (np.asarray(picture.convert("RGB")) == (255, 0, 0)).all(axis=2)
    # A picture is drawn between 0.9 and 1.25 inches wide, at 120 dots an inch.
    assert count * 108**2 <= shown.sum() <= count * 150**2
