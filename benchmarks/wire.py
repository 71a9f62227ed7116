"""Our side of the wire to a Qdrant server, against a stub that only acknowledges.

    python -m benchmarks.wire [--vectors N] [--searches N] [--rounds N] [--json FILE]

This process keeps to one processor and the stub to the others. Vectors a second are counted from
the arrays to the acknowledgement: checked, made into points, sent, awaited; once by the clock and
once by this process's own processor time, for other programs only ever add to the former. A search
is compared with such bytes sent and received over the same wire, a plain socket that is kept open
or gRPC's own call with a message made beforehand, which is what the store itself takes here; both
take turns. The best round counts.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import numpy as np
from qdrant_client import grpc as messages

from benchmarks.measure import machine, print_table
from benchmarks.records import record
from shared.settings import Settings
from shared.store.protocol import Probe, VectorStore
from shared.store.server.hub import ServerHub
from shared.types import Embeddings, ImageRecord
from tests.qdrant.running import Running, qdrant

COLLECTION = "lookalike-bench"
LEAST_VECTORS = 5_000
MOST_MS = 3.0
TOP = 10


@dataclass(frozen=True, slots=True)
class Writing:
    """Vectors a second over one wire, `together` at a time; by the clock, and of the processor."""

    wire: str
    together: int
    per_second: float
    per_processor_second: float


@dataclass(frozen=True, slots=True)
class Asking:
    """Milliseconds of a search of `probes` clusters, by the clock (median) and of the processor;
    and of its bytes alone, over the same wire, by the clock."""

    wire: str
    probes: int
    search_ms: float
    processor_ms: float
    bytes_ms: float

    @property
    def ours_ms(self) -> float:
        """What we add by the clock."""
        return self.search_ms - self.bytes_ms


def main() -> None:
    """Measure and print."""
    options, where = _options(), machine()
    random = np.random.default_rng(0)
    rows = random.standard_normal((options.vectors, 512), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    records = [record(number, f"g1/{number % 6}") for number in range(len(rows))]
    writing: list[Writing] = []
    asking: list[Asking] = []
    with qdrant(acknowledge_only=True) as stub, tempfile.TemporaryDirectory() as home:
        _part_processors(stub.pid)
        for wire, port in (("REST", 0), ("gRPC", stub.grpc_port)):
            settings = Settings(Path(home), qdrant_url=stub.url, qdrant_grpc_port=port)
            with ServerHub(settings, long_lived=True) as hub:
                store = hub.collection("bench", create=True)
                for together in (64, 256, 1024):
                    tries = [_write(store, records, rows, together) for _ in range(options.rounds)]
                    writing.append(Writing(wire, together, *map(max, zip(*tries, strict=True))))
                for probes in (1, 4):
                    search = _search(store, rows, probes)
                    bytes_alone = _sent_by_rest if wire == "REST" else _sent_by_grpc
                    with bytes_alone(stub, rows, probes) as alone:
                        asking.append(Asking(wire, probes, *_milliseconds(search, alone, options)))
    print(where)
    _show(writing, asking)
    if options.json:
        told = [asdict(one) | {"ours_ms": one.ours_ms} for one in asking]
        value = {"machine": where, "writing": [asdict(one) for one in writing], "asking": told}
        options.json.write_text(json.dumps(value, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=int, default=10_240)
    parser.add_argument("--searches", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _part_processors(stub: int) -> None:
    """One for us, the others for the stub, where there are others."""
    ours, *others = sorted(os.sched_getaffinity(0))
    for task in os.listdir(f"/proc/{stub}/task"):
        os.sched_setaffinity(int(task), others or [ours])
    os.sched_setaffinity(0, [ours])


def _write(
    store: VectorStore, records: list[ImageRecord], rows: Embeddings, together: int
) -> tuple[float, float]:
    began = np.array([time.perf_counter(), time.process_time()])
    for start in range(0, len(rows), together):
        part = slice(start, start + together)
        store.upsert(records[part], rows[part])
    clock, processor = np.array([time.perf_counter(), time.process_time()]) - began
    return len(rows) / float(clock), len(rows) / float(processor)


def _search(store: VectorStore, rows: Embeddings, probes: int) -> Callable[[int], None]:
    def ask(number: int) -> None:
        store.search([Probe(rows[number], f"g1/{one}", TOP) for one in range(probes)])

    return ask


@contextmanager
def _sent_by_rest(stub: Running, rows: Embeddings, probes: int) -> Iterator[Callable[[int], None]]:
    """Sends the bytes of such a search and reads the answer."""
    link = http.client.HTTPConnection(urlsplit(stub.url).netloc)
    one = {
        "query": np.round(rows[0].astype(np.float64), 7).tolist(),
        "using": "image",
        "filter": {"must": [{"key": "cluster", "match": {"value": "g1/0"}}]},
        "limit": TOP,
        "with_payload": True,
    }
    body = json.dumps({"searches": [one] * probes}, separators=(",", ":")).encode()

    def ask(_: int) -> None:
        link.request("POST", f"/collections/{COLLECTION}/points/query/batch", body)
        link.getresponse().read()

    yield ask
    link.close()


@contextmanager
def _sent_by_grpc(stub: Running, rows: Embeddings, probes: int) -> Iterator[Callable[[int], None]]:
    """The same by gRPC: the answer's bytes are not looked at."""
    cluster = messages.Match(keyword="g1/0")
    condition = messages.Condition(field=messages.FieldCondition(key="cluster", match=cluster))
    vector = messages.VectorInput(dense=messages.DenseVector(data=rows[0].tolist()))
    one = messages.QueryPoints(
        collection_name=COLLECTION,
        query=messages.Query(nearest=vector),
        using="image",
        filter=messages.Filter(must=[condition]),
        limit=TOP,
        with_payload=messages.WithPayloadSelector(enable=True),
    )
    batch = messages.QueryBatchPoints(collection_name=COLLECTION, query_points=[one] * probes)
    body = batch.SerializeToString()
    with grpc.insecure_channel(f"127.0.0.1:{stub.grpc_port}") as channel:
        send = channel.unary_unary("/qdrant.Points/QueryBatch")
        yield lambda _: send(body)


