"""Mining: which pairs of distances a step of metric learning compares.

A *triplet* is an anchor, a positive (a picture with the anchor's label) and a negative (one with
another). Most triplets of a batch are right already and teach nothing; mining picks those that
teach. `docs/triplet.md` works an example by hand, which is the one that the tests have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from indexer.training.runtime import keras

Mining = Callable[[Any, Any, Any], tuple[Any, Any, Any]]
"""From `distances` (anchors, others), float32, and two bool masks of its shape, `positives` and
`negatives`, to three tensors of one shape: the distance to a positive, the distance to a negative,
and whether there is such a triplet. A pair in neither mask, such as a picture and itself, is left
alone. All are Keras tensors; gradients flow through the distances."""

_FAR = 8.0
"""More than any squared distance between vectors of unit length, which is at most 4."""


def squared_distances(anchors: Any, others: Any) -> Any:
    """(a, 512) and (n, 512), unit rows, to (a, n): squared Euclidean distances, in [0, 4]. They are
    2 - 2 cosine, so their order is that of the search."""
    return 2 - 2 * keras.ops.matmul(anchors, keras.ops.transpose(others))


def batch_hard(distances: Any, positives: Any, negatives: Any) -> tuple[Any, Any, Any]:
    """One triplet for each anchor, (a,): its farthest positive and its nearest negative.

    Hermans, Beyer and Leibe, *In Defense of the Triplet Loss for Person Re-Identification*, 2017.
    """
    farthest = _largest(distances, positives)
    nearest = _smallest(distances, negatives)
    return farthest, nearest, _any(positives) & _any(negatives)


def semi_hard(distances: Any, positives: Any, negatives: Any) -> tuple[Any, Any, Any]:
    """One triplet for each anchor and positive, (a, n): the nearest negative that is farther than
    that positive; where all are nearer, the farthest of them.

    Negatives that are nearer than the positive are the hardest, but early on they pull all vectors
    into one point: Schroff, Kalenichenko and Philbin, *FaceNet*, 2015, section 3.2. There the
    negative must also lie within the margin; one that does not costs nothing anyway.
    """
    to_positive, to_negative = distances[:, :, None], distances[:, None, :]
    farther = negatives[:, None, :] & (to_negative > to_positive)
    to_negative = keras.ops.broadcast_to(to_negative, keras.ops.shape(farther))
    inside = keras.ops.broadcast_to(
        _largest(distances, negatives)[:, None], keras.ops.shape(distances)
    )
    chosen = keras.ops.where(_any(farther), _smallest(to_negative, farther), inside)
    return distances, chosen, positives & _any(negatives)[:, None]


MINING: Mapping[str, Mining] = {"semi-hard": semi_hard, "batch-hard": batch_hard}


def triplet_loss(to_positive: Any, to_negative: Any, there: Any, margin: float) -> Any:
    """Mean over the triplets that are `there` of max(0, positive - negative + margin); 0 without
    any. Weinberger and Saul, *Distance Metric Learning for Large Margin Nearest Neighbor
    Classification*, 2009."""
    losses = keras.ops.relu(to_positive - to_negative + margin)
    counted = keras.ops.cast(there, losses.dtype)
    return keras.ops.sum(losses * counted) / keras.ops.maximum(keras.ops.sum(counted), 1)


def _largest(distances: Any, among: Any) -> Any:
    return keras.ops.max(keras.ops.where(among, distances, -_FAR), axis=-1)


def _smallest(distances: Any, among: Any) -> Any:
    return keras.ops.min(keras.ops.where(among, distances, _FAR), axis=-1)


def _any(mask: Any) -> Any:
    return keras.ops.any(mask, axis=-1)
