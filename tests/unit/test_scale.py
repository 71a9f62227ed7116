"""Scale on paper: the page is the script's output, and the simulation does what it says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.scale import answers, queueing
from benchmarks.scale.__main__ import every_table
from benchmarks.scale.footprint import LAYOUTS, machines
from benchmarks.scale.indexing import moved
from benchmarks.scale.inputs import MEASURED, load
from benchmarks.scale.places import replaced
from benchmarks.scale.queueing import Cluster
from benchmarks.scale.searching import BEARABLE_MS, PLANS, Plan, scan_limit, scan_ms

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "scale.md"


@pytest.fixture(scope="module")
def tables() -> dict[str, str]:
    return every_table()


def test_the_page_is_what_the_script_prints(tables: dict[str, str]) -> None:
    page = PAGE.read_text()
    assert replaced(page, tables) == page, "run python -m benchmarks.scale --write docs/scale.md"


def test_another_seed_moves_the_simulation_and_the_same_one_does_not(
    tables: dict[str, str],
) -> None:
    rows = [answers.answered(PLANS[1], 100, seed) for seed in (0, 0, 1)]
    assert rows[0] == rows[1] != rows[2]
    assert " | ".join(map(str, rows[0])) in tables["answers"]
    assert answers.checks(0) == tables["checks"] != answers.checks(1)


def test_a_document_with_other_places_is_refused() -> None:
    page = "<!-- one -->\nold\n<!-- end one -->\n"
    assert replaced(page, {"one": "new"}) == "<!-- one -->\nnew\n<!-- end one -->\n"
    for texts in ({}, {"two": "new"}, {"one": "new", "two": "new"}):
        with pytest.raises(ValueError, match="the document has places"):
            replaced(page, texts)


def test_every_figure_names_a_source_that_exists() -> None:
    for one in load().values():
        assert one.source or one.kind == "assumed", one
        if one.kind == "project":
            name = one.source.split(",")[0]
            assert list(REPOSITORY.glob(f"{name}*")), one


def test_the_measurements_name_no_machine() -> None:
    raw = json.loads(MEASURED.read_text())
    assert raw["real_vectors"] > 1_000
    assert "/" not in raw["machine"]


def test_a_point_in_memory_by_hand() -> None:
    """1,024 of the vector, 4 bytes for each of 64 links, 40 of ids, and what was measured."""
    given = {name: one.value for name, one in load().items()}
    told = given["payload_index"] + 1.5 * given["payload"]
    assert LAYOUTS[0].memory == pytest.approx(1024 + 256 + 40 + told)
    assert LAYOUTS[2].memory == pytest.approx(512 + 256 + 40 + given["payload_index"])


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: f"{plan.points:,}")
def test_nodes_hold_what_is_put_on_them(plan: Plan) -> None:
    needed = plan.machines
    assert needed.memory <= needed.nodes * 64e9
    assert needed.disk <= needed.nodes * 2e12
    assert needed.shards * plan.replicas >= needed.nodes, "a node without a shard is none"
    fewer = machines(plan.points // 2, plan.layout, plan.replicas)
    assert fewer.nodes <= needed.nodes


def test_scan_and_graph_part_where_the_page_says() -> None:
    assert scan_ms(scan_limit()) == pytest.approx(BEARABLE_MS, rel=0.01)
    assert PLANS[1].cluster().core_ms < scan_ms(PLANS[1].points)


def quiet(nodes: int, shards: int, *, replicas: int = 1, cores: int = 4) -> Cluster:
    return Cluster(nodes, shards, replicas, segments=1, segment_ms=1.0, cores=cores)


def p50(cluster: Cluster, rate: float, lost: tuple[int, ...] = ()) -> float:
    random = np.random.default_rng(0)
    came = queueing.arrivals(rate, 2_000, random)
    return float(np.median(queueing.from_cluster(cluster, came, random, lost)))


def test_the_slowest_of_many_shards_answers_last() -> None:
    """Of one shard the median is the segment's own, 1 ms, and 1 ms of network."""
    assert p50(quiet(1, 1), 1) == pytest.approx(2.0, abs=0.1)
    assert p50(quiet(1, 1), 1) < p50(quiet(8, 8), 1) < p50(quiet(64, 64), 1)


def test_without_room_questions_queue() -> None:
    """Four cores bear 4,000 questions of a millisecond a second."""
    assert p50(quiet(1, 1), 8_000) > 10 * p50(quiet(1, 1), 400)


def test_a_lost_node_loads_the_others_and_is_survived_only_with_replicas() -> None:
    three = quiet(3, 6, replicas=3, cores=1)
    assert p50(three, 350, lost=(0,)) > 1.2 * p50(three, 350)
    with pytest.raises(ValueError, match="every replica"):
        p50(quiet(3, 6), 10, lost=(0,))


def test_searchers_bear_what_a_worker_was_measured_to_answer() -> None:
    rate = load()["service_rate"].value
    random = np.random.default_rng(0)
    for searchers, is_enough in ((1, False), (2, True)):
        came = queueing.arrivals(1.2 * rate, 3_000, random)
        took = queueing.from_searchers(searchers, came, np.full(3_000, 2.7), random)
        assert (np.percentile(took, 99) < 100) == is_enough


def test_clients_that_ask_again_at_once_wait_for_each_other() -> None:
    """By hand: each of eight waits for seven others and itself."""
    busy = 1e3 / load()["service_rate"].value
    took = queueing.closed(8, 4_000, seed=0)[8:]
    assert np.median(took) == pytest.approx(8 * busy, rel=0.1)


def test_one_more_indexer_takes_only_its_own_share() -> None:
    assert moved(10_000, 4) == pytest.approx(1 / 5, abs=0.02)
