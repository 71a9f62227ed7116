"""`GET /metrics`: what is counted, and how home and processes are at this moment."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fastapi import APIRouter, Request
from prometheus_client import Metric, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector
from starlette.responses import Response

from searcher.service.engine import Opened
from searcher.service.metrics_folder import VARIABLE, workers
from searcher.service.parts import Service
from searcher.service.problems import Problem
from searcher.service.replies import problems
from searcher.service.version import VERSION
from shared.daemon_report import read_report
from shared.errors import LookalikeError
from shared.models import Pair

_TEXT = {"schema": {"type": "string"}}
_TYPES = ("text/plain", "application/openmetrics-text")


def metrics_routes(service: Service) -> APIRouter:
    """The route for Prometheus."""
    routes = APIRouter(tags=["operation"])

    @routes.get(
        "/metrics",
        response_class=Response,
        responses=problems(503) | {200: {"content": dict.fromkeys(_TYPES, _TEXT)}},
    )
    async def metrics(http: Request) -> Response:
        """Metrics in the text format of Prometheus, or as OpenMetrics for those who accept it."""
        encode, media_type = choose_encoder(http.headers.get("accept", ""))
        scrape = _Scrape(service, await _home(service))
        data = await asyncio.to_thread(encode, scrape)
        return Response(data, headers={"Content-Type": media_type})

    return routes


@dataclass(frozen=True, slots=True)
class _Home:
    pair: Pair
    clusters: int
    images: int


async def _home(service: Service) -> _Home | None:
    """What answers; None if nothing does, which must not keep the rest from being told."""

    def view(opened: Opened) -> _Home:
        home = opened.home
        return _Home(home.pair, home.clustering.n_clusters, opened.searcher.store.count())

    try:
        return await service.probe(view)
    except (LookalikeError, Problem):  # no model yet, or the store is away
        return None


class _Scrape(Collector):
    """Everything that one scrape tells."""

    def __init__(self, service: Service, home: _Home | None) -> None:
        self._service, self._home = service, home

    def collect(self) -> Iterable[Metric]:
        """All metrics."""
        yield from self._service.metrics.collect()
        yield from home_metrics(self._home)
        yield from indexer_metrics(self._service.engine.settings.run)
        yield from process_metrics(_processes())


def home_metrics(home: _Home | None) -> Iterator[Metric]:
    """What answers and how much is indexed; what is not known is left out."""
    about = {"version": VERSION}
    yield _gauge("ready", "1 if a model is loaded and the store answers.", int(home is not None))
    if home is not None:
        about |= {"encoder": home.pair.encoder, "generation": home.pair.generation}
        yield _gauge("images", "Images in the store.", home.images)
        yield _gauge("clusters", "Clusters that answer.", home.clusters)
    yield InfoMetricFamily("lookalike", "Version, encoder and generation that answer.", about)


def indexer_metrics(run: Path) -> Iterator[Metric]:
    """Whether an indexer is at work on the home, and if so how many files it has in which state."""
    report = read_report(run)
    yield _gauge("indexer_running", "1 if an indexer is at work on this home.", int(bool(report)))
    if report is not None:
        files = GaugeMetricFamily("lookalike_indexer_files", "Files by state.", labels=["state"])
        files.add_metric(["indexed"], report.indexed)
        files.add_metric(["backlog"], report.backlog)
        files.add_metric(["refused"], report.refused)
        yield files


def process_metrics(processes: Iterable[int]) -> Iterator[Metric]:
    """Memory, processor time and open files of processes, each with its id."""
    found: dict[str, Metric] = {}
    for process in processes:
        for metric in ProcessCollector(pid=partial(str, process), registry=None).collect():
            name, told, kind = metric.name, metric.documentation, metric.type
            merged = found.setdefault(name, Metric(name, told, kind))
            for sample in metric.samples:
                merged.add_sample(sample.name, {"pid": str(process)}, sample.value)
    yield from found.values()


def _processes() -> list[int]:
    """This process; or all workers with their parent, who owns the store."""
    folder = os.environ.get(VARIABLE)
    return [os.getpid()] if folder is None else [os.getppid(), *workers(Path(folder))]


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"lookalike_{name}", help_text, value)
