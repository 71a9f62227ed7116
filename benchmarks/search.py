"""One cluster searched in the embedded store, against FAISS with the same centroids and vectors.

    python -m benchmarks.search (--home HOME | --pictures DIR) [--points N] [--k auto|N ...]
        [--queries N] [--rounds N] [--noise X] [--seed N] [--json FILE]

The vectors are real ones, of a home's store or of the pictures below DIR with the encoder that
ships, drawn with replacement, moved by a random step of length `--noise` and made unit again;
queries are made alike. `--k auto` takes the home's own centroids, a number fits K-Means as a
training does. FAISS gets those centroids as its quantizer, probes one list, and runs on one thread.

All sides take turns, round by round; a query's time is the best of its rounds, because other
programs only ever add to it. Each side is timed on one processor alone and, where there are more,
on all: the store's threads are its own. Finding the cluster is part of both times. Recall is that
of the exact float32 scan of what the side looks at.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks.measure import machine, print_table
from benchmarks.resampling import home_of, real_vectors, resampled
from indexer.cli.progress import progress
from indexer.training.kmeans import fit_kmeans
from shared.clustering import Clustering
from shared.points import point_id
from shared.store.edge import EdgeStore
from shared.store.protocol import Probe
from shared.types import Embeddings, ImageRecord

TOP = 10
_BATCH = 64  # what a scan hands over at a time

Search = Callable[[int], list[int]]


@dataclass(frozen=True, slots=True)
class Row:
    """One side: milliseconds a query (best of the rounds), queries a second, recall@10."""

    name: str
    p50_ms: float
    p99_ms: float
    per_second: float
    recall: float


class Course:
    """The same points everywhere: in a store of our own, in FAISS, in arrays."""

    def __init__(self, points: Embeddings, queries: Embeddings, clusters: Clustering) -> None:
        self.points, self.queries, self.clusters = points, queries, clusters
        numbers = clusters.predict(points)
        self.rows = [np.flatnonzero(numbers == one) for one in range(clusters.n_clusters)]
        self.parts = [np.ascontiguousarray(points[rows]) for rows in self.rows]
        self.records = [
            _record(number, clusters.label(int(one))) for number, one in enumerate(numbers)
        ]
        self.number = {record.id: number for number, record in enumerate(self.records)}
        faiss.omp_set_num_threads(1)
        size = points.shape[1]
        self._centroids = faiss.IndexFlatL2(size)
        self._centroids.add(clusters.centroids)
        self.lists = faiss.IndexIVFFlat(
            self._centroids, size, clusters.n_clusters, faiss.METRIC_INNER_PRODUCT
        )
        self.lists.nprobe = 1
        self.lists.add(points)
        self.flat = faiss.IndexFlatIP(size)
        self.flat.add(points)

    def fill(self, store: EdgeStore) -> tuple[float, float]:
        """Write everything, tidied on the way as ever; milliseconds of the longest write.

        By the clock, and of the processors: others may have them, and the disk, meanwhile.
        """
        longest = np.zeros(2)
        for start in range(0, len(self.records), _BATCH):
            some = slice(start, start + _BATCH)
            began = np.array([time.perf_counter(), time.process_time()])
            store.upsert(self.records[some], self.points[some])
            ended = np.array([time.perf_counter(), time.process_time()])
            longest = np.maximum(longest, ended - began)
        store.tidy()
        return float(longest[0]) * 1e3, float(longest[1]) * 1e3

    def sides(self, store: EdgeStore) -> dict[str, Search]:
        """Ways to ask, the one that all are compared with first."""

        def ours(asked: int, one: bool, with_records: bool) -> list[int]:
            query = self.queries[asked]
            label = self.clusters.label(self._cluster(asked)) if one else None
            found = store.search([Probe(query, label, TOP)], with_records=with_records)[0]
            return [self.number[image.id] for image in found]

        def in_arrays(asked: int) -> list[int]:
            cluster = self._cluster(asked)
            return [int(self.rows[cluster][i]) for i in self._best(self.parts[cluster], asked)]

        def in_faiss(index: Any, asked: int) -> list[int]:
            return [int(i) for i in index.search(self.queries[asked : asked + 1], TOP)[1][0]]

        return {
            "FAISS IVFFlat, nprobe=1": lambda asked: in_faiss(self.lists, asked),
            "store, one cluster": lambda asked: ours(asked, one=True, with_records=False),
            "store, one cluster, payloads": lambda asked: ours(asked, one=True, with_records=True),
            "NumPy, one cluster": in_arrays,
            "store, everything": lambda asked: ours(asked, one=False, with_records=False),
            "FAISS flat, everything": lambda asked: in_faiss(self.flat, asked),
        }

    def exact(self, asked: int, side: str) -> set[int]:
        """What an exact scan finds, of all points or of the query's cluster."""
        if side.endswith("everything"):
            return set(map(int, self._best(self.points, asked)))
        cluster = self._cluster(asked)
        return {int(self.rows[cluster][i]) for i in self._best(self.parts[cluster], asked)}

    def _cluster(self, asked: int) -> int:
        return int(self.clusters.nearest(self.queries[asked : asked + 1], 1)[0, 0])

    def _best(self, part: Embeddings, asked: int) -> NDArray[np.int64]:
        scores = part @ self.queries[asked]
        first = np.argpartition(-scores, min(TOP, len(scores)) - 1)[:TOP]
        best: NDArray[np.int64] = first[np.argsort(-scores[first])]
        return best


