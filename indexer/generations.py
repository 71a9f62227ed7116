"""Old clusterings on disk: the one that answers and the one before stay."""

from __future__ import annotations

import contextlib
import re
import shutil

from shared.files import folder_beside
from shared.models import Models, Pair


def remove_old_generations(models: Models, current: Pair) -> list[str]:
    """Remove all generations of the current encoder but the current one, the one before it and
    later ones, which may be waiting; the names of those removed.

    The one before stays for whoever read `current` a moment ago.
    """
    parent = models.clustering_path(current).parent
    answering = int(current.generation[1:])
    older = sorted(
        number
        for path in parent.glob("g*")
        if re.fullmatch("g[1-9][0-9]*", path.name) and (number := int(path.name[1:])) < answering
    )
    for number in older[:-1]:
        # Another who leads as well may have been faster.
        with folder_beside(parent) as aside, contextlib.suppress(FileNotFoundError):
            # Renamed first: a clustering is complete or absent, also to one who is reading it.
            (parent / f"g{number}").rename(aside / "old")
            shutil.rmtree(aside / "old", ignore_errors=True)
    return [f"g{number}" for number in older[:-1]]
