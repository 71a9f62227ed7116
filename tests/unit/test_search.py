"""Searches of a store of a few points whose scores are worked by hand."""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from searcher.answer import Answer, Recall, answer_json, remarks
from searcher.query.examples import Example, Question, answer, question_of
from searcher.query.identity import own_images
from searcher.query.options import Probes, Request
from searcher.query.source import Query, read_query
from searcher.search import Searcher, embed, embed_image, merge
from shared.calibration import Calibration
from shared.clustering import Clustering
from shared.errors import ImageRefused, ImageUnknown, QueryError, StoreMissing
from shared.reading import content_hash
from shared.settings import load_settings
from shared.types import ScoredImage
from shared.where import parse_where
from tests.fakes import MeanColorEncoder, MemoryStore, axis_vector, record


def png(color: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), color).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def searcher() -> Searcher:
    """Cluster 0 is about red (axis 0), cluster 1 about green (axis 1)."""
    store = MemoryStore()
    points = [
        (record("red.jpg", "g1/0"), axis_vector(1, 0)),
        (record("reddish.jpg", "g1/0"), axis_vector(0.8, 0.6)),
        (record("sub/pink.jpg", "g1/0"), axis_vector(0.6, 0, 0.8)),
        (record("green.jpg", "g1/1"), axis_vector(0, 1)),
    ]
    store.upsert([one for one, _ in points], np.stack([row for _, row in points]))
    centroids = np.stack([axis_vector(1), axis_vector(0, 1)])
    return Searcher(MeanColorEncoder(), Clustering("mean-color", "g1", centroids), store)


def test_the_json_contract_key_by_key(searcher: Searcher) -> None:
    vector, spent = embed(searcher.encoder, png((255, 0, 0)))
    found = searcher.search(vector, Request(2, probes=1), spent)
    value = json.loads(json.dumps(answer_json("query.png", found)))
    took = value.pop("took_ms")
    assert value == {
        "query": "query.png",
        "cluster": "g1/0",
        "clusters_searched": ["g1/0"],
        "probes": 1,
        "searched": 3,
        "matching": 4,
        "total": 4,
        "number": 2,
        "recall": None,
        "stands_out": None,
        "least_alike": None,
        "best_score": 1.0,
        "left_out": 0,
        "remarks": [],
        "results": [
            {
                "rank": 1,
                "root": "/photos",
                "path": "red.jpg",
                "id": record("red.jpg").id,
                "score": 1.0,
                "cluster": "g1/0",
                "tier": None,
                "percentile": None,
                "explain": None,
                "record": None,
                "links": None,
            },
            {
                "rank": 2,
                "root": "/photos",
                "path": "reddish.jpg",
                "id": record("reddish.jpg").id,
                "score": 0.8,
                "cluster": "g1/0",
                "tier": None,
                "percentile": None,
                "explain": None,
                "record": None,
                "links": None,
            },
        ],
    }
    assert list(took) == ["decode", "encode", "search", "total"]
    assert all(took[key] > 0 for key in took)
    parts = took["decode"] + took["encode"] + took["search"]
    assert took["total"] == pytest.approx(parts, abs=0.05)


def test_one_probe_searches_the_predicted_cluster_alone(searcher: Searcher) -> None:
    found = searcher.search(axis_vector(0.8, 0.6), Request(12, probes=1))
    assert [image.record.path for image in found.results if image.record] == [
        "reddish.jpg",
        "red.jpg",
        "sub/pink.jpg",
    ]  # green.jpg would have scored .6 against pink's .48
    assert [round(image.score, 3) for image in found.results] == [1.0, 0.8, 0.48]
    assert (found.number, found.searched, found.total) == (12, 3, 4)
    assert found.took.decode == found.took.encode == 0
    assert remarks(found) == ["only 3 of 12 wanted are in the cluster searched: give more --probes"]


def test_a_record_of_two_generations_shows_the_one_that_answers(searcher: Searcher) -> None:
    both = replace(record("both.jpg"), cluster=("g2/7", "g10/1", "g1/0"))
    searcher.store.upsert([both], axis_vector(1)[None])
    found = searcher.search(axis_vector(1), Request(4))
    assert found.cluster_of(both) == "g1/0"
    assert found.cluster_of(replace(both, cluster=("g10/1",))) is None


@pytest.mark.parametrize("vector", [axis_vector(), axis_vector(np.nan), axis_vector(2), [1.0]])
def test_a_vector_that_cannot_be_compared_is_a_query_error(
    searcher: Searcher, vector: np.ndarray
) -> None:
    with pytest.raises(QueryError, match="gives no vector that can be compared"):
        searcher.search(np.asarray(vector, np.float32), Request(3))


