"""`/metrics` of one app in this process: what is counted under which labels."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families

from searcher.service.gate import Gate
from searcher.service.metrics import Metrics
from searcher.service.problems import Problem
from shared.settings import Settings
from tests.homes import make_home
from tests.scrapes import ask_everything, running, scrape, value


@pytest.fixture
def indexed(tmp_path: Path, photos: Path, tiny_tflite: Path) -> Settings:
    """A home whose eighteen pictures are indexed."""
    return make_home(tmp_path / "home", photos, tiny_tflite)


def test_requests_are_counted_by_route_never_by_path(indexed: Settings, photos: Path) -> None:
    with running(indexed) as client:
        point = ask_everything(client, photos / "red" / "0.jpg")
        client.request("BREW", "/search")
        found = scrape(client)

    assert value(found, "requests_total", route="/images/{id}", method="GET", status="200") == 1
    assert value(found, "requests_total", route="/search", method="POST", status="200") == 2
    assert value(found, "requests_total", route="/search", method="POST", status="422") == 1
    assert value(found, "requests_total", route="none", method="GET", status="404") == 1
    assert value(found, "requests_total", route="/search", method="other", status="405") == 1
    assert value(found, "request_seconds_count", route="/images/{id}/thumbnail") == 3
    told = "".join(label for _, labels in found for _, label in labels)
    assert point not in told
    assert "nowhere" not in told


def test_questions_are_counted_and_their_time_is_shared_out(
    indexed: Settings, photos: Path
) -> None:
    with running(indexed) as client:
        ask_everything(client, photos / "red" / "0.jpg")
        found = scrape(client)

    assert value(found, "questions_total", outcome="answered") == 3
    assert value(found, "questions_total", outcome="refused") == 2
    assert value(found, "questions_total", outcome="failed") == 0
    assert value(found, "question_stage_seconds_count", stage="decode") == 1  # the only upload
    assert value(found, "question_stage_seconds_count", stage="search") == 3
    stages = [
        value(found, "question_stage_seconds_sum", stage=stage)
        for stage in ("wait", "decode", "encode", "search", "rest")
    ]
    assert sum(stages) == pytest.approx(value(found, "question_seconds_sum"))
    assert value(found, "question_coverage_ratio_bucket", le="1.0") == 3
    assert value(found, "question_coverage_ratio_bucket", le="0.75") == 2  # all but `probes: all`
    assert value(found, "question_clusters_sum") == 3 + 1 + 1
    assert 12 + 3 < value(found, "question_results_sum") <= 12 + 3 + 12


def test_thumbnails_are_counted_as_made_or_kept(indexed: Settings, photos: Path) -> None:
    with running(indexed) as client:
        point = ask_everything(client, photos / "red" / "0.jpg")
        size = len(client.get(f"/images/{point}/thumbnail?size=160").data)
        found = scrape(client)

    assert value(found, "thumbnails_total", source="made") == 1
    assert value(found, "thumbnails_total", source="kept") == 3
    assert value(found, "thumbnail_bytes_total", source="kept") == 3 * size


def test_apps_of_one_process_count_for_themselves(indexed: Settings) -> None:
    with running(indexed) as one, running(indexed) as other:
        assert one.post("/search", {"random": True}).status == 200
        assert value(scrape(one), "questions_total", outcome="answered") == 1
        assert value(scrape(other), "questions_total", outcome="answered") == 0


def test_both_formats_are_spoken(indexed: Settings) -> None:
    with running(indexed) as client:
        client.get("/readyz")
        plain = client.get("/metrics")
        accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
        reply = client.get("/metrics", accept)

    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    told = {one.name for family in open_families(reply.data.decode()) for one in family.samples}
    families = text_string_to_metric_families(plain.data.decode())
    assert told == {one.name for family in families for one in family.samples}
    assert "_created" not in plain.data.decode()


def test_gates_tell_who_works_waits_and_is_refused() -> None:
    async def crowd(gate: Gate, metrics: Metrics) -> dict[str, float]:
        begun, go = threading.Event(), threading.Event()

        def work() -> None:
            begun.set()
            go.wait()

        tasks = [asyncio.create_task(gate.run(work)) for _ in range(2)]
        await asyncio.to_thread(begun.wait)
        with pytest.raises(Problem):
            await gate.run(work)
        during = _gates(metrics)
        go.set()
        await asyncio.gather(*tasks)
        return during

    metrics = Metrics()
    gate = Gate("question", threads=1, waiting=1, meter=metrics.gate("question"))
    during = asyncio.run(crowd(gate, metrics))
    gate.close()

    assert during == {"requests": 2, "working": 1, "refused_total": 1}
    assert _gates(metrics) == {"requests": 0, "working": 0, "refused_total": 1}


def _gates(metrics: Metrics) -> dict[str, float]:
    return {
        one.name.removeprefix("lookalike_gate_"): one.value
        for family in metrics.collect()
        for one in family.samples
        if one.name.startswith("lookalike_gate_")
    }
