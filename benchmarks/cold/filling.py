"""Homes of any size that every command takes for its own: vectors made from real ones.

Each vector has a file of its own, a link to a real picture, so that a daemon finds disk, journal
and store in agreement and does nothing. What is stored beside a vector is that of its file, so that
results are looked at as ever; only the vector is not what the encoder would make of it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.resampling import resampled
from indexer.home import Home
from indexer.journal import Indexed
from shared.clustering import Clustering
from shared.models import Models
from shared.points import point_id
from shared.reading import Signature
from shared.settings import load_settings
from shared.store.hub import open_store
from shared.types import Embeddings, ImageRecord, ancestor_folders

NOISE = 0.25
"""Length of the step that makes a new vector of a real one; see `benchmarks.search`."""
BATCH = 64
"""Points written together, as the daemon does."""
FLUSH_POINTS = 10_000
"""Points between two rewrites of small segments while a home is filled; the last one, at the end,
leaves what a scan leaves."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """What is indexed in earnest: `files` below one folder, `vectors` float32 (n, 512) and the
    records that a scan wrote for them, with the models of the home."""

    files: Sequence[Path]
    records: Sequence[ImageRecord]
    vectors: Embeddings
    clustering: Clustering
    models: Path


def sampled(pictures: Path, folder: Path, most: int) -> list[Path]:
    """Copies of at most so many pictures, evenly taken from all below `pictures`."""
    suffixes = (".jpg", ".jpeg", ".png")
    found = sorted(path for path in pictures.rglob("*") if path.suffix.lower() in suffixes)
    for number, path in enumerate(found[:: max(1, -(-len(found) // most))]):
        copy = folder / f"{number:06d}{path.suffix.lower()}"
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    return sorted(folder.iterdir())


def indexed_pictures(home: Path, files: Sequence[Path]) -> Pictures:
    """Records and vectors of a scanned home, in the order of its files."""
    settings = load_settings({"home": home})
    models = Models(settings.models)
    pair = models.current()
    store = open_store(settings, pair.encoder)
    try:
        stored = {
            one.record.path: (one.record, one.vector)
            for page in store.scroll(with_vectors=True)
            for one in page
            if one.vector is not None
        }
    finally:
        store.close()
    kept = [file for file in files if file.name in stored]  # others were refused
    rows = np.stack([stored[file.name][1] for file in kept]).astype(np.float32)
    vectors: Embeddings = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    records = [stored[file.name][0] for file in kept]
    return Pictures(kept, records, vectors, models.clustering(pair), settings.models)


def linked(folder: Path, files: Sequence[Path], count: int) -> list[Path]:
    """`count` names in folders of a thousand, each a link to one of the files in turn.

    Make the links of every home before the first is filled: each changes the file's change time.
    """
    paths = [folder / f"{n // 1000:03d}" / f"{n:06d}.jpg" for n in range(count)]
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            os.link(files[number % len(files)], path)
    return paths


def fill(home: Path, folder: Path, paths: Sequence[Path], real: Pictures, seed: int) -> None:
    """A home in which all paths below the folder are indexed: the first ones as they are, the
    others with resampled vectors. It is complete or absent."""
    building = home.with_name(f"{home.name}.new")
    shutil.rmtree(building, ignore_errors=True)
    shutil.copytree(real.models, building / "models")
    settings = load_settings({"home": building, "flush_points": FLUSH_POINTS})
    collection = real.clustering.encoder
    with Home(settings, "benchmark") as opened:
        (root,) = opened.remember([folder], excludes=None)
        store = open_store(settings, collection, create=True)
        try:
            for start in range(0, len(paths), BATCH):
                some = paths[start : start + BATCH]
                records, rows = _points(root.id, folder, some, start, real, seed)
                store.upsert(records, rows)
                opened.journal.done(collection, _journaled(records, some))
            store.tidy()
        finally:
            store.close()
    building.rename(home)


def _points(
    root: str, folder: Path, paths: Sequence[Path], start: int, real: Pictures, seed: int
) -> tuple[list[ImageRecord], Embeddings]:
    """Records and float32 (n, 512) of the paths with the numbers from `start` on."""
    rows = resampled(real.vectors, len(paths), NOISE, np.random.default_rng((seed, start)))
    as_they_are = max(0, min(len(paths), len(real.files) - start))
    rows[:as_they_are] = real.vectors[start : start + as_they_are]
    records = []
    for number, path, cluster in zip(
        range(start, start + len(paths)), paths, real.clustering.predict(rows), strict=True
    ):
        relative = os.fsencode(path.relative_to(folder))
        record = replace(
            real.records[number % len(real.files)],
            id=point_id(root, relative),
            root=root,
            path=os.fsdecode(relative),
            folders=ancestor_folders(relative),
            cluster=(real.clustering.label(int(cluster)),),
        )
        records.append(record)
    return records, rows


def _journaled(
    records: Sequence[ImageRecord], paths: Sequence[Path]
) -> list[tuple[Indexed, Signature]]:
    return [
        (
            Indexed(record.root, record.path.encode(), record.sha256, record.cluster[0]),
            Signature.of(path.lstat()),
        )
        for record, path in zip(records, paths, strict=True)
    ]
