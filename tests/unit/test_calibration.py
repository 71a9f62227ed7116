"""Calibration: margins worked by hand, what a limit finds, scores against the collection's own."""

from __future__ import annotations

import dataclasses
import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from indexer.training.calibrate import calibrate
from searcher.duplicates.tier_rule import TierRule
from shared.calibration import EVERYTHING, Calibration, margins
from shared.clustering import Clustering
from shared.types import EMBEDDING_SIZE, Embeddings
from tests.fakes import axis_vector


def clouds(count: int = 600, k: int = 4, seed: int = 0) -> tuple[Embeddings, Clustering]:
    """Unit vectors around `k` directions, near enough that neighbours lie across borders."""
    random = np.random.default_rng(seed)
    middle = random.normal(size=(k, 8))
    rows = middle[np.arange(count) % k] + 1.2 * random.normal(size=(count, 8))
    vectors = np.zeros((count, EMBEDDING_SIZE), np.float32)
    vectors[:, :8] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    centroids = np.stack([vectors[np.arange(count) % k == one].mean(axis=0) for one in range(k)])
    return vectors, Clustering("e", "g1", centroids)


def flat(**changes: object) -> Calibration:
    """A calibration of round figures."""
    curve = np.array([0.5, 0.9, 1.0], np.float32)
    both = np.stack([curve, curve])
    return replace(
        Calibration(
            queries=100,
            depths=np.array([1, 10], np.float32),
            probe_recall=both,
            probe_coverage=curve,
            margins=np.array([0, 0.1, 0.2], np.float32),
            margin_recall=both,
            margin_error=np.tile(np.array([0.01, 0.01, 0], np.float32), (2, 1)),
            margin_coverage=curve,
            pair_shares=np.array([0, 0.5, 1], np.float32),
            pair_scores=np.array([-0.2, 0.2, 0.8], np.float32),
            nearest_scores=np.linspace(0.4, 0.9, 101, dtype=np.float32),
        ),
        **changes,  # type: ignore[arg-type]
    )


def test_a_margin_is_the_distance_from_the_plane_between_two_centroids() -> None:
    clustering = Clustering("e", "g1", np.stack([axis_vector(1), axis_vector(-1), axis_vector(1)]))
    found = margins(
        clustering, np.stack([axis_vector(1), axis_vector(0.6, 0.8), axis_vector(0, 1)])
    )
    # The plane between +1 and -1 holds 0; two centroids at one place have no plane between them.
    assert found == pytest.approx(np.array([[0, 1, 0], [0, 0.6, 0], [0, 0, 0]]), abs=1e-6)
    assert (found >= 0).all()


def test_the_least_limit_that_surely_reaches_a_recall_is_taken() -> None:
    found = flat(margin_coverage=np.array([0.1, 0.6, 0.9], np.float32))
    chosen = [found.limit(wanted).margin for wanted in (0.4, 0.5, 0.88, 0.9, 1.0)]
    assert chosen == pytest.approx([0, 0.1, 0.1, 0.2, 0.2])
    assert found.limit(0.5).recall == pytest.approx(0.9)
    assert flat(margin_recall=np.full((2, 3), 0.3, np.float32)).limit(0.9) == EVERYTHING
    # Half a share of recall more for a fifth more coverage: worth going on.
    worth = flat(margin_coverage=np.array([0.3, 0.5, 0.9], np.float32))
    chosen = [worth.limit(wanted).margin for wanted in (0.4, 0.88, 0.9)]
    assert chosen == pytest.approx([0.1, 0.1, 0.2])
    for wrong in (0.0, 1.1, float("nan")):
        with pytest.raises(ValueError, match="recall is"):
            found.limit(wrong)


def test_more_results_need_a_larger_limit() -> None:
    curves = np.array([[0.9, 1.0, 1.0], [0.5, 0.7, 1.0]], np.float32)
    found = flat(margin_recall=curves, probe_recall=curves, margin_error=np.zeros_like(curves))
    chosen = [found.limit(0.8, number).margin for number in (1, 2, 5, 10)]
    assert chosen == pytest.approx([0, 0.1, 0.2, 0.2])
    # Half-way between 1 and 10, in logarithms, is the root of 10.
    assert found.recall_of(1, 10**0.5) == pytest.approx(0.7)
    assert found.limit(0.5, 11) == EVERYTHING
    assert (found.recall_of(2, 11), found.recall_of(3, 11)) == (None, 1.0)


def test_scores_are_told_against_the_collections_own() -> None:
    found = flat()
    assert found.percentile(0.2) == pytest.approx(50)
    assert (found.percentile(-1), found.percentile(1)) == (0, 100)
    assert found.score_at(75) == pytest.approx(0.5)
    assert found.least_alike == pytest.approx(0.405)