def test_queries_that_cannot_be_searched_for(searcher: Searcher) -> None:
    with pytest.raises(ImageUnknown, match="no indexed image has this id"):
        answer(by_id("00000000-0000-5000-8000-000000000000"), searcher, Request(3), {})
    with pytest.raises(QueryError, match="0 results"):
        Request(0)
    with pytest.raises(ImageRefused):
        embed(searcher.encoder, b"no image")


def test_an_empty_index_says_what_to_do(searcher: Searcher) -> None:
    empty = Searcher(searcher.encoder, searcher.clustering, MemoryStore())
    with pytest.raises(StoreMissing, match="nothing is indexed yet: run `indexer scan DIR` first"):
        empty.search(axis_vector(1), Request(3))


def test_an_empty_cluster_gives_no_results(searcher: Searcher) -> None:
    searcher.store.delete([record("green.jpg").id])
    found = searcher.search(axis_vector(0, 1), Request(3, probes=1))
    assert (found.cluster, found.results, found.searched, found.total) == ("g1/1", (), 0, 3)


def scored(point: str, score: float) -> ScoredImage:
    return ScoredImage(point, score, None)


def test_merge_by_hand() -> None:
    one = [scored("d", 0.9), scored("b", 0.5), scored("x", 0.4)]
    two = [scored("a", 0.9), scored("x", 0.6), scored("c", 0.5)]
    merged = merge([one, two], 5)
    assert [(image.id, image.score) for image in merged] == [
        ("a", 0.9),  # ties go by id, whichever probe they came from
        ("d", 0.9),
        ("x", 0.6),  # once, with its better score
        ("b", 0.5),
        ("c", 0.5),
    ]


def test_merge_keeps_scores_in_range() -> None:
    merged = merge([[scored("a", 1.0000001), scored("b", -1.0000001)]], 5)
    assert [image.score for image in merged] == [1.0, -1.0]


images = st.builds(
    scored,
    st.sampled_from("abcdefgh"),
    st.sampled_from([-1.0, -0.25, 0.0, 0.5, 0.75, 1.0]) | st.floats(-1, 1),
)


@given(st.lists(st.lists(images, max_size=6), max_size=4), st.integers(1, 10))
def test_merging_is_sorting_everything_and_cutting(
    probes: list[list[ScoredImage]], number: int
) -> None:
    merged = merge(probes, number)
    best: dict[str, float] = {}
    for image in (image for answers in probes for image in answers):
        best[image.id] = max(image.score, best.get(image.id, -2))
    wanted = sorted(((-score, point) for point, score in best.items()))[:number]
    assert [(-image.score, image.id) for image in merged] == wanted
    assert merge(reversed(probes), number) == merged


