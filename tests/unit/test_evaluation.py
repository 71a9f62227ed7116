"""Measures of a ranked answer against numbers worked by hand, and their properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.evaluation import (
    average_precision_at,
    mean_average_precision_at,
    mean_coverage,
    mean_precision_at_k,
    mean_recall_at_k,
    precision_at_k,
    recall_at_k,
)

answers = st.lists(st.booleans(), max_size=30).map(lambda row: np.array(row, np.bool_))
ks = st.integers(1, 40)


def row(marks: str) -> NDArray[np.bool_]:
    """``"+-"``: the first result is relevant, the second is not."""
    return np.array([mark == "+" for mark in marks], np.bool_)


@pytest.mark.parametrize(
    ("marks", "k", "value"),
    [
        ("+-+-", 1, 1),
        ("+-+-", 2, 1 / 2),
        ("+-+-", 3, 2 / 3),
        ("++", 10, 2 / 10),  # eight places are empty, and empty is wrong
        ("", 10, 0),
    ],
)
def test_precision_by_hand(marks: str, k: int, value: float) -> None:
    assert precision_at_k(row(marks), k) == pytest.approx(value)


@pytest.mark.parametrize(
    ("marks", "depth", "value"),
    [
        ("+-+-", 100, (1 / 1 + 2 / 3) / 2),
        ("--+-+", 100, (1 / 3 + 2 / 5) / 2),
        ("--+-+", 4, 1 / 3),
        ("++++", 100, 1),
        ("----+", 4, 0),
        ("", 100, 0),
    ],
)
def test_average_precision_by_hand(marks: str, depth: int, value: float) -> None:
    assert average_precision_at(row(marks), depth) == pytest.approx(value)


def test_means_are_over_queries_of_any_length() -> None:
    rows = [row("+-"), row("-+++"), row("")]
    assert mean_precision_at_k(rows, 2) == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)
    third = (1 / 2 + 2 / 3 + 3 / 4) / 3
    assert mean_average_precision_at(rows, 100) == pytest.approx((1 + third + 0) / 3)


def test_recall_by_hand() -> None:
    assert recall_at_k(["c", "a", "x"], ["a", "b", "c"], 3) == pytest.approx(2 / 3)
    assert recall_at_k(["a"], ["a", "b", "c"], 1) == 1
    # Two exist: both count although five were asked for.
    assert recall_at_k(["b"], ["a", "b"], 5) == pytest.approx(1 / 2)
    assert recall_at_k([], [], 5) == 1
    # Only the restricted answer's own top k counts.
    assert mean_recall_at_k([["x", "a"], ["a", "x"]], [["a", "b"]] * 2, 1) == pytest.approx(1 / 2)


def test_coverage_by_hand() -> None:
    assert mean_coverage([10, 30], 40) == pytest.approx(1 / 2)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="0 results"):
        precision_at_k(row("+"), 0)
    with pytest.raises(ValueError, match="-1 results"):
        average_precision_at(row("+"), -1)
    with pytest.raises(ValueError, match="0 results"):
        recall_at_k(["a"], ["a"], 0)
    with pytest.raises(ValueError, match="shape"):
        precision_at_k(row("++").reshape(1, 2), 1)
    with pytest.raises(ValueError, match="no query"):
        mean_precision_at_k([], 10)
    with pytest.raises(ValueError, match="total is 0"):
        mean_coverage([0], 0)
    with pytest.raises(ValueError, match="zip"):
        mean_recall_at_k([["a"]], [], 1)


@given(answers, ks)
def test_measures_are_shares(relevant: NDArray[np.bool_], k: int) -> None:
    before = relevant.copy()
    assert 0 <= precision_at_k(relevant, k) <= 1
    assert 0 <= average_precision_at(relevant, k) <= 1
    assert np.array_equal(relevant, before)


@given(answers, ks)
def test_precision_sees_no_order_within_k_and_nothing_behind(
    relevant: NDArray[np.bool_], k: int
) -> None:
    turned = np.concatenate([relevant[:k][::-1], ~relevant[k:]])
    assert precision_at_k(relevant, k) == precision_at_k(turned, k)


@given(answers, ks, st.data())
def test_a_relevant_result_that_moves_up_never_lowers_average_precision(
    relevant: NDArray[np.bool_], k: int, data: st.DataObject
) -> None:
    if len(relevant) < 2:
        return
    place = data.draw(st.integers(1, len(relevant) - 1))
    if place >= k or not relevant[place] or relevant[place - 1]:
        return  # at the depth's edge one more relevant result comes into view
    better = relevant.copy()
    better[[place - 1, place]] = better[[place, place - 1]]
    assert average_precision_at(better, k) > average_precision_at(relevant, k)


@given(st.lists(st.integers(), unique=True), st.lists(st.integers(), unique=True), ks)
def test_recall_of_everything_is_one_and_more_never_lowers_it(
    exact: list[int], found: list[int], k: int
) -> None:
    assert recall_at_k(exact, exact, k) == 1
    assert recall_at_k(found + exact[:1], exact, k) >= recall_at_k(found, exact, k)
    assert recall_at_k(found, exact, k) == recall_at_k(found[::-1], exact, k)
