"""Ids of points as stores take them: lower-case UUIDs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shared.errors import StoreError

_CANONICAL_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def checked_id(point_id: str) -> str:
    """The id; raises `StoreError` for one that no store would keep as it is written."""
    if not _CANONICAL_ID.fullmatch(point_id):
        raise StoreError(f"point id {point_id!r} is not a UUID: make ids as lower-case UUIDs")
    return point_id


def possible_ids(ids: Sequence[str]) -> list[str]:
    """Ids that can exist; engines refuse a whole list for one that is not a UUID."""
    return [point_id for point_id in ids if _CANONICAL_ID.fullmatch(point_id)]
