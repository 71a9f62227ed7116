"""Which folder each root id stands for: written by the indexer, read by whoever shows a picture.

Points carry a root id and a path inside the root. Where the root lies on this machine is kept here,
in `roots.json` of the home, so that a copied home works after one edit or scan.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from shared.errors import LookalikeError
from shared.files import write_json

FORMAT_VERSION = 1
FILE_NAME = "roots.json"


def root_id(folder: Path, name: str | None = None) -> str:
    """A root's id as valid Unicode: the given name, or else the canonical absolute path.

    Bytes that are not UTF-8 are spelled ``\\xff``, so that every id can be hashed and stored.
    """
    return os.fsencode(name or os.path.realpath(folder)).decode("utf-8", "backslashreplace")


def write_roots(home: Path, roots: Mapping[str, Path]) -> None:
    """Replace the map from root id to folder."""
    value = {key: os.fspath(path) for key, path in roots.items()}
    write_json(home / FILE_NAME, {"format": FORMAT_VERSION, "roots": value})


def read_roots(home: Path) -> dict[str, Path]:
    """The folder of every root id; empty before the first scan. Raises `LookalikeError`."""
    path = home / FILE_NAME
    try:
        value = json.loads(path.read_bytes())
        if value["format"] != FORMAT_VERSION:
            raise LookalikeError(
                f"{path} has format {value['format']}, this program reads {FORMAT_VERSION}: "
                "use the version that wrote it"
            )
        return {key: Path(folder) for key, folder in value["roots"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LookalikeError(f"{path} is damaged: {error}: run `indexer scan` again") from error
