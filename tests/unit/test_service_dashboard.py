"""The dashboard and the alerts in `deploy/` ask for what `/metrics` has, and for all of it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from shared.daemon_report import DaemonReport, write_report
from shared.lock import HomeLock
from shared.settings import Settings
from tests.homes import make_home
from tests.scrapes import Samples, ask_everything, running, scrape, value

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture
def indexed(tmp_path: Path, photos: Path, tiny_tflite: Path) -> Settings:
    """A home whose eighteen pictures are indexed."""
    return make_home(tmp_path / "home", photos, tiny_tflite)


@pytest.fixture
def told(indexed: Settings, photos: Path) -> Samples:
    """A scrape after requests of every kind, while an indexer is at work."""
    with HomeLock(indexed.run, "indexer watch"), running(indexed) as client:
        write_report(indexed.run, _report())
        ask_everything(client, photos / "red" / "0.jpg")
        return scrape(client)


def _report() -> DaemonReport:
    return DaemonReport(os.getpid(), "watching", 18, 2, 1, "2026-01-01T00:00:00+00:00")


def test_the_indexer_is_told_of(told: Samples, indexed: Settings) -> None:
    assert value(told, "indexer_running") == 1
    assert value(told, "indexer_files", state="backlog") == 2
    assert value(told, "images") == 18
    with running(indexed) as client:  # it has ended
        found = scrape(client)
    assert value(found, "indexer_running") == 0
    assert not any(name == "lookalike_indexer_files" for name, _ in found)


PROMETHEUS_LABELS = {"job", "instance"}
"""What Prometheus itself adds to every sample."""
WORDS = {"sum", "max", "min", "by", "rate", "scalar", "histogram_quantile"}


def check(expression: str, samples: Samples) -> set[str]:
    """The metrics of an expression; all of them, their labels and values are in the scrape."""
    names: set[str] = set()
    known: set[str] = set()
    bare = re.sub(r'"[^"]*"|\[[^\]]*\]', "", expression)  # no strings, no ranges
    for name, matchers in re.findall(r"((?:lookalike|process)_\w+)(\{[^}]*\})?", expression):
        found = [dict(labels) for sample, labels in samples if sample == name]
        assert found, f"{name} is not in a scrape: {expression}"
        labels = set().union(*found) | PROMETHEUS_LABELS
        for label, how, wanted in re.findall(r'(\w+)(=~|!=|=)"([^"]*)"', matchers):
            assert label in labels, f"{name} has no label {label}"
            if how == "=":
                assert wanted in {one.get(label) for one in found}, f"{name} has no {wanted}"
        names.add(name)
        known |= labels
    grouped = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", expression))))
    assert grouped <= known, f"{grouped - known} are no labels: {expression}"
    selectors = re.sub(r"\{[^}]*\}|by \([^)]*\)", "", bare)
    assert set(re.findall(r"[a-zA-Z_]\w*", selectors)) <= names | WORDS, expression
    return names


def test_the_dashboard_shows_exactly_what_there_is(told: Samples) -> None:
    board = json.loads((DEPLOY / "grafana" / "lookalike.json").read_text())
    panels: list[dict[str, Any]] = [one for one in board["panels"] if one["type"] != "row"]
    shown: set[str] = set()
    for panel in panels:
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            shown |= check(target["expr"], told)
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                assert re.search(rf"by \([^)]*\b{label}\b", target["expr"]), target
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            name, label = re.fullmatch(
                r"label_values\((.*), (\w+)\)", variable["definition"]
            ).groups()
            check(name, told)
            assert variable["name"] == label

    families = {re.sub("_(bucket|sum|count)$", "", name) for name in shown}
    existing = {re.sub("_(bucket|sum|count)$", "", name) for name, _ in told}
    left_out = {"process_virtual_memory_bytes", "process_start_time_seconds"}
    assert existing - families == left_out
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert {one["name"] for one in board["templating"]["list"]} >= set(
        re.findall(r"\$(\w+)", json.dumps([one["targets"] for one in panels]))
    ) - {"__rate_interval"}


def test_the_alerts_ask_for_what_there_is(told: Samples) -> None:
    rules = (DEPLOY / "prometheus" / "alerts.yml").read_text()
    expressions = re.findall(r"expr: (.*)", rules)
    assert len(expressions) == rules.count("alert:")
    for expression in expressions:
        assert check(re.sub('{status="500"}', "", expression), told)
