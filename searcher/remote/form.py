"""A question as the body of a request: JSON where there are only ids, else a form with pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from searcher.asked import Wish
from searcher.query.identity import OwnImages
from searcher.query.source import Query
from searcher.remote.connection import Content
from shared.conditions import FIELDS, Condition

_Fields = list[tuple[str, str]]


def question_content(
    like: Sequence[Query], unlike: Sequence[Query], wish: Wish, own: OwnImages
) -> Content:
    """Return the body of a request to ``/search``; without `like`, an image at random is the query.

    `own`: the indexed images that query images are.
    """
    ids = [one.point for one in like if one.point]
    not_ids = [one.point for one in unlike if one.point]
    if len(ids) == len(like) and len(not_ids) == len(unlike):
        value = options(wish) | {"ids": ids, "not_ids": not_ids, "random": not ids}
        return Content("application/json", (json.dumps(value).encode(),))
    fields: _Fields = [
        (name, one if isinstance(one, str) else json.dumps(one))
        for name, value in options(wish).items()
        for one in (value if isinstance(value, list) else [value])
    ]
    fields += [("ids", point) for point in ids] + [("not_ids", point) for point in not_ids]
    fields += [("own_ids", point) for point in sorted(own.points)]
    fields += [("own_files", f"{device}:{inode}") for device, inode in sorted(own.files)]
    return form(fields, [("image", one) for one in like] + [("not_image", one) for one in unlike])


def options(wish: Wish) -> dict[str, Any]:
    """The options as the service takes them; those that were not given are left out."""
    request = wish.request
    given = {
        "n": request.number,
        "probes": request.probes,
        "recall": request.wanted_recall if request.probes == "auto" else None,
        "verify": request.verify or None,
        "where": [condition_text(one) for one in request.where] or None,
        "min_score": request.min_score,
        "min_percentile": request.min_percentile,
        "tier": wish.tier,
        "explain": wish.explain or None,
        "self": request.keep_self or None,
        "records": True,
    }
    return {name: value for name, value in given.items() if value is not None}


def condition_text(condition: Condition) -> str:
    """A condition as `parse_where` reads it, meaning the same in whatever zone it is read."""
    value: object = condition.value
    if condition.field == "mtime":
        value = repr(float(condition.value))  # four digits alone would be a year
    elif FIELDS[condition.field].kind == "date" and condition.field != "taken_at":
        value = datetime.fromisoformat(str(value)).astimezone(UTC).isoformat()
    return f"{condition.field}{condition.op}{value}"


def form(fields: _Fields, pictures: Sequence[tuple[str, Query]]) -> Content:
    """A multipart form (RFC 7578) of texts and pictures, whose bytes are not copied."""
    boundary = os.urandom(16).hex()
    parts: list[bytes] = []
    for name, text in fields:
        parts.append(_head(boundary, f'name="{name}"') + text.encode() + b"\r\n")
    for name, query in pictures:
        if query.data is not None:
            shown = _file_name(query.shown)
            kind = "\r\nContent-Type: application/octet-stream"
            head = _head(boundary, f'name="{name}"; filename="{shown}"{kind}')
            parts += [head, query.data, b"\r\n"]
    parts.append(f"--{boundary}--\r\n".encode())
    return Content(f"multipart/form-data; boundary={boundary}", tuple(parts))


def _head(boundary: str, disposition: str) -> bytes:
    return f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode()


def _file_name(shown: str) -> str:
    """The last part of a path, without what would end it in a header."""
    name = os.path.basename(shown) or "image"
    return "".join(char if char.isprintable() and char not in '"\\' else "_" for char in name)
