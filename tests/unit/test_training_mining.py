"""Mining and the triplet loss on five points whose triplets are worked by hand, and the batches.

Points 0, 1 and 2 have label A, points 3 and 4 label B. Squared distances:

        0    1    2    3    4
   0    -   .2   .9   .5   .1
   1   .2    -   .4   .8   .6
   2   .9   .4    -   .3   .7
   3   .5   .8   .3    -   .2
   4   .1   .6   .7   .2    -
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from indexer.training.balanced import BalancedRows
from indexer.training.metric import batch_loss, precision
from indexer.training.mining import batch_hard, semi_hard, squared_distances, triplet_loss
from indexer.training.runtime import keras

DISTANCES = np.array(
    [
        [0.0, 0.2, 0.9, 0.5, 0.1],
        [0.2, 0.0, 0.4, 0.8, 0.6],
        [0.9, 0.4, 0.0, 0.3, 0.7],
        [0.5, 0.8, 0.3, 0.0, 0.2],
        [0.1, 0.6, 0.7, 0.2, 0.0],
    ],
    np.float32,
)
CODES = np.array([0, 0, 0, 1, 1])
SAME = CODES[:, None] == CODES[None, :]
POSITIVES, NEGATIVES = SAME & ~np.eye(5, dtype=bool), ~SAME


def mined(mining: Any, positives: Any = POSITIVES, negatives: Any = NEGATIVES) -> list[Any]:
    tensors = (keras.ops.convert_to_tensor(one) for one in (DISTANCES, positives, negatives))
    return [keras.ops.convert_to_numpy(one) for one in mining(*tensors)]


def test_batch_hard_takes_the_farthest_positive_and_the_nearest_negative() -> None:
    to_positive, to_negative, there = mined(batch_hard)
    np.testing.assert_allclose(to_positive, [0.9, 0.4, 0.9, 0.2, 0.2])
    np.testing.assert_allclose(to_negative, [0.1, 0.6, 0.3, 0.3, 0.1])
    assert there.all()


def test_semi_hard_takes_the_nearest_negative_beyond_the_positive() -> None:
    to_positive, to_negative, there = mined(semi_hard)
    np.testing.assert_array_equal(there, POSITIVES)
    expected = {
        (0, 1): 0.5,  # of .5 and .1, only .5 is beyond .2
        (0, 2): 0.5,  # none is beyond .9: the farthest
        (1, 0): 0.6,
        (1, 2): 0.6,  # both are beyond .4: the nearest
        (2, 0): 0.7,  # none is beyond .9
        (2, 1): 0.7,
        (3, 4): 0.3,
        (4, 3): 0.6,  # .1 is nearer than .2
    }
    for (anchor, positive), distance in expected.items():
        assert to_positive[anchor, positive] == DISTANCES[anchor, positive]
        assert to_negative[anchor, positive] == pytest.approx(distance)


@pytest.mark.parametrize(("mining", "loss"), [(semi_hard, 0.4), (batch_hard, 0.7)])
def test_the_example_of_the_page(mining: Any, loss: float) -> None:
    distances = np.array([[0.6, 0.4, 0.7, 1.5]], np.float32)
    positives = np.array([[True, False, False, False]])
    tensors = map(keras.ops.convert_to_tensor, (distances, positives, ~positives))
    assert float(triplet_loss(*mining(*tensors), 0.5)) == pytest.approx(loss)


def test_the_losses_by_hand() -> None:
    def loss(mining: Any, margin: float) -> float:
        return float(triplet_loss(*map(keras.ops.convert_to_tensor, mined(mining)), margin))

    # batch-hard: .9-.1, .4-.6, .9-.3, .2-.3, .2-.1, each + .2: 1, 0, .8, .1, .3
    assert loss(batch_hard, 0.2) == pytest.approx(2.2 / 5)
    # semi-hard: -.3, .4, -.4, -.2, .2, -.3, -.1, -.4, each + .2: .6, .4 and .1 are left
    assert loss(semi_hard, 0.2) == pytest.approx(1.1 / 8)


@pytest.mark.parametrize("mining", [batch_hard, semi_hard])
def test_without_negatives_or_positives_there_is_no_triplet(mining: Any) -> None:
    nobody = np.zeros_like(SAME)
    for masks in ((POSITIVES, nobody), (nobody, NEGATIVES)):
        found = mined(mining, *masks)
        assert not found[2].any()
        assert float(triplet_loss(*map(keras.ops.convert_to_tensor, found), 0.5)) == 0


def test_squared_distances_are_those_of_the_search() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(6, 512)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = keras.ops.convert_to_numpy(squared_distances(rows[:2], rows))
    wanted = np.square(rows[:2, None] - rows[None]).sum(axis=2)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("mining", ["semi-hard", "batch-hard"])
def test_a_batch_that_is_told_apart_costs_nothing_and_one_point_costs_the_margin(
    mining: str,
) -> None:
    apart = np.eye(2, 512, dtype=np.float32)[[0, 0, 1, 1]]
    codes = np.array([[0], [0], [1], [1]])
    assert float(batch_loss(mining, 0.5, codes, apart)) == 0
    assert float(batch_loss(mining, 0.5, codes, apart[[0, 0, 0, 0]])) == pytest.approx(0.5)


def test_precision_by_hand() -> None:
    points = np.eye(12, 512, dtype=np.float32)
    query = np.linspace(1, 0.1, 12, dtype=np.float32) @ points  # nearest first: 0, 1, 2, ...
    codes = np.array([7] * 6 + [8] * 6)
    assert precision(points, codes, query[None], np.array([7])) == pytest.approx(0.6)
    assert precision(points[:3], codes[:3], query[None], np.array([7])) == pytest.approx(0.3)


# --- batches


def test_batches_hold_classes_and_pictures_as_asked() -> None:
    codes = np.repeat([3, 5, 9, 11], [2, 10, 30, 8])
    batches = BalancedRows(codes, 3, 4, seed=1)
    assert len(batches) == 5  # 50 pictures, 12 to a batch
    assert len(BalancedRows(codes, 3, 4, seed=1, least=9)) == 9
    for index in range(len(batches)):
        rows = batches.rows(0, index)
        assert rows.shape == (12,)
        classes, counts = np.unique(codes[rows], return_counts=True)
        assert len(classes) == 3
        assert set(counts) == {4}
        for code in classes:
            assert len(set(rows[codes[rows] == code])) == min(4, np.sum(codes == code))


def test_batches_follow_from_seed_epoch_and_number() -> None:
    codes = np.repeat([0, 1, 2], 20)
    one, same, other = (BalancedRows(codes, 2, 5, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.rows(3, 1), same.rows(3, 1))
    for rows in (one.rows(3, 0), one.rows(4, 1), other.rows(3, 1)):
        assert not np.array_equal(one.rows(3, 1), rows)


def test_one_class_gives_no_batches() -> None:
    with pytest.raises(ValueError, match="there must be two of each"):
        BalancedRows(np.zeros(9, int), 2, 4, seed=0)
