"""Whole homes made in a second or two, without training: a fixed random encoder, real everything.

`tiny_encoder` takes a few seconds (it needs Keras), so build one per test session and hand it on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.training.calibrate import calibrate
from shared.clustering import Clustering
from shared.encoder import LiteRTEncoder
from shared.images import decode
from shared.models import ENCODER_FILE, Bundle, Models, Pair
from shared.points import point_id
from shared.roots import read_roots, root_id, write_roots
from shared.settings import Settings, load_settings
from shared.store.hub import open_store
from shared.types import (
    PHASH_VERSION,
    Decoded,
    Embeddings,
    ImageRecord,
    PixelSpec,
    ancestor_folders,
    record_path,
)

SIZE = 64

_EXPORT = """
import sys
import keras
path, size, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
keras.utils.set_random_seed(seed)
model = keras.Sequential([
    keras.Input((size, size, 3)),
    keras.layers.AveragePooling2D(size // 8),
    keras.layers.Rescaling(1 / 127.5, -1),
    keras.layers.Flatten(),
    keras.layers.Dense(512, use_bias=False, kernel_initializer="glorot_normal"),
    keras.layers.UnitNormalization(),
])
model.export(path, format="litert", verbose=False)
"""


def tiny_encoder(path: Path, *, size: int = SIZE, seed: int = 0) -> Path:
    """Write an encoder that keeps distances: 8 x 8 mean colours, centred, randomly projected."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(
        [sys.executable, "-c", _EXPORT, str(path), str(size), str(seed)],
        env={**os.environ, **quiet, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not path.is_file():
        raise RuntimeError(f"no encoder was made:\n{done.stdout}\n{done.stderr}")
    return path


def add_encoder(models: Models, tflite: Path, *, size: int = SIZE) -> Bundle:
    """A bundle around an exported encoder."""
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder)
        shutil.copy(tflite, built / ENCODER_FILE)
        manifest = {
            "kind": "random-projection",
            "pixels": PixelSpec(size=size).to_json(),
            "data": {"fingerprint": "none"},
            "metrics": {},
            "versions": {},
        }
        target = models.root / "encoders"
        target.mkdir(parents=True, exist_ok=True)
        beside = target / ".built"  # a rename does not leave its file system
        shutil.copytree(built, beside)
    return models.add_bundle(beside, manifest)


def make_home(
    home: Path,
    root: Path,
    tflite: Path,
    *,
    k: int = 3,
    size: int = SIZE,
    indexed: bool = True,
    calibrated: bool = False,
) -> Settings:
    """A home whose current pair is this encoder and `k` clusters of the root's images.

    With `indexed`, every readable image below `root` is a point of the store, as a scan leaves it.
    With `calibrated`, the clusters are, as a training leaves them.
    """
    settings = load_settings({"home": home}, {})
    models = Models(settings.models)
    bundle = add_encoder(models, tflite, size=size)
    encoder = LiteRTEncoder(bundle.read(ENCODER_FILE), bundle_id=bundle.id, spec=bundle.spec)
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    decoded = [decode(path.read_bytes(), [bundle.spec]) for path in paths]
    vectors = encoder.encode(np.stack([one.pixels[0] for one in decoded]))
    centroids = spread_centroids(vectors, k)
    about: dict[str, Any] = {"chosen_by": "k"}
    if calibrated:
        found = calibrate(vectors, Clustering(bundle.id, "g1", centroids), seed=0)
        about["calibration"] = found and found.to_json()
    clustering = models.add_clustering(bundle.id, centroids, about)
    models.set_current(Pair(bundle.id, clustering.generation))
    write_roots(home, {**read_roots(home), root_id(root): root})
    if indexed:
        index_points(settings, root, paths, decoded, vectors, clustering)
    return settings


def index_points(
    settings: Settings,
    root: Path,
    paths: Sequence[Path],
    decoded: Sequence[Decoded],
    vectors: Embeddings,
    clustering: Clustering,
) -> list[ImageRecord]:
    """Put points into the embedded store and tidy it, as a scan does at its end."""
    numbers = clustering.predict(vectors)
    records = [
        image_record(root, path, one, clustering.label(int(number)), clustering.encoder)
        for path, one, number in zip(paths, decoded, numbers, strict=True)
    ]
    store = open_store(settings, clustering.encoder, create=True, role="visitor")
    try:
        store.upsert(records, vectors)
        store.flush()
        store.tidy()
    finally:
        store.close()
    return records


def image_record(
    root: Path, path: Path, decoded: Decoded, cluster: str, encoder: str
) -> ImageRecord:
    """The payload that a scan writes for a file."""
    raw = os.fsencode(path.relative_to(root))
    shown, path_raw = record_path(raw)
    found = path.stat()
    return ImageRecord(
        id=point_id(root_id(root), raw),
        root=root_id(root),
        path=shown,
        path_raw=path_raw,
        folders=ancestor_folders(raw),
        cluster=(cluster,),
        sha256=decoded.sha256,
        phash=decoded.phash,
        phash_version=PHASH_VERSION,
        width=decoded.width,
        height=decoded.height,
        format=decoded.format,
        bytes=found.st_size,
        mtime=found.st_mtime,
        taken_at=decoded.taken_at,
        indexed_at=datetime.now(UTC).isoformat(),
        encoder=encoder,
    )


def spread_centroids(vectors: Embeddings, k: int, *, rounds: int = 5) -> NDArray[np.float32]:
    """Deterministic K-Means, float32 (k, 512): farthest points first, then a few Lloyd rounds."""
    chosen = [0]
    while len(chosen) < k:
        nearest = (vectors @ vectors[chosen].T).max(axis=1)
        chosen.append(int(nearest.argmin()))
    centroids = vectors[chosen].copy()
    for _ in range(rounds):
        numbers = Clustering("none", "g0", centroids).predict(vectors)
        for number in range(k):
            if (numbers == number).any():
                centroids[number] = vectors[numbers == number].mean(axis=0)
    return centroids


def draw_photos(root: Path, per_color: int = 6, *, edge: int = 48) -> list[Path]:
    """Small JPEGs in three clear groups, `red/0.jpg` and so on, each with its own shade and bar."""
    colors = {"red": (200, 30, 30), "green": (30, 180, 40), "blue": (30, 50, 210)}
    paths = []
    for name, color in colors.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(per_color):
            shade = [min(255, value + 4 * number) for value in color]
            pixels = np.full((edge, edge, 3), shade, np.uint8)
            pixels[:, number * 4 : number * 4 + 6] = 255
            paths.append(root / name / f"{number}.jpg")
            Image.fromarray(pixels).save(paths[-1], quality=90)
    return paths
