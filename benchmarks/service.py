"""`python -m benchmarks.service PICTURES [WORK]`: the HTTP service under load, with its memory.

PICTURES is a folder of photographs. All are indexed; the collection is then filled up to `--images`
points with vectors drawn from the real ones, each naming a real file. Asked with the photographs of
`--questions` as JPEGs of 512 x 512 pixels; without it with those of PICTURES, slightly cropped.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import multiprocessing
import random
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from benchmarks.measure import machine, ours, print_table
from benchmarks.resampling import home_of, resampled
from shared.models import Models
from shared.points import point_id
from shared.settings import load_settings
from shared.store.hub import open_store
from shared.types import StoredImage

NOISE = 0.25
"""Length of the step that makes a new vector of a real one; see benchmarks/search.py."""
EDGE = 512
_BOUNDARY = "lookalike-benchmark"
_STAGES = ("decode", "encode", "search")


@dataclass(frozen=True, slots=True)
class Load:
    """What a load gave: seconds of every answer, its stages in milliseconds, other statuses."""

    clients: int
    seconds: float
    walls: list[float]
    stages: list[list[float]]
    failed: dict[int, int]


def main() -> None:
    """Print the tables."""
    options = _options()
    home = options.work / f"service-{options.images}"
    if not home.exists():
        fill(home_of(options.pictures, home), options.images)
    bodies = [_body(photo) for photo in questions(options.questions or options.pictures, 200)]
    print(machine())
    rows = []
    for workers in options.workers:
        with serving(home, workers) as (port, process):
            load(port, 1, bodies, 2)  # warm
            for clients in options.clients:
                found = load(port, clients, bodies, options.seconds)
                rows.append(_row(workers, found, _memory(process)))
            if options.requests:
                _print_memory(port, process, bodies, options.requests)
    header = ["workers", "clients", "answers/s", "p50 ms", "p99 ms", "max ms"]
    header += [*(f"{stage} ms" for stage in _STAGES), "rest ms", "503", "other", "MB"]
    print_table(f"POST /search, {options.images:,} images", header, rows)


def fill(home: Path, count: int) -> None:
    """Bring a home's collection to `count` points: resampled vectors, records of real files."""
    settings = load_settings({"home": home})
    models = Models(settings.models)
    pair = models.current()
    clustering = models.clustering(pair)
    store = open_store(settings, pair.encoder)
    try:
        real = [one for page in store.scroll(with_vectors=True) for one in page]
        draw = np.random.default_rng(0)
        vectors = np.stack([_vector(one) for one in real])
        for start in range(len(real), count, 1000):
            number = min(1000, count - start)
            rows = resampled(vectors, number, NOISE, draw)
            labels = [clustering.label(int(one)) for one in clustering.predict(rows)]
            chosen = draw.integers(len(real), size=number)
            store.upsert(
                [
                    replace(
                        real[int(place)].record,
                        id=point_id("benchmark", f"{start + offset}".encode()),
                        cluster=(label,),
                    )
                    for offset, (place, label) in enumerate(zip(chosen, labels, strict=True))
                ],
                rows,
            )
        store.tidy()
        store.flush()
    finally:
        store.close()


def _vector(one: StoredImage) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    if one.vector is None:
        raise ValueError(f"point {one.record.id} has no vector")
    row = one.vector.astype(np.float32)
    return row / np.linalg.norm(row)


def questions(pictures: Path, count: int) -> Iterator[bytes]:
    """Photographs of the folder as JPEGs of 512 x 512 pixels, slightly cropped."""
    files = sorted(file for file in pictures.rglob("*") if file.suffix.lower() in (".jpg", ".png"))
    for file in random.Random(0).sample(files, min(count, len(files))):
        with Image.open(file) as image:
            width, height = image.size
            box = (width * 0.05, height * 0.05, width * 0.95, height * 0.95)
            small = image.convert("RGB").resize((EDGE, EDGE), Image.Resampling.BICUBIC, box)
        buffer = BytesIO()
        small.save(buffer, "JPEG", quality=90)
        yield buffer.getvalue()