def _record(number: int, label: str) -> ImageRecord:
    folder, name = f"{number // 1000:03d}", f"{number:06d}.jpg"
    return ImageRecord(
        id=point_id("bench", f"{folder}/{name}".encode()),
        root="bench",
        path=f"{folder}/{name}",
        folders=(folder,),
        cluster=(label,),
        sha256=f"{number:064x}",
        phash=f"{number:016x}",
        width=640,
        height=480,
        format="JPEG",
        bytes=100_000,
        mtime=1_700_000_000.0,
        taken_at=None,
        indexed_at="2026-11-24T00:00:00+00:00",
        encoder="bench",
    )


def measured(course: Course, store: EdgeStore, rounds: int) -> list[Row]:
    """Every side asked every query once a round, in turns."""
    sides = course.sides(store)
    count = len(course.queries)
    best = {name: np.full(count, np.inf) for name in sides}
    recall = dict.fromkeys(sides, 0.0)
    for turn in range(rounds + 1):  # the first one fetches what lies on the disk
        for name, ask in sides.items():
            for asked in range(count):
                began = time.perf_counter()
                found = ask(asked)
                seconds = time.perf_counter() - began
                if turn:
                    best[name][asked] = min(best[name][asked], seconds)
                else:
                    exact = course.exact(asked, name)
                    recall[name] += len(exact & set(found)) / len(exact) / count
    return [
        Row(
            name,
            float(np.percentile(times, 50)) * 1e3,
            float(np.percentile(times, 99)) * 1e3,
            float(1 / times.mean()),
            recall[name],
        )
        for name, times in best.items()
    ]


def compare(course: Course, work: Path, rounds: int, title: str) -> dict[str, Any]:
    """Fill a store, then measure on one processor and on all; prints a table for each."""
    store = EdgeStore.open(work / "points", create=True)
    stall, busy = course.fill(store)
    store.close()
    processors = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    found: dict[str, Any] = {"longest_write_ms": stall, "longest_write_processor_ms": busy}
    for name, some in {"one processor": processors[:1], "all processors": processors}.items():
        if some:
            os.sched_setaffinity(0, some)  # before the store is opened: its threads inherit it
        store = EdgeStore.open(work / "points")
        with threadpool_limits(1):
            rows = measured(course, store, rounds)
        store.close()
        print_table(f"{title}, {name}", _HEADER, [_line(row, rows[0]) for row in rows])
        found[name] = [asdict(row) | {"ratio": _ratio(row, rows[0])} for row in rows]
    print(
        f"\nLongest write of {_BATCH} images while filling: {stall:.0f} ms, "
        f"of processor time {busy:.0f} ms",
        flush=True,
    )
    return found


_HEADER = ("", "p50 ms", "p99 ms", "queries/s", "recall@10", "p50 / FAISS IVFFlat")


def _ratio(row: Row, peer: Row) -> float:
    return row.p50_ms / peer.p50_ms


def _line(row: Row, peer: Row) -> tuple[str, ...]:
    times = f"{row.p50_ms:.2f}", f"{row.p99_ms:.2f}", f"{row.per_second:.0f}"
    return row.name, *times, f"{row.recall:.4f}", f"{_ratio(row, peer):.2f}"


def main() -> None:
    """Draw the points, print a table for each k."""
    parser = argparse.ArgumentParser(description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--home", type=Path)
    source.add_argument("--pictures", type=Path)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--k", nargs="+", default=["auto"])
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--noise", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()

    print(f"{machine()}, faiss-cpu {version('faiss-cpu')}")
    with tempfile.TemporaryDirectory() as work:
        real, own = real_vectors(given.home or home_of(given.pictures, Path(work) / "home"))
    random = np.random.default_rng(given.seed)
    points = resampled(real, given.points, given.noise, random)
    queries = resampled(real, given.queries, given.noise, random)
    found: dict[str, Mapping[str, Any]] = {}
    for k in given.k:
        clusters = own
        if k != "auto":
            fitted = fit_kmeans(real, k=int(k), seed=given.seed, progress=progress())
            clusters = replace(own, centroids=fitted.centroids)
        course = Course(points, queries, clusters)
        sizes = sorted(map(len, course.rows))
        title = (
            f"Top {TOP} of {given.points:,} vectors ({len(real):,} real ones), "
            f"k = {clusters.n_clusters} ({k}), clusters of {sizes[0]:,} to {sizes[-1]:,}"
        )
        with tempfile.TemporaryDirectory() as work:
            found[str(k)] = compare(course, Path(work), given.rounds, title) | {"sizes": sizes}
    if given.json:
        options = {name: getattr(given, name) for name in ("points", "queries", "rounds", "noise")}
        about = {"machine": machine(), "faiss": version("faiss-cpu"), "real": len(real)}
        given.json.write_text(json.dumps(about | options | {"k": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
