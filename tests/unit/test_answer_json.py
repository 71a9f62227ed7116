"""An answer as JSON and read again: nothing that is shown changes, nothing that is odd passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searcher.answer import Answer, Recall, Took, answer_json, remarks
from searcher.reasons.explanation import (
    Explanation,
    Margin,
    explanation,
    explanation_json,
)
from searcher.remote.answers import answer_from_json, explanations_from_json
from searcher.render import table
from shared.errors import ServiceError
from shared.types import ImageRecord, ScoredImage, ancestor_folders, record_path
from tests.fakes import record

names = st.binary(min_size=1, max_size=8).filter(
    lambda raw: not set(raw) & set(b"/\0") and raw not in (b".", b"..")
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
cosines = st.floats(-1, 1).map(lambda value: round(value, 6))
counts = st.integers(0, 10**9)
labels = st.sampled_from(["g1/0", "g1/3", "g12/7"])


@st.composite
def records(draw: st.DrawFn) -> ImageRecord:
    raw = b"/".join(draw(st.lists(names, min_size=1, max_size=3)))
    path, path_raw = record_path(raw)
    return ImageRecord(
        id=str(draw(st.uuids())),
        root=draw(texts),
        path=path,
        path_raw=path_raw,
        folders=ancestor_folders(raw),
        cluster=tuple(draw(st.lists(labels, max_size=2))),
        sha256=draw(st.from_regex("[0-9a-f]{64}", fullmatch=True)),
        phash=draw(st.from_regex("[0-9a-f]{16}", fullmatch=True)),
        width=draw(counts),
        height=draw(counts),
        format=draw(texts),
        bytes=draw(counts),
        mtime=draw(st.floats(allow_nan=False, allow_infinity=False)),
        taken_at=draw(st.none() | texts),
        indexed_at=draw(texts),
        encoder=draw(texts),
    )


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    found = draw(st.lists(records(), max_size=4, unique_by=lambda one: one.id))
    results = tuple(ScoredImage(one.id, draw(cosines), one) for one in found)
    calibrated, took = draw(st.booleans()), st.floats(0, 1e4)
    percentiles = st.integers(0, 100_000).map(lambda value: value / 1000)
    tiers = st.sampled_from(["exact", "near", "similar"])
    kinds = st.sampled_from(["expected", "measured"])
    shares = st.integers(0, 10_000).map(lambda value: value / 10_000)
    return Answer(
        cluster=draw(labels),
        clusters_searched=tuple(draw(st.lists(labels, max_size=3))),
        searched=draw(counts),
        matching=draw(counts),
        total=draw(counts),
        number=draw(st.integers(1, 10_000)),
        results=results,
        took=Took(draw(took), draw(took), draw(took)).rounded(),
        recall=draw(st.none() | st.builds(Recall, shares, kinds)),
        left_out=draw(counts),
        best_score=draw(st.none() | cosines),
        least_alike=draw(cosines) if calibrated else None,
        percentiles={one.id: draw(percentiles) for one in found} if calibrated else {},
        tiers={one.id: draw(tiers) for one in found if draw(st.booleans())},
    )


def sent(answer: Answer, **more: Any) -> Any:
    """As a service sends it and a client gets it."""
    return json.loads(json.dumps(answer_json("q", answer, records=True, **more), allow_nan=False))


@settings(deadline=None)
@given(answers(), texts)
def test_what_is_read_shows_what_was_written(answer: Answer, shown: str) -> None:
    again = answer_from_json(sent(answer))
    assert again == answer
    assert table(shown, again, color=True) == table(shown, answer, color=True)
    assert answer_json(shown, again) == answer_json(shown, answer)


distances = st.floats(0, 4)
margins = st.builds(Margin, labels, distances) | st.builds(
    Margin, labels, distances, labels, distances, st.floats(-2, 2)
)
explanations = st.builds(
    lambda margin, percentile, bits: Explanation(margin.rounded(), percentile, bits),
    margins,
    st.none() | st.floats(0, 100),
    st.none() | st.integers(0, 64),
)


@settings(deadline=None)
@given(explanations)
def test_an_explanation_that_is_read_is_the_same_line(told: Explanation) -> None:
    answer = plain()
    (read,) = explanations_from_json(sent(answer, explained={"1": explanation_json(told)})).values()
    assert explanation(read) == explanation(told)
    assert explanation_json(read) == explanation_json(told)


def plain(number: int = 1) -> Answer:
    results = (ScoredImage("1", 0.25, record("a/b.jpg")),)
    return Answer("g1/0", ("g1/0",), 5, 9, 9, number, results, Took(1.0, 2.0, 3.0))


def test_what_was_not_explained_has_no_explanation() -> None:
    assert explanations_from_json(sent(plain())) == {}


def test_remarks_are_told_as_the_table_tells_them() -> None:
    value = sent(plain(number=12))
    assert value["remarks"] == [
        "only 1 of 12 wanted are in the cluster searched: give more --probes"
    ]
    assert table("q", plain(number=12)).endswith(value["remarks"][0] + "\n")
    odd = Answer("g1/0", ("g1/0",), 5, 9, 9, 1, (), Took(), best_score=0.1, least_alike=0.5)
    assert remarks(odd)[0].startswith("nothing here looks like it: the best score is below 0.500")


Change = Callable[[Any], Any]


def at(*keys: str | int, value: Any) -> Change:
    """A change of one value deep inside."""

    def change(whole: Any) -> Any:
        inside = whole
        for key in keys[:-1]:
            inside = inside[key]
        inside[keys[-1]] = value
        return whole

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda _: None,
        lambda _: [],
        lambda _: {},
        lambda whole: {key: value for key, value in whole.items() if key != "total"},
        at("cluster", value=3),
        at("cluster", value="\ud800"),
        at("clusters_searched", value="g1/0"),
        at("clusters_searched", value=["g1/0", None]),
        at("searched", value=-1),
        at("searched", value=True),
        at("searched", value=1.5),
        at("total", value=10**400),
        at("recall", value={"value": 2, "kind": "expected"}),
        at("recall", value={"value": 0.5, "kind": "guessed"}),
        at("recall", value=0.5),
        at("best_score", value=float("nan")),
        at("least_alike", value=10**400),
        at("took_ms", value=None),
        at("took_ms", "search", value="soon"),
        at("results", value={}),
        at("results", value=[3]),
        at("results", value=[{}] * 10_001),
        at("results", 0, "id", value=None),
        at("results", 0, "score", value=1.01),
        at("results", 0, "score", value=float("inf")),
        at("results", 0, "tier", value="twin"),
        at("results", 0, "percentile", value=101),
        at("results", 0, "record", value="all of it"),
        at("results", 0, "record", "width", value="4"),
        at("results", 0, "record", "folders", value=[1]),
        at("results", 0, "record", "path_raw", value="abc"),
    ],
)
def test_what_is_no_answer_is_one_line(change: Change) -> None:
    with pytest.raises(ServiceError, match="of the service") as caught:
        answer_from_json(change(sent(plain())))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("path", ["../a.jpg", "/etc/passwd", "a/../../b", "a//b", "", "a\0b"])
def test_no_path_leaves_its_root(path: str) -> None:
    with pytest.raises(ServiceError, match="path is"):
        answer_from_json(at("results", 0, "record", "path", value=path)(sent(plain())))


def test_no_raw_path_leaves_its_root() -> None:
    for raw in ("Li4vYQ==", "L2V0Yw=="):  # ../a and /etc
        value = at("results", 0, "record", "path_raw", value=raw)(sent(plain()))
        with pytest.raises(ServiceError, match="path is"):
            answer_from_json(value)


@settings(deadline=None)
@given(explanations, st.sampled_from(["cluster", "distance", "border", "hash_bits", "percentile"]))
def test_what_is_no_explanation_is_one_line(told: Explanation, key: str) -> None:
    value = sent(plain(), explained={"1": explanation_json(told) | {key: [1]}})
    with pytest.raises(ServiceError, match=key):
        explanations_from_json(value)
