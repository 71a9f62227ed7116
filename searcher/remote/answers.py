"""Answers as a service writes them, read again and checked value by value."""

from __future__ import annotations

from typing import get_args

from searcher.answer import Answer, Recall, RecallKind, Tier, Took
from searcher.reasons.explanation import Explanation, Margin
from searcher.remote.shape import Shape
from shared.types import ImageRecord, ScoredImage

MOST_RESULTS = 10_000
_HASH_BITS = 64


def answer_from_json(value: object) -> Answer:
    """The answer that `answer_json` wrote, with the records it holds; `point` and `vector` are not
    in it. Raises `ServiceError` for anything else."""
    shape = Shape.of(value, "the answer")
    results = [Shape.of(one, "a result") for one in shape.items("results", most=MOST_RESULTS)]
    took, recall = shape.part("took_ms"), shape.maybe_part("recall")
    percentiles = {one.text("id"): one.maybe_number("percentile", 0, 100) for one in results}
    tiers = {one.text("id"): one.maybe_choice("tier", get_args(Tier)) for one in results}
    return Answer(
        cluster=shape.text("cluster"),
        clusters_searched=shape.texts("clusters_searched"),
        searched=shape.count("searched"),
        matching=shape.count("matching"),
        total=shape.count("total"),
        number=shape.count("number"),
        results=tuple(_result(one) for one in results),
        took=Took(*(took.number(name, 0) for name in ("decode", "encode", "search"))),
        recall=_recall(recall) if recall else None,
        left_out=shape.count("left_out"),
        best_score=shape.maybe_number("best_score", -1, 1),
        least_alike=shape.maybe_number("least_alike", -1, 1),
        percentiles={point: value for point, value in percentiles.items() if value is not None},
        tiers={point: tier for point, tier in tiers.items() if tier is not None},
    )


def explanations_from_json(value: object) -> dict[str, Explanation]:
    """By result id, what `explanation_json` wrote into an answer, less the heat. Raises
    `ServiceError`."""
    shape = Shape.of(value, "the answer")
    results = [Shape.of(one, "a result") for one in shape.items("results", most=MOST_RESULTS)]
    parts = {one.text("id"): one.maybe_part("explain") for one in results}
    return {point: _explanation(part) for point, part in parts.items() if part is not None}


def _recall(shape: Shape) -> Recall:
    return Recall(shape.number("value", 0, 1), shape.choice("kind", get_args(RecallKind)))


def _result(shape: Shape) -> ScoredImage:
    point, record = shape.text("id"), shape.maybe_part("record")
    score = shape.number("score", -1, 1)
    return ScoredImage(point, score, _record(point, record) if record else None)


def _record(point: str, shape: Shape) -> ImageRecord:
    record = ImageRecord(
        id=point,
        root=shape.text("root"),
        path=shape.text("path"),
        folders=shape.texts("folders"),
        cluster=shape.texts("cluster"),
        sha256=shape.text("sha256"),
        phash=shape.text("phash"),
        phash_version=shape.maybe_count("phash_version") or 1,
        width=shape.count("width"),
        height=shape.count("height"),
        format=shape.text("format"),
        bytes=shape.count("bytes"),
        mtime=shape.number("mtime"),
        taken_at=shape.maybe_text("taken_at"),
        indexed_at=shape.text("indexed_at"),
        encoder=shape.text("encoder"),
        path_raw=shape.maybe_text("path_raw"),
    )
    try:
        parts = record.relative().split(b"/")
    except ValueError as error:
        raise shape.wrong("path_raw") from error
    if b".." in parts or b"" in parts or b"\0" in record.relative():
        raise shape.wrong("path")  # it would leave its root
    return record


def _explanation(shape: Shape) -> Explanation:
    margin = Margin(
        cluster=shape.text("cluster"),
        distance=shape.number("distance", 0),
        next=shape.maybe_text("next_cluster"),
        next_distance=shape.maybe_number("next_distance", 0),
        border=shape.maybe_number("border"),
    )
    return Explanation(
        margin, shape.maybe_number("percentile", 0, 100), shape.maybe_count("hash_bits", _HASH_BITS)
    )
