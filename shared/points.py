"""Point ids: one path of one root is one point, for ever."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Mapping
from pathlib import Path

NAMESPACE = uuid.UUID("5d7c1f0a-6d0e-5c8b-9a44-1f6e0c2b7d19")
"""Lookalike's own namespace; never change it, ids on disk depend on it."""


def point_id(root: str, relative: bytes) -> str:
    """UUIDv5 of root id, NUL, relative path, made by hand because names need not be UTF-8.

    RFC 9562, section 5.5: SHA-1 over namespace and name, first 16 bytes, version and variant set.
    """
    name = root.encode() + b"\0" + relative
    digest = hashlib.sha1(NAMESPACE.bytes + name, usedforsecurity=False).digest()
    return str(uuid.UUID(bytes=digest[:16], version=5))


def points_of(path: bytes, roots: Mapping[str, Path]) -> tuple[str, ...]:
    """Return the ids of the points that a file would be, one for every root that it lies below.

    `path` is canonical; `roots` gives the folder of each root id, which may lead through links.
    """
    found = []
    for root, folder in roots.items():
        base = os.path.join(os.path.realpath(os.fsencode(folder)), b"")
        if path.startswith(base):
            found.append(point_id(root, path.removeprefix(base)))
    return tuple(found)
