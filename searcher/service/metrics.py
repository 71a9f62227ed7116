"""What the service counts and times of itself, for Prometheus.

Every app has a registry of its own. Below a parent with several workers, prometheus_client keeps
the numbers in files of a folder that the environment names, one set a process, and whichever worker
is asked adds up all of them (`searcher.service.metrics_folder`). Both ways give the same samples.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from searcher.service.metrics_folder import VARIABLE
from searcher.service.question_metrics import SECONDS, QuestionMetrics, Timing

_SOURCES = ("kept", "made")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class GateMeter:
    """What one gate tells: requests at work and waiting, those at work, those sent away."""

    inside: Gauge
    working: Gauge
    refused: Counter


class Metrics:
    """All metrics of one process. Safe to use from several threads."""

    def __init__(self) -> None:
        self._folder = os.environ.get(VARIABLE)
        self._registry = CollectorRegistry()
        self._requests = self._counter(
            "requests", "Answers; status 499: nobody waited any more.", "route", "method", "status"
        )
        self._seconds = Histogram(
            "lookalike_request_seconds",
            "Time from a request's head until its answer began.",
            ["route"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._inside = self._gauge("gate_requests", "Requests at work and waiting.", "gate")
        self._working = self._gauge("gate_working", "Requests at work.", "gate")
        self._refused = self._counter("gate_refused", "Requests that found no place.", "gate")
        self._questions = QuestionMetrics(self._registry)
        thumbnails = self._counter("thumbnails", "Thumbnails sent, by source.", "source")
        sizes = self._counter("thumbnail_bytes", "Bytes of thumbnails sent, by source.", "source")
        self._thumbnails = {one: (thumbnails.labels(one), sizes.labels(one)) for one in _SOURCES}
        self._streams = self._gauge("event_streams", "Event streams that are open.")

    def request(self, route: str, method: str, status: int, seconds: float | None) -> None:
        """Count a request; `route` is a template, `seconds` until its answer began if it did."""
        self._requests.labels(route, method if method in _METHODS else "other", str(status)).inc()
        if seconds is not None:
            self._seconds.labels(route).observe(seconds)

    def question(self) -> AbstractContextManager[Timing]:
        """Count and time a question; give the `Timing` its answer."""
        return self._questions.question()

    def gate(self, name: str) -> GateMeter:
        """What the gate of this name counts with."""
        return GateMeter(
            self._inside.labels(name), self._working.labels(name), self._refused.labels(name)
        )

    def thumbnail(self, size: int, *, made: bool) -> None:
        """Count a thumbnail of `size` bytes, made for this request or kept from another."""
        sent, sizes = self._thumbnails["made" if made else "kept"]
        sent.inc()
        sizes.inc(size)

    async def stream(self, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """An event stream, counted while it is open."""
        with self._streams.track_inprogress():
            async for part in parts:
                yield part

    def collect(self) -> Iterator[Metric]:
        """Everything that was counted, by all workers."""
        if self._folder is not None:
            total = MultiProcessCollector(None, self._folder)  # type: ignore[no-untyped-call]
            yield from total.collect()  # type: ignore[no-untyped-call]
            return
        for metric in self._registry.collect():
            metric.samples = [one for one in metric.samples if not one.name.endswith("_created")]
            yield metric

    def _counter(self, name: str, told: str, *labels: str) -> Counter:
        return Counter(f"lookalike_{name}", told, labels, registry=self._registry)

    def _gauge(self, name: str, told: str, *labels: str) -> Gauge:
        """Workers' values are added up, those of dead ones forgotten."""
        return Gauge(
            f"lookalike_{name}", told, labels, multiprocess_mode="livesum", registry=self._registry
        )
