"""API keys as the server has them: one for everything, one that only reads."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from tests.qdrant.asking import Asked, Refusal

OPEN = {"root", "healthz", "livez", "readyz"}
"""Operations that need no key."""
READING = {
    *OPEN,
    "cluster_status",
    "collection_exists",
    "count_points",
    "facet",
    "get_collection",
    "get_collection_aliases",
    "get_collections",
    "get_collections_aliases",
    "get_points",
    "query_batch_points",
    "query_points",
    "scroll_points",
}


@dataclass(frozen=True, slots=True)
class Keys:
    """Without any key, everybody may do everything."""

    all: str | None = None
    reading: str | None = None

    def check(self, asked: Asked, operation: str) -> None:
        """Raise `Refusal` for those who may not, in the server's own words.

        Who has no key is answered in plain text: the server's middleware does not write JSON.
        """
        if operation in OPEN or not (self.all or self.reading):
            return
        given = _given(asked.headers)
        if given is None:
            missing = "Must provide an API key or an Authorization bearer token"
            raise Refusal(401, missing, "text")
        if _same(given, self.all):
            return
        if not _same(given, self.reading):
            raise Refusal(401, "Invalid API key or JWT", "text")
        if operation not in READING:
            raise Refusal(403, "Forbidden: Global manage access is required")


def _given(headers: Mapping[str, str]) -> str | None:
    if "api-key" in headers:
        return headers["api-key"]
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token if scheme == "Bearer" else None


def _same(given: str, key: str | None) -> bool:
    return bool(key) and hmac.compare_digest(given.encode(), str(key).encode())
