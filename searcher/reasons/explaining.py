"""Explains the results of one answer: in a line each, as JSON, and drawn over their pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from searcher.answer import Answer
from searcher.hashes import bits_apart, hashes_of
from searcher.opening import Home
from searcher.query.examples import Question
from searcher.reasons.explain import margin, result_heat
from searcher.reasons.explanation import Explanation, explanation, explanation_json
from searcher.search import Searcher


@dataclass(frozen=True, slots=True)
class Explained:
    """By result id: a line of text, JSON values, and the picture with its heat map over it."""

    lines: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    heats: Mapping[str, Image.Image] = field(default_factory=dict)


def explain(
    question: Question, answer: Answer, searcher: Searcher, home: Home, *, drawn: bool
) -> Explained:
    """Why each result is one. Heat maps, which take a tenth of a second each, only if `drawn`.

    Raises `StoreError` and `ModelError`.
    """
    stored = searcher.store.get([one.id for one in answer.results], with_vectors=True)
    hashed = _hashes(question, answer)
    lines, values, heats = {}, {}, {}
    for result in answer.results:
        found = stored.get(result.id)
        if found is None or found.vector is None:
            continue  # deleted since it was found
        heat = None
        if drawn and answer.vector is not None:
            heat = result_heat(result, answer.vector, home.encoder, home.roots, home.limits)
        told = Explanation(
            margin=margin(searcher.clustering, found.vector).rounded(),
            percentile=answer.percentile(result),
            hash_bits=bits_apart(hashed, hashes_of(found.record)),
            heat=heat and heat[0],
        )
        lines[result.id], values[result.id] = explanation(told), explanation_json(told)
        if heat is not None:
            heats[result.id] = heat[1]
    return Explained(lines, values, heats)


def _hashes(question: Question, answer: Answer) -> Mapping[int, str]:
    """The perceptual hashes of the query; none for several examples at once."""
    if not question.is_plain:
        return {}
    decoded = question.like[0].decoded
    if decoded is not None:
        return hashes_of(decoded)
    return hashes_of(answer.point) if answer.point else {}