def _body(picture: bytes) -> bytes:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="q.jpg"\r\n'
    return f"{head}\r\n".encode() + picture + f"\r\n--{_BOUNDARY}--\r\n".encode()


@contextmanager
def serving(home: Path, workers: int) -> Iterator[tuple[int, psutil.Process]]:
    """A running service: its port and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [*ours("searcher"), "serve", "--home", str(home), "--port", str(port)]
    with subprocess.Popen(
        [*command, "--workers", str(workers)], stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait_until_ready(port)
            yield port, psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            link.request("GET", "/readyz")
            if link.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise TimeoutError("the service is not ready after a minute")


def load(port: int, clients: int, bodies: Sequence[bytes], seconds: float) -> Load:
    """`clients` processes ask one question after the other for so many seconds."""
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[list[tuple[float, int, list[float]]]] = context.Queue()
    started = time.perf_counter()
    processes = [
        context.Process(target=_client, args=(port, bodies, seconds, number, results))
        for number in range(clients)
    ]
    for process in processes:
        process.start()
    answers = [one for _ in processes for one in results.get()]
    for process in processes:
        process.join()
    good = [one for one in answers if one[1] == 200]
    return Load(
        clients,
        time.perf_counter() - started,
        [wall for wall, _, _ in good],
        [stages for _, _, stages in good],
        dict(Counter(status for _, status, _ in answers if status != 200)),
    )


def _client(
    port: int,
    bodies: Sequence[bytes],
    seconds: float,
    number: int,
    results: multiprocessing.Queue[list[tuple[float, int, list[float]]]],
) -> None:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    answers, end = list[tuple[float, int, list[float]]](), time.perf_counter() + seconds
    for place in itertools.count(number * 17):
        started = time.perf_counter()
        if started > end:
            break
        link.request("POST", "/search", bodies[place % len(bodies)], headers)
        reply = link.getresponse()
        content = reply.read()
        wall = time.perf_counter() - started
        took = json.loads(content)["took_ms"] if reply.status == 200 else {}
        answers.append((wall, reply.status, [took.get(stage, 0.0) for stage in _STAGES]))
        if reply.status == 503:
            time.sleep(float(reply.headers.get("Retry-After", "1")))
    results.put(answers)


def _row(workers: int, found: Load, megabytes: float) -> list[object]:
    walls = 1000 * np.array(found.walls)
    stages = np.median(np.array(found.stages), axis=0)
    busy = found.failed.get(503, 0)
    return [
        workers,
        found.clients,
        f"{len(walls) / found.seconds:.0f}",
        *(f"{value:.1f}" for value in np.percentile(walls, [50, 99, 100])),
        *(f"{value:.1f}" for value in stages),
        f"{np.median(walls) - stages.sum():.1f}",
        busy,
        sum(found.failed.values()) - busy,
        f"{megabytes:.0f}",
    ]


def _memory(process: psutil.Process) -> float:
    """Megabytes that the service and its workers hold, each page once."""
    family = [process, *process.children(recursive=True)]
    return sum(one.memory_full_info().pss for one in family) / 2**20


def _print_memory(
    port: int, process: psutil.Process, bodies: Sequence[bytes], requests: int
) -> None:
    """Memory after a tenth of the requests, and after each further tenth."""
    rows, asked = list[list[object]](), 0
    while asked < requests:
        asked += len(load(port, 4, bodies, 5).walls)
        rows.append([f"{asked:,}", f"{_memory(process):.1f}", process.num_fds()])
    shown = rows[:: max(1, len(rows) // 10)]
    print_table("Memory over requests", ["requests", "MB", "descriptors"], [*shown, rows[-1]])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("work", type=Path, nargs="?", default=Path("bench"))
    parser.add_argument("--questions", type=Path)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64, 200])
    parser.add_argument("--workers", type=int, nargs="+", default=[1])
    parser.add_argument("--requests", type=int, default=0, help="of the memory test")
    return parser.parse_args()


if __name__ == "__main__":
    main()
