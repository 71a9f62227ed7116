"""What local mode leaves to be desired of a store: one commit a request, all parameters kept."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any


class OneCommit:
    """A connection of local mode that commits when the stub says so, not after every point.

    A process that is killed loses nothing that was committed; a machine that loses its power might,
    which no test does.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute("PRAGMA synchronous = OFF")

    def __enter__(self) -> OneCommit:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing: the request is not over."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class Parameters:
    """What every collection was made with, and its indexes: local mode forgets both.

    `made`: the bodies of the requests that made collections. `indexes`: by collection and field.
    Kept in a file beside the points when there is a folder.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / "parameters.json" if folder else None
        kept = json.loads(self._path.read_text()) if self._path and self._path.exists() else {}
        self.made: dict[str, dict[str, Any]] = kept.get("made", {})
        self.indexes: dict[str, dict[str, Any]] = kept.get("indexes", {})

    def save(self) -> None:
        """Write the file anew; it is whole at any time."""
        if self._path is not None:
            beside = self._path.with_suffix(".new")
            beside.write_text(json.dumps({"made": self.made, "indexes": self.indexes}))
            os.replace(beside, self._path)