def _milliseconds(
    search: Callable[[int], None], alone: Callable[[int], None], options: argparse.Namespace
) -> tuple[float, float, float]:
    """The search by the clock and of the processor, and its bytes alone by the clock."""
    rounds = []
    for _ in range(options.rounds):
        taken = []
        for number in range(options.searches):
            began = time.perf_counter(), time.process_time()
            search(number)
            between = time.perf_counter(), time.process_time()
            alone(number)
            ended = time.perf_counter()
            taken.append((between[0] - began[0], between[1] - began[1], ended - between[0]))
        rounds.append([statistics.median(column) * 1e3 for column in zip(*taken, strict=True)])
    clock, processor, bytes_alone = (min(column) for column in zip(*rounds, strict=True))
    return clock, processor, bytes_alone


def _show(writing: list[Writing], asking: list[Asking]) -> None:
    print_table(
        "Vectors of 512 dimensions a second, from the arrays to the acknowledgement, one core",
        ("wire", "at a time", "by the clock", "of the processor", f"/ {LEAST_VECTORS:,}"),
        [
            (
                one.wire,
                one.together,
                f"{one.per_second:,.0f}",
                f"{one.per_processor_second:,.0f}",
                f"{one.per_second / LEAST_VECTORS:.1f}",
            )
            for one in writing
        ],
    )
    print_table(
        f"One search of {TOP} with payloads, milliseconds",
        ("wire", "clusters", "search", "its bytes alone", "ours", "processor", f"/ {MOST_MS:g} ms"),
        [
            (
                one.wire,
                one.probes,
                f"{one.search_ms:.2f}",
                f"{one.bytes_ms:.2f}",
                f"{one.ours_ms:.2f}",
                f"{one.processor_ms:.2f}",
                f"{one.ours_ms / MOST_MS:.2f}",
            )
            for one in asking
        ],
    )


if __name__ == "__main__":
    main()