def curve(*values: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(values, np.float32)


def calibration(margin: float) -> Calibration:
    """One that reaches .96 of three results within a margin, and knows of no more results."""
    return Calibration(
        *(100, curve(1.0, 3.0)),
        probe_recall=np.tile(curve(0.8, 1.0), (2, 1)),
        probe_coverage=curve(0.5, 1.0),
        margins=curve(margin),
        margin_recall=np.tile(curve(0.96), (2, 1)),
        margin_error=np.tile(curve(0.0), (2, 1)),
        margin_coverage=curve(0.6),
        pair_shares=curve(1.0),
        pair_scores=curve(1.0),
        nearest_scores=curve(-1.0),
    )


def paths(found: Answer) -> list[str]:
    return [image.record.path for image in found.results if image.record]


# The plane half-way between red and green is 1/sqrt(2) away from both.
@pytest.mark.parametrize(("margin", "clusters"), [(0.8, 2), (0.7, 1)])
def test_auto_searches_the_clusters_whose_border_is_near(
    searcher: Searcher, margin: float, clusters: int
) -> None:
    found = calibrated(searcher, margin).search(axis_vector(1, 0), Request(2))
    assert len(found.clusters_searched) == clusters
    assert found.recall == Recall(1.0 if clusters == 2 else 0.96, "expected")


def test_auto_searches_everything_for_more_results_than_were_measured(searcher: Searcher) -> None:
    found = calibrated(searcher, 0.0).search(axis_vector(1, 0), Request(4))
    assert (len(found.results), found.recall) == (4, Recall(1.0, "expected"))
    found = searcher.search(axis_vector(1, 0), Request(2))  # without a calibration
    assert found.clusters_searched == ("g1/0", "g1/1")


def calibrated(searcher: Searcher, margin: float) -> Searcher:
    return Searcher(
        searcher.encoder, searcher.clustering, searcher.store, calibration=calibration(margin)
    )


@pytest.mark.parametrize("number", [1, 3])
def test_auto_widens_until_the_wanted_number_is_found(searcher: Searcher, number: int) -> None:
    searcher.store.delete([record("reddish.jpg").id, record("sub/pink.jpg").id])
    found = calibrated(searcher, 0.0).search(axis_vector(1, 0), Request(number))
    assert len(found.clusters_searched) == min(number, 2)
    assert len(found.results) == min(number, 2)
    other = ["only 2 other images are indexed"] if number > 2 else []
    assert remarks(found) == other


def test_auto_widens_until_conditions_are_met(searcher: Searcher) -> None:
    auto = calibrated(searcher, 0.0)
    green = parse_where(["path=green.jpg"])
    found = auto.search(axis_vector(1, 0), Request(2, where=green))
    assert (paths(found), found.recall) == (["green.jpg"], Recall(1.0, "expected"))
    assert (found.searched, found.matching, found.total) == (1, 1, 4)
    assert remarks(found) == ["only 1 matches anywhere"]
    narrow = auto.search(axis_vector(1, 0), Request(2, probes=1, where=green))
    assert remarks(narrow) == ["only 0 of 2 wanted are in the cluster searched: give more --probes"]
    nowhere = auto.search(axis_vector(1, 0), Request(2, where=parse_where(["width>=99999"])))
    assert remarks(nowhere) == ["no image matches"]


def test_several_examples_search_the_union_of_their_clusters(searcher: Searcher) -> None:
    far = np.stack([axis_vector(1), axis_vector(0, 1), axis_vector(0, 0, 1)])
    clustering = Clustering("mean-color", "g1", far)
    three = Searcher(searcher.encoder, clustering, searcher.store)
    examples = np.stack([axis_vector(0, 0, 1), axis_vector(1)])
    mean = axis_vector(0.6, 0.52, 0.6) / np.float32(np.linalg.norm([0.6, 0.52, 0.6]))
    found = three.search(mean, Request(2, probes=1), examples=examples)
    assert found.clusters_searched == ("g1/2", "g1/0")


def by_id(point: str) -> Question:
    return question_of([Example(Query(point, point=point))])


def test_an_indexed_query_is_left_out_of_its_own_results(searcher: Searcher) -> None:
    red = record("red.jpg")
    found = answer(by_id(red.id), searcher, Request(3), {})
    assert paths(found) == ["reddish.jpg", "sub/pink.jpg", "green.jpg"]
    assert found.point == red
    kept = answer(by_id(red.id), searcher, Request(3, keep_self=True), {})
    assert paths(kept) == ["red.jpg", "reddish.jpg", "sub/pink.jpg"]
    verified = answer(by_id(red.id), searcher, Request(3, verify=True), {})
    assert verified.recall == Recall(1.0, "measured")


@pytest.mark.parametrize("links", [1, 5])
def test_a_query_file_is_left_out_under_every_name_and_its_copies_stay(
    searcher: Searcher, tmp_path: Path, links: int
) -> None:
    """By device and inode, so that hard links are the same file and a copy is not."""
    data = png((255, 0, 0))
    for name in ("red.jpg", "copy.jpg"):
        (tmp_path / name).write_bytes(data)
    names = ["copy.jpg", *(f"link-{number}.jpg" for number in range(links))]
    for name in names[1:]:
        os.link(tmp_path / "red.jpg", tmp_path / name)
    searcher.store.upsert(
        [replace(record(name, "g1/0"), sha256=content_hash(data)) for name in names],
        np.stack([axis_vector(1)] * len(names)),
    )
    query = read_query(str(tmp_path / "red.jpg"), load_settings({"home": tmp_path}))
    decoded, vector, _ = embed_image(searcher.encoder, data)
    roots = {"/photos": tmp_path}
    question = question_of([Example(query, decoded, vector)])
    question = replace(question, own=own_images([query], roots))
    assert paths(answer(question, searcher, Request(2), roots)) == ["copy.jpg", "reddish.jpg"]
    kept = answer(question, searcher, Request(2, keep_self=True), roots)
    assert all(image.score == 1 for image in kept.results)


@pytest.mark.parametrize("probes", [1, 2, 7, "auto", "all"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_collections_of_a_few_images(searcher: Searcher, count: int, probes: Probes) -> None:
    names = ["red.jpg", "reddish.jpg", "sub/pink.jpg", "green.jpg"]
    searcher.store.delete([record(name).id for name in names[count:]])
    for keep_self in (False, True):
        request = Request(12, probes=probes, keep_self=keep_self)
        found = answer(by_id(record("red.jpg").id), searcher, request, {})
        assert paths(found) == names[1 - keep_self : count]
        assert found.recall in (None, Recall(1.0, "expected"))
