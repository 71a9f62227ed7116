"""A home with more images than there are files: vectors made from real ones, rows in the journal.

One store and one journal grow through all sizes; at each the store is closed and measured.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.growing.curves import Curve
from benchmarks.growing.scans import allocated, journal_files
from benchmarks.measure import run
from benchmarks.resampling import real_vectors, resampled
from benchmarks.scale.journal_measured import image_record
from benchmarks.scale.paths import ROOT
from indexer.database import Database
from indexer.journal import Indexed, Journal
from shared.clustering import Clustering
from shared.reading import Signature
from shared.settings import Settings, load_settings
from shared.store.hub import open_store
from shared.types import Embeddings, ImageRecord

NOISE = 0.25
"""Length of the step that makes a new vector of a real one; see benchmarks/search.py."""
QUERIES = 100
_DRAWN = 1_000
_BATCH = 64  # what a scan hands over at a time


@dataclass(slots=True)
class Spent:
    """Processor seconds so far."""

    store: float = 0.0
    journal: float = 0.0


@dataclass(slots=True)
class Filling:
    """A home that is being filled. `number`: images in it."""

    settings: Settings
    real: Embeddings
    clusters: Clustering
    random: np.random.Generator
    number: int = 0
    spent: Spent = field(default_factory=Spent)

    def fill(self, size: int) -> None:
        """Bring store and journal to `size` images, as scans in batches do."""
        store = open_store(self.settings, self.clusters.encoder, create=True)
        database = Database(self.settings.journal)
        journal = Journal(database)
        while self.number < size:
            vectors = resampled(self.real, min(_DRAWN, size - self.number), NOISE, self.random)
            records = self._records(vectors)
            self.number += len(records)
            for start in range(0, len(records), _BATCH):
                some = slice(start, start + _BATCH)
                began = time.process_time()
                store.upsert(records[some], vectors[some])
                self.spent.store += time.process_time() - began
                began = time.process_time()
                _remember(journal, self.clusters.encoder, records[some])
                self.spent.journal += time.process_time() - began
        began = time.process_time()
        store.tidy()
        store.close()
        self.spent.store += time.process_time() - began
        database.close()

    def _records(self, vectors: Embeddings) -> list[ImageRecord]:
        """Payloads as indexed photographs have them; contents and sizes come in no order."""
        labels = [self.clusters.label(int(one)) for one in self.clusters.predict(vectors)]
        found = []
        for number, label in enumerate(labels, self.number):
            digest = hashlib.sha256(str(number).encode()).hexdigest()
            record = image_record(number, label)
            found.append(replace(record, sha256=digest, bytes=2**20 + int(digest[:6], 16)))
        return found


def _remember(journal: Journal, collection: str, records: Sequence[ImageRecord]) -> None:
    paths = [record.path.encode() for record in records]
    signs = [
        Signature(record.bytes, int(record.mtime * 1e9), 10**18, record.bytes, 65_024)
        for record in records
    ]
    journal.owe([(ROOT, path, sign) for path, sign in zip(paths, signs, strict=True)])
    done = [
        (Indexed(ROOT, path, record.sha256, record.cluster[0]), sign)
        for path, record, sign in zip(paths, records, signs, strict=True)
    ]
    journal.done(collection, done)


def vector_curves(home: Path, work: Path, sizes: Sequence[int], seed: int) -> list[Curve]:
    """Fill a new home below `work` with the models and the vectors of `home`; it is removed."""
    real, clusters = real_vectors(home)
    grown = work / "grown"
    shutil.rmtree(grown, ignore_errors=True)
    shutil.copytree(home / "models", grown / "models")
    random = np.random.default_rng(seed)
    questions = work / "questions.npy"
    np.save(questions, resampled(real, QUERIES, NOISE, random))
    filling = Filling(load_settings({"home": grown}), real, clusters, random)
    found = {}
    try:
        for size in sizes:
            filling.fill(size)
            found[size] = _measured(filling, questions)
    finally:
        shutil.rmtree(grown)
    return _curves(found)


def _measured(filling: Filling, questions: Path) -> dict[str, Any]:
    settings = filling.settings
    opened = run(sys.executable, "-m", "benchmarks.growing.opened", settings.home, questions)
    return {
        "filled": filling.spent.store,
        "remembered": filling.spent.journal,
        "store": allocated(settings.store),
        "journal": allocated(*journal_files(settings.journal)),
        **json.loads(opened.output),
    }


def _curves(found: dict[int, dict[str, Any]]) -> list[Curve]:
    def totals(name: str) -> dict[int, float]:
        return {size: one[name] for size, one in found.items()}

    return [
        Curve("store, filled", "time", totals("filled")),
        Curve("journal, filled", "time", totals("remembered")),
        Curve("store, every payload read", "time", totals("scrolled")),
        Curve("store, opened", "time", totals("opened"), False),
        Curve("one cluster searched, p50", "time", totals("searched"), False),
        Curve("open store, every cluster searched", "memory", totals("memory"), False),
        Curve("of it without mapped files", "memory", totals("own_memory"), False),
        Curve("store", "disk", totals("store")),
        Curve("journal", "disk", totals("journal")),
    ]
