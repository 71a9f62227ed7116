"""`python -m benchmarks.scale --measure FILE`: the short measurements, as JSON.

About four minutes on one processor, of which most go into building graphs. The vectors are real
ones of the pictures below `--pictures`, drawn with replacement and moved by a random step.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import machine
from benchmarks.resampling import home_of, real_vectors, resampled
from benchmarks.scale import journal_measured, store_measured
from indexer.database import Database
from indexer.journal import Journal
from shared.models import Models
from shared.settings import load_settings
from shared.types import Embeddings

ROWS = 100_000
EMBEDDED_POINTS = 100_000
GRAPH_POINTS = (10_000, 20_000, 40_000)
QUERIES = 400
NOISE = 0.25
PHOTOS = sorted((Path(__file__).parents[2] / "examples" / "photos").rglob("*.jpg"))


def measure(pictures: Path, seed: int) -> dict[str, Any]:
    """Everything; a JSON object."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.nice(10)
    random = np.random.default_rng(seed)
    found: dict[str, Any] = {"machine": machine(), "qdrant-edge": version("qdrant-edge-py")}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        real, clusters = real_vectors(home_of(pictures, work / "home"))
        found["real_vectors"], found["k"] = len(real), clusters.n_clusters
        points = resampled(real, EMBEDDED_POINTS, NOISE, random)
        queries = resampled(real, QUERIES, NOISE, random)
        labels = list(clusters.labels)
        path = work / "journal.sqlite3"
        found["payload_bytes"] = journal_measured.payload_bytes()
        found["journal"] = journal_measured.journal(path, ROWS, labels, clusters.encoder)
        found["examined_bytes"] = journal_measured.examined(path, clusters.encoder)
        found["compared_core_us"] = journal_measured.compared(path, ROWS)
        found["listing"] = journal_measured.listing(work / "listed", ROWS)
        models = Models(load_settings({"home": work / "home"}).models)
        spec = models.bundle(models.current().encoder).spec
        found["decoding"] = journal_measured.decoding(work / "mosaics", PHOTOS, spec)
        found["predict_core_us"] = journal_measured.predicted(points, clusters)
        _said(found)
        found["embedded"] = store_measured.embedded(work, points, queries, clusters)
        database = Database(path)
        found["relabel_core_us"] = store_measured.relabelled(work, Journal(database), clusters)
        database.close()
        _said(found)
        found["graphs"] = {
            name: store_measured.graph(work / name, some, asked, clusters, int8="int8" in name)
            for name, some, asked in _graphs(points, queries, random)
        }
    return found


def _graphs(
    points: Embeddings, queries: Embeddings, random: np.random.Generator
) -> Iterator[tuple[str, Embeddings, Embeddings]]:
    """Random vectors, whose neighbours are all far, are the worst for a graph; those that encoders
    make are better."""
    count = GRAPH_POINTS[-1]
    worst, asked = (unit(random.standard_normal((n, 512), np.float32)) for n in (count, QUERIES))
    for number in GRAPH_POINTS:
        yield f"random-{number}", worst[:number], asked
    yield f"random-int8-{count}", worst, asked
    yield f"real-{count}", points[:count], queries
    yield f"real-int8-{count}", points[:count], queries


def unit(rows: Embeddings) -> Embeddings:
    """The rows with length 1."""
    made: Embeddings = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return made


def _said(found: dict[str, Any]) -> None:
    print(json.dumps({name: found[name] for name in list(found)[-4:]})[:1500], flush=True)
