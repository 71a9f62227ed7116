"""Questions to a store of a few points whose scores are worked by hand."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from searcher.answer import Recall, answer_json
from searcher.query.options import Request
from searcher.search import Searcher, embed, merge
from shared.calibration import Calibration
from shared.clustering import Clustering
from shared.errors import ImageRefused, QueryError, StoreMissing
from shared.types import ScoredImage
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
    answer = searcher.ask_image(png((255, 0, 0)), Request(2))
    value = json.loads(json.dumps(answer_json("query.png", answer)))
    took = value.pop("took_ms")
    assert value == {
        "query": "query.png",
        "cluster": "g1/0",
        "clusters_searched": ["g1/0"],
        "probes": 1,
        "searched": 3,
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


def test_only_the_querys_own_cluster_answers(searcher: Searcher) -> None:
    answer = searcher.ask_vector(axis_vector(0.8, 0.6), Request(12))
    assert [image.record.path for image in answer.results if image.record] == [
        "reddish.jpg",
        "red.jpg",
        "sub/pink.jpg",
    ]  # green.jpg would have scored .6 against pink's .48
    assert [round(image.score, 3) for image in answer.results] == [1.0, 0.8, 0.48]
    assert (answer.number, answer.searched, answer.total) == (12, 3, 4)
    assert answer.took.decode == answer.took.encode == 0


def test_pixels_vectors_and_ids_ask_the_same_question(searcher: Searcher) -> None:
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    by_pixels = searcher.ask(red, Request(3))
    by_point = searcher.ask_point(record("red.jpg").id, Request(3))
    assert by_pixels.results == by_point.results
    assert by_point.point == record("red.jpg")
    assert by_pixels.point is None
    vector, took = embed(searcher.encoder, png((255, 0, 0)))
    assert searcher.ask_vector(vector, Request(3), took).took.decode == round(took.decode, 2) > 0


def test_a_record_of_two_generations_shows_the_one_that_answers(searcher: Searcher) -> None:
    from dataclasses import replace

    both = replace(record("both.jpg"), cluster=("g2/7", "g10/1", "g1/0"))
    searcher.store.upsert([both], axis_vector(1)[None])
    answer = searcher.ask_vector(axis_vector(1), Request(4))
    assert answer.cluster_of(both) == "g1/0"
    assert answer.cluster_of(replace(both, cluster=("g10/1",))) is None


@pytest.mark.parametrize("vector", [axis_vector(), axis_vector(np.nan), axis_vector(2), [1.0]])
def test_a_vector_that_cannot_be_compared_is_a_query_error(
    searcher: Searcher, vector: np.ndarray
) -> None:
    with pytest.raises(QueryError, match="gives no vector that can be compared"):
        searcher.ask_vector(np.asarray(vector, np.float32), Request(3))


def test_questions_that_cannot_be_asked(searcher: Searcher) -> None:
    with pytest.raises(QueryError, match="no indexed image has this id"):
        searcher.ask_point("00000000-0000-5000-8000-000000000000", Request(3))
    with pytest.raises(QueryError, match="0 results"):
        searcher.ask_vector(axis_vector(1), Request(0))
    with pytest.raises(ImageRefused):
        searcher.ask_image(b"no image", Request(3))


def test_an_empty_index_says_what_to_do(searcher: Searcher) -> None:
    empty = Searcher(searcher.encoder, searcher.clustering, MemoryStore())
    with pytest.raises(StoreMissing, match="nothing is indexed yet: run `indexer scan DIR` first"):
        empty.ask_vector(axis_vector(1), Request(3))


def test_an_empty_cluster_gives_no_results(searcher: Searcher) -> None:
    searcher.store.delete([record("green.jpg").id])
    answer = searcher.ask_vector(axis_vector(0, 1), Request(3))
    assert (answer.cluster, answer.results, answer.searched, answer.total) == ("g1/1", (), 0, 3)


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


def test_auto_that_ends_in_every_cluster_finds_all(searcher: Searcher) -> None:
    def curve(*values: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return np.array(values, np.float32)

    one = curve(1.0)
    calibration = Calibration(
        *(10, 100, curve(0.8, 1.0), curve(0.5, 1.0)),
        margins=curve(0.8),  # the half-way plane is 1/sqrt(2) away from red, less from between
        margin_recall=curve(0.96),
        margin_error=curve(0.0),
        margin_coverage=curve(0.6),
        pair_shares=one,
        pair_scores=one,
        nearest_scores=one,
    )
    auto = Searcher(searcher.encoder, searcher.clustering, searcher.store, calibration=calibration)
    found = auto.ask_vector(axis_vector(1, 0), Request(2, probes="auto"))
    assert len(found.clusters_searched) == 2
    assert found.recall == Recall(1.0, "expected")
