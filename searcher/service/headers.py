"""The headers that every answer has, whoever gives it."""

from __future__ import annotations

from searcher.service.version import VERSION

ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
    "lookalike-version": VERSION,
}
"""Names in lower case; a route that sets one of them itself wins."""

REQUEST_ID = "x-request-id"
