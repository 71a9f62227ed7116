"""Paging through everything and through a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from searcher.service import collection
from searcher.service.engine import Engine, Opened
from shared.errors import ImageUnknown, QueryError
from shared.points import point_id
from shared.types import ImageRecord
from tests.homes import make_home


@pytest.fixture
def opened(tmp_path: Path, photos: Path, tiny_tflite: Path) -> Iterator[Opened]:
    engine = Engine(make_home(tmp_path / "home", photos, tiny_tflite), decoders=1)
    yield engine.opened()
    engine.close()


def pages(opened: Opened, number: int, limit: int) -> Iterator[list[str]]:
    """The ids of a cluster, page by page."""
    cursor = None
    while True:
        page = collection.cluster_page(opened, number, cursor, limit)
        yield [one.id for one in page.images]
        cursor = page.next
        if cursor is None:
            return


def labelled(opened: Opened, number: int) -> set[str]:
    store, label = opened.searcher.store, opened.home.clustering.label(number)
    return {
        key
        for key, found in store.get(sorted(store.ids())).items()
        if label in found.record.cluster
    }


def add(opened: Opened, number: int, score: float, name: str) -> str:
    """An image of a cluster with that cosine to its centroid."""
    store, clustering = opened.searcher.store, opened.home.clustering
    centroid = clustering.centroids[number] / np.linalg.norm(clustering.centroids[number])
    aside = np.zeros(512, np.float32)
    aside[:2] = -centroid[1], centroid[0]
    aside /= np.linalg.norm(aside)
    vector = score * centroid + np.sqrt(1 - score**2) * aside
    (one,) = store.get([next(iter(store.ids()))]).values()
    record: ImageRecord = replace(
        one.record,
        id=point_id(one.record.root, name.encode()),
        path=name,
        path_raw=None,
        cluster=(clustering.label(number),),
    )
    store.upsert([record], vector[None].astype(np.float32))
    return record.id


@pytest.mark.parametrize("limit", [1, 2, 5, 6, 7, 200])
def test_every_image_of_a_cluster_is_on_exactly_one_page(opened: Opened, limit: int) -> None:
    everything = []
    for number in range(opened.home.clustering.n_clusters):
        found = [one for page in pages(opened, number, limit) for one in page]
        assert len(found) == len(set(found))
        assert set(found) == labelled(opened, number)
        everything += found
    assert set(everything) == opened.searcher.store.ids()


def test_images_of_one_score_are_on_exactly_one_page(opened: Opened) -> None:
    same = {add(opened, 0, 0.5, f"same-{number}.jpg") for number in range(9)}
    found = [one for page in pages(opened, 0, 2) for one in page]
    assert len(found) == len(set(found))
    assert same < set(found) == labelled(opened, 0)


def test_the_most_typical_come_first(opened: Opened) -> None:
    scores = [one.score for one in collection.cluster_page(opened, 0, None, 200).images]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("place", [0.999999, -0.5], ids=["before", "after"])
def test_what_comes_and_goes_meanwhile_moves_nothing_else(opened: Opened, place: float) -> None:
    """What was there all the time is shown exactly once."""
    steady = labelled(opened, 0)
    found: list[str] = []
    added: list[str] = []
    for turn, page in enumerate(pages(opened, 0, 2)):
        found += page
        added.append(add(opened, 0, place, f"new-{turn}.jpg"))
        if turn == 1:
            opened.searcher.store.delete([added.pop(0)])
        if turn > 2:
            break
    rest = [one for one in found if one in steady]
    assert len(rest) == len(set(rest))
    whole = [one for page in pages(opened, 0, 2) for one in page]
    assert set(whole) == steady | set(added)
    assert [one for one in whole if one in steady][: len(rest)] == rest


def test_a_deleted_image_costs_no_other_its_place(opened: Opened) -> None:
    every = [one for page in pages(opened, 0, 200) for one in page]
    walk = pages(opened, 0, 2)
    first = next(walk)
    opened.searcher.store.delete(first)
    assert [one for page in walk for one in page] == every[2:]


def test_everything_is_paged_by_id(opened: Opened) -> None:
    found: list[str] = []
    cursor = None
    while True:
        records, cursor = collection.images(opened, cursor, 5)
        found += [record.id for record in records]
        if cursor is None:
            break
    assert found == sorted(opened.searcher.store.ids())


def test_sizes_and_shares_are_of_all(opened: Opened) -> None:
    views = collection.clusters(opened, 2)
    assert sum(view.size for view in views) == 18
    assert sum(view.share for view in views) == pytest.approx(1.0)
    assert [view.size for view in views] == sorted((view.size for view in views), reverse=True)
    assert all(len(view.samples) == min(2, view.size) for view in views)
    assert not any(view.samples for view in collection.clusters(opened, 0))


def test_no_such_image_no_such_cluster_no_such_cursor(opened: Opened) -> None:
    with pytest.raises(ImageUnknown):
        collection.image(opened, "00000000-0000-0000-0000-000000000000")
    with pytest.raises(ImageUnknown):
        collection.cluster_page(opened, 3, None, 5)
    for cursor in ("", "x", "A" * 31, "A" * 33, "\u00e9" * 32, "../" * 10):
        with pytest.raises(QueryError):
            collection.cluster_page(opened, 0, cursor, 5)
