"""Balance, drift and the advice to recluster, with numbers worked by hand."""

from __future__ import annotations

from typing import Any

import pytest

from indexer.arrivals import Spread
from indexer.drift import fitted_on, imbalance, judge, newer

ABOUT: dict[str, Any] = {"k": 4, "sizes": [400, 200, 200, 200], "mean_distance": 0.8}
EVEN = {"g1/0": 400, "g1/1": 200, "g1/2": 200, "g1/3": 200}


def test_imbalance_is_the_largest_share_against_an_even_one() -> None:
    assert imbalance([400, 200, 200, 200], 4) == 1.6
    assert imbalance([5, 5], 2) == 1
    assert imbalance([7], 3) == 3  # two clusters hold nothing
    assert imbalance([], 3) is imbalance([0, 0], 2) is None


def test_what_a_clustering_was_fitted_on() -> None:
    assert fitted_on(ABOUT) == Spread(1000, 0.8)
    assert fitted_on({"k": 2, "sizes": [1, 2]}) is None  # made before distances were kept


@pytest.mark.parametrize(
    ("arrived", "since"),
    [
        (None, None),
        (Spread(1000, 0.8), None),
        (Spread(1100, 0.82), Spread(100, 1.02)),  # (1100 * .82 - 1000 * .8) / 100
        (Spread(300, 1.0), Spread(300, 1.0)),
        (Spread(1001, 0.79), Spread(1, 0.0)),
    ],
)
def test_the_fitted_ones_are_taken_out(arrived: Spread | None, since: Spread | None) -> None:
    found = newer(Spread(1000, 0.8), arrived)
    if since is None or found is None:
        assert found is since
    else:
        assert found.images == since.images
        assert found.mean_distance == pytest.approx(since.mean_distance)


def test_all_is_well() -> None:
    assert judge(ABOUT, EVEN, Spread(1000, 0.8)) == {
        "fitted_images": 1000,
        "imbalance": 1.6,
        "fitted_imbalance": 1.6,
        "drift": None,
        "recluster": {"worth_it": False, "why": None, "waits": False},
    }


@pytest.mark.parametrize(
    ("arrived", "why"),
    [
        (Spread(1200, (800 + 200 * 0.8 * 1.06) / 1200), "200 newer images lie 6 % farther"),
        (Spread(1200, (800 + 200 * 0.8 * 1.04) / 1200), None),
        (Spread(1099, (800 + 99 * 0.8 * 1.5) / 1099), None),
        (Spread(1100, (800 + 100 * 0.8 * 1.5) / 1100), "100 newer images lie 50 % farther"),
        (Spread(500, 0.8 * 1.2), "500 newer images lie 20 % farther"),
    ],
)
def test_drift_is_worth_it_from_five_percent_of_a_hundred(arrived: Spread, why: str | None) -> None:
    found = judge(ABOUT, EVEN, arrived)
    assert found["drift"]["fitted_mean_distance"] == 0.8
    assert found["recluster"]["worth_it"] is (why is not None)
    assert (why or "") in (found["recluster"]["why"] or "")


def test_growth_and_swelling_are_reasons() -> None:
    grown = judge(ABOUT, {label: 2 * size for label, size in EVEN.items()}, None)
    assert grown["recluster"]["why"] == (
        "the clusters were fitted on 1,000 images and there are 2,000 now"
    )
    swollen = judge(ABOUT, {"g1/0": 910, "g1/1": 200, "g1/2": 200, "g1/3": 200}, None)
    assert swollen["imbalance"] == 2.411
    assert swollen["recluster"]["why"] == (
        "the largest cluster has 2.4 times an even share, 1.6 when it was fitted"
    )
    assert not judge(ABOUT, {"g1/0": 700, "g1/1": 250, "g1/2": 250}, None)["recluster"]["worth_it"]


def test_copies_count_once_among_the_fitted_as_among_the_arrived() -> None:
    about = {"k": 2, "sizes": [600, 400], "distinct": 500, "mean_distance": 0.8}
    assert fitted_on(about) == Spread(500, 0.8)
    found = judge(about, {"g1/0": 600, "g1/1": 400}, Spread(500, 0.8))
    assert (found["fitted_images"], found["drift"]) == (1000, None)
    newer = judge(about, EVEN, Spread(600, (500 * 0.8 + 100 * 1.2) / 600))
    assert newer["drift"]["images"] == 100
    assert newer["recluster"]["worth_it"]


def test_nothing_is_advised_while_many_files_are_pending() -> None:
    first_folder = Spread(300, 0.8 * 1.2)
    sizes = {"g1/0": 300}
    assert judge(ABOUT, sizes, first_folder)["recluster"]["worth_it"]
    during = judge(ABOUT, sizes, first_folder, pending=700)["recluster"]
    assert during == {"worth_it": False, "why": None, "waits": True}
    assert judge(ABOUT, sizes, first_folder, pending=15)["recluster"]["worth_it"]


def test_an_older_clustering_is_judged_as_far_as_it_tells() -> None:
    found = judge({"k": 2}, {"g1/0": 3, "g1/1": 1}, Spread(4, 0.9))
    assert found["imbalance"] == 1.5
    assert found["drift"] is found["fitted_images"] is found["fitted_imbalance"] is None
    assert judge({"k": 2}, {}, None)["imbalance"] is None