def test_what_is_expected_of_probes_is_what_they_find() -> None:
    vectors, clustering = clouds()
    found = calibrate(vectors, clustering, seed=0)
    assert found is not None
    assert found.depths.tolist() == [1, 3, 10, 30, 100, 300, 599]
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -2)
    best = np.argsort(-scores, axis=1)
    labels, order = clustering.predict(vectors), clustering.nearest(vectors, 4)
    for number, probes in itertools.product((1, 10, 599), (1, 2, 3, 4)):
        inside = [
            np.isin(labels[row[:number]], near[:probes])
            for row, near in zip(best, order, strict=True)
        ]
        assert found.recall_of(probes, number) == pytest.approx(np.mean(inside), abs=1e-5)
    assert found.probe_recall[2, 0] < 0.9
    assert found.probe_coverage[-1] == pytest.approx(1)
    assert np.median(scores.max(axis=1)) == pytest.approx(found.nearest_at(0.5), abs=1e-3)


@pytest.mark.parametrize("number", [1, 10, 50])
def test_auto_reaches_what_is_wanted_on_other_pictures_for_less_than_fixed_probes(
    number: int,
) -> None:
    vectors, clustering = clouds(4_000, 8)
    found = calibrate(vectors[:3_000], clustering, seed=0)
    assert found is not None
    limit = found.limit(0.95, number)
    assert limit.recall >= 0.95
    asking, points = vectors[3_000:], vectors[:3_000]
    labels = clustering.predict(points)
    best = np.argsort(-(asking @ points.T), axis=1)[:, :number]
    gaps = margins(clustering, asking)
    looked = gaps <= limit.margin
    recall = float(np.take_along_axis(looked, labels[best], axis=1).mean())
    sizes = np.bincount(labels, minlength=8) / len(points)
    coverage = float((looked * sizes).sum(axis=1).mean())
    assert recall == pytest.approx(limit.recall, abs=0.02)
    assert recall >= 0.94
    recalls = [found.recall_of(probes, number) for probes in range(1, 9)]
    assert coverage < np.interp(recall, np.array(recalls, float), found.probe_coverage)


def test_the_same_seed_gives_the_same_and_json_keeps_it() -> None:
    vectors, clustering = clouds()
    one, again = (calibrate(vectors, clustering, seed=3, queries=50) for _ in range(2))
    assert one is not None
    assert again is not None
    assert one.queries == 50
    assert one.to_json() == again.to_json()
    back = Calibration.from_json(json.loads(json.dumps(one.to_json())))
    assert back is not None
    assert dataclasses.astuple(back.limit()) == pytest.approx(
        dataclasses.astuple(one.limit()), abs=1e-5
    )
    assert back.pair_scores == pytest.approx(one.pair_scores, abs=1e-6)
    assert Calibration.from_json(one.to_json() | {"version": 3}) is None
    with pytest.raises(KeyError):
        Calibration.from_json({"version": 1})


def test_a_calibration_of_version_1_knows_the_recall_of_ten_results() -> None:
    written = flat().to_json() | {"version": 1, "k": 10}
    del written["depths"]
    for name in ("probe_recall", "margin_recall", "margin_error"):
        written[name] = written[name][0]
    found = Calibration.from_json(written)
    assert found is not None
    assert found.recall_of(1, 10) == found.recall_of(1, 3) == pytest.approx(0.5)
    assert found.limit(0.5, 10).margin == pytest.approx(0.1)
    assert found.limit(0.5, 12) == EVERYTHING
    assert found.percentile(0.2) == pytest.approx(50)


def test_a_handful_of_pictures_is_enough_and_two_are_not() -> None:
    vectors, _ = clouds(12)
    clustering = Clustering("e", "g1", vectors[:1])
    found = calibrate(vectors[:4], clustering, seed=0)
    assert found is not None
    assert (found.depths.tolist(), found.queries) == ([1, 3], 4)
    assert found.recall_of(1) == 1
    assert found.limit(number=3).margin == 0
    assert calibrate(vectors[:2], clustering, seed=0) is None


def test_equal_pictures_have_no_margins_that_are_not_numbers() -> None:
    same = np.stack([axis_vector(1)] * 5)
    found = calibrate(same, Clustering("e", "g1", same[:2]), seed=0)
    assert found is not None
    assert json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize("copies", [1, 2, 50])
def test_copies_of_an_image_count_once(copies: int) -> None:
    vectors, clustering = clouds(60)
    once = calibrate(vectors, clustering, seed=0)
    every = calibrate(np.repeat(vectors, copies, axis=0), clustering, seed=0)
    one = calibrate(np.concatenate([vectors, np.repeat(vectors[:1], copies, 0)]), clustering, 0)
    assert once is not None
    for found in (every, one):
        assert found is not None
        assert found.least_alike == pytest.approx(once.least_alike, abs=1e-6)
        assert found.percentile(0.5) == pytest.approx(once.percentile(0.5))


def test_images_that_are_all_the_same_tell_nothing_of_usual_scores() -> None:
    vectors, clustering = clouds(4)
    found = calibrate(np.repeat(vectors[:2], 20, axis=0), clustering, seed=0)
    assert found is not None
    assert not found.is_scored
    back = Calibration.from_json(json.loads(json.dumps(found.to_json())))
    assert back is not None
    assert not back.is_scored
    assert TierRule.calibrated(back) == TierRule()
