"""A settings file on its way through a backup: keys never go in, places of one machine not out."""

from __future__ import annotations

import tomllib
from collections.abc import Collection

from indexer.moving.switching import setting_line

KEYS = ("api_key", "qdrant_api_key")
"""Settings that are secrets."""
PLACES = ("url", "qdrant_url", "qdrant_api_key_file", "qdrant_ca_file", "models_folder", "roots")
"""Settings that name a server or a folder: those of the machine that is restored to count."""


def without(text: str, names: Collection[str]) -> tuple[str, list[str]]:
    """The settings as text again, plain and without comments, and which of `names` were in it.

    Raises ValueError for what is no settings file.
    """
    values = tomllib.loads(text)
    kept = [
        setting_line(name, value)
        for name, value in values.items()
        if name not in names and isinstance(value, str | int | float)
    ]
    return "".join(line + "\n" for line in kept), sorted(values.keys() & set(names))
