"""Whether the clusters still fit the collection: balance, drift, and when reclustering is worth it.

K-Means puts every picture near some centroid of those it was fitted on. Pictures of another kind
lie farther from all of them, so that the mean distance of newer pictures, against that of the
fitted ones, tells how far the collection has moved away from its clusters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from indexer.arrivals import Spread

DRIFT_RATIO = 1.05
"""Newer pictures this much farther from their centroids are of another kind. Measured with the
encoder that ships, on three collections (clothes, waste, fashion): other halves of the same
collection lay at 1.00 to 1.01 times the distance of the fitted one (1.04 where only 186 were
fitted), another collection at 1.09 to 1.54, a class that was left out of the fit at 1.00 to 1.17.
"""

DRIFT_IMAGES = 100
"""Newer pictures below which their mean distance says little: of 100, drawn at random, it varied by
.005 to .014 of the distance (one standard deviation)."""

GROWTH = 2.0
"""A collection that has grown by this factor may have room for more clusters than it was given."""

SWELLING = 1.5
"""A largest cluster whose share of the collection has grown by this factor makes searching in it
slower by as much."""

PENDING_SHARE = 0.05
"""While more than this share of the collection is pending, nothing is advised: images arrive folder
by folder, and the first folders are not the collection."""


def fitted_on(about: Mapping[str, Any]) -> Spread | None:
    """The pictures that a clustering was fitted on, copies counted once as `Arrived` does; None
    where it does not tell their distance."""
    mean, sizes = about.get("mean_distance"), about.get("sizes")
    if not isinstance(mean, int | float) or not sizes:
        return None
    return Spread(int(about.get("distinct") or sum(sizes)), float(mean))


def newer(fitted: Spread, arrived: Spread | None) -> Spread | None:
    """The pictures that came since the fit, of all that arrived under the clustering.

    The first scan after a training brings in the fitted ones themselves. They are taken out as far
    as the numbers tell: with fewer arrivals than fitted pictures, all are taken as newer, and if
    they are the fitted ones after all, their distance is that of the fit.
    """
    if arrived is None or arrived.images == fitted.images:
        return None
    if arrived.images < fitted.images:
        return arrived
    images = arrived.images - fitted.images
    total = arrived.images * arrived.mean_distance - fitted.images * fitted.mean_distance
    return Spread(images, max(0.0, total / images))


def judge(
    about: Mapping[str, Any], sizes: Mapping[str, int], arrived: Spread | None, pending: int = 0
) -> dict[str, Any]:
    """Imbalance, drift and advice as JSON values, from what a clustering tells about itself, the
    sizes of its clusters now, what arrived under it, and how many files are pending: `waits` says
    that they are too many for advice.

    Imbalance is the share of the largest cluster against an even share: 1 to k.
    """
    fitted = fitted_on(about)
    now = imbalance(list(sizes.values()), about["k"])
    before = imbalance(about.get("sizes") or [], about["k"])
    drift = _drift(fitted, arrived)
    images, fitted_images = sum(sizes.values()), sum(about["sizes"]) if fitted else None
    waits = pending > PENDING_SHARE * images
    why = None if waits else _reason(images, now, before, fitted_images, drift)
    return {
        "fitted_images": fitted_images,
        "imbalance": now,
        "fitted_imbalance": before,
        "drift": drift,
        "recluster": {"worth_it": why is not None, "why": why, "waits": waits},
    }


def imbalance(sizes: list[int], k: int) -> float | None:
    """Largest share times k; None where nothing is counted."""
    return round(max(sizes) * k / sum(sizes), 3) if sizes and sum(sizes) else None


def _drift(fitted: Spread | None, arrived: Spread | None) -> dict[str, Any] | None:
    since = newer(fitted, arrived) if fitted else None
    if fitted is None or since is None or not fitted.mean_distance:
        return None
    return {
        "images": since.images,
        "mean_distance": round(since.mean_distance, 4),
        "fitted_mean_distance": round(fitted.mean_distance, 4),
        "ratio": round(since.mean_distance / fitted.mean_distance, 4),
    }


def _reason(
    images: int,
    now: float | None,
    before: float | None,
    fitted: int | None,
    drift: dict[str, Any] | None,
) -> str | None:
    """The first reason to recluster, as a person reads it."""
    if drift and drift["images"] >= DRIFT_IMAGES and drift["ratio"] >= DRIFT_RATIO:
        return (
            f"{drift['images']:,} newer images lie {100 * (drift['ratio'] - 1):.0f} % farther from "
            "their centroids than those the clusters were fitted on"
        )
    if fitted and images >= GROWTH * fitted and images - fitted >= DRIFT_IMAGES:
        return f"the clusters were fitted on {fitted:,} images and there are {images:,} now"
    if now and before and now >= SWELLING * before and images >= DRIFT_IMAGES:
        return (
            f"the largest cluster has {now:.1f} times an even share, {before:.1f} when it was "
            "fitted"
        )
    return None
