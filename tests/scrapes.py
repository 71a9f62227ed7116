"""Apps with all kinds of requests behind them, and what they tell Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from searcher.service.app import create_app
from searcher.service.policy import Policy
from shared.settings import Settings
from tests.apps import App
from tests.apps import running as running_app

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


@contextmanager
def running(settings: Settings) -> Iterator[App]:
    """A whole app of this process, with a route that fails."""
    app = create_app(settings, Policy())

    @app.get("/fails/{what}")
    def fails(what: str) -> None:
        raise RuntimeError(f"no such luck: {what}")

    with running_app(app) as client:
        yield client


def scrape(client: App) -> Samples:
    """Every sample of a scrape, by name and labels."""
    text = client.get("/metrics").data.decode()
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"lookalike_{name}", frozenset(labels.items())]


def ask_everything(client: App, photo: Path) -> str:
    """Requests of every kind; the id of an image."""
    assert client.send("/search", photo, probes="all").status == 200
    found = client.post("/search", {"random": True, "n": 3, "probes": 1})
    assert found.status == 200
    assert client.send("/search", b"no").status == 422
    both = [{"random": True, "probes": 1}, {"ids": ["00000000-0000-0000-0000-000000000000"]}]
    assert client.post("/search/batch", {"queries": both}).status == 200
    point: str = found.json["results"][0]["id"]
    for _ in range(3):
        assert client.get(f"/images/{point}/thumbnail?size=160").status == 200
    assert client.get(f"/images/{point}").status == 200
    assert client.get("/nowhere/of/note").status == 404
    return point
