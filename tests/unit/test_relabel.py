"""Labels of a new generation beside the old, then alone; interrupted and begun again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from indexer.database import Database
from indexer.generations import remove_old_generations
from indexer.journal import Indexed, Journal
from indexer.relabel import add_labels, has_foreign_labels, keep_only
from shared.clustering import Clustering
from shared.models import Models, Pair
from shared.reading import Signature
from shared.types import EMBEDDING_SIZE
from tests.fakes import MemoryStore, record

CENTROIDS = np.eye(EMBEDDING_SIZE, dtype=np.float32)[:3]
NEW = Clustering("e", "g2", CENTROIDS[::-1])
SIGN = Signature(1, 1, 1, 1, 1)


class CountingStore(MemoryStore):
    """Counts the labels that were written."""

    written = 0

    def set_labels(self, labels: list[tuple[str, tuple[str, ...]]]) -> None:  # type: ignore[override]
        self.written += len(labels)
        super().set_labels(labels)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    database = Database(tmp_path / "journal.sqlite3")
    yield Journal(database)
    database.close()


@pytest.fixture
def store(journal: Journal) -> CountingStore:
    """Two thousand points, each in the direction of one of three centroids."""
    store = CountingStore()
    numbers = [n % 3 for n in range(2000)]
    records = [record(f"{n}.jpg", f"g1/{number}") for n, number in enumerate(numbers)]
    store.upsert(records, CENTROIDS[numbers])
    done = [(Indexed(one.root, one.relative(), "x", one.cluster[0]), SIGN) for one in records]
    journal.done("e", done)
    return store


def go_on(_points: int) -> bool:
    return False


def test_both_labels_then_the_new_one(store: CountingStore, journal: Journal) -> None:
    assert add_labels(store, NEW, go_on)
    assert store.cluster_sizes() == {
        "g1/0": 667, "g1/1": 667, "g1/2": 666, "g2/0": 666, "g2/1": 667, "g2/2": 667,
    }  # fmt: skip
    assert has_foreign_labels(store, journal, "e", NEW)
    assert keep_only(store, journal, "e", NEW, go_on)
    assert store.cluster_sizes() == {"g2/0": 666, "g2/1": 667, "g2/2": 667}
    assert journal.cluster_sizes("e") == store.cluster_sizes()
    assert not has_foreign_labels(store, journal, "e", NEW)


def test_every_point_is_reported_and_a_stop_is_obeyed(
    store: CountingStore, journal: Journal
) -> None:
    looked: list[int] = []

    def after_two(points: int) -> bool:
        looked.append(points)
        return len(looked) == 2

    assert not add_labels(store, NEW, after_two)
    assert store.written == sum(looked) < 2000
    assert add_labels(store, NEW, go_on)
    assert store.written == 2000  # what was done is not done again
    looked.clear()
    assert not keep_only(store, journal, "e", NEW, after_two)
    assert has_foreign_labels(store, journal, "e", NEW)
    assert keep_only(store, journal, "e", NEW, lambda points: bool(looked.append(points)))
    assert sum(looked[2:]) == 2000
    assert store.written == 4000


def test_a_half_done_other_generation_does_not_stay(store: CountingStore, journal: Journal) -> None:
    assert not add_labels(store, Clustering("e", "g3", CENTROIDS), lambda _points: True)
    assert add_labels(store, NEW, go_on)
    assert keep_only(store, journal, "e", NEW, go_on)
    assert set(store.cluster_sizes()) == {"g2/0", "g2/1", "g2/2"}


def test_a_wrong_label_of_the_same_generation_is_replaced(
    store: CountingStore, journal: Journal
) -> None:
    [stray, twice] = sorted(store.ids())[:2]
    store.set_labels([(stray, ("g2/7",)), (twice, ("g2/0", "g2/1"))])
    assert add_labels(store, NEW, go_on)
    assert keep_only(store, journal, "e", NEW, go_on)
    assert set(store.cluster_sizes()) == {"g2/0", "g2/1", "g2/2"}


def test_points_without_the_new_label_get_it_at_the_end(
    store: CountingStore, journal: Journal
) -> None:
    assert keep_only(store, journal, "e", NEW, go_on)
    assert store.cluster_sizes() == {"g2/0": 666, "g2/1": 667, "g2/2": 667}


def test_a_journal_that_lags_behind_the_store_is_noticed(
    store: CountingStore, journal: Journal
) -> None:
    store.set_labels([(key, ("g2/0",)) for key in store.ids()])
    assert has_foreign_labels(store, journal, "e", NEW)
    assert keep_only(store, journal, "e", NEW, go_on)
    assert not has_foreign_labels(store, journal, "e", NEW)


def test_the_generation_before_and_later_ones_stay(tmp_path: Path) -> None:
    models = Models(tmp_path)
    for _ in range(5):
        models.add_clustering("0" * 16, CENTROIDS, {})
    assert remove_old_generations(models, Pair("0" * 16, "g4")) == ["g1", "g2"]
    folder = tmp_path / "clusterings" / ("0" * 16)
    assert sorted(path.name for path in folder.iterdir()) == ["g3", "g4", "g5"]
    assert remove_old_generations(models, Pair("0" * 16, "g4")) == []
    assert models.clustering(Pair("0" * 16, "g3")).n_clusters == 3
