"""Which folder each root id stands for: written by the indexer, read by whoever shows a picture.

Points carry a root id and a path inside the root. Where the root lies on this machine is kept here,
in `roots.json` of the home, so that a copied home works after one edit or scan. A searcher on
another machine, whose home nobody indexes into, is told by the setting `roots`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from shared.errors import LookalikeError, SettingsError
from shared.files import write_json
from shared.settings import Settings

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


def known_roots(settings: Settings) -> dict[str, Path]:
    """The folder of every root id: those of the home, and over them those of the setting `roots`.

    Raises `LookalikeError` as `read_roots`, and `SettingsError` as `told_roots`.
    """
    return read_roots(settings.home) | told_roots(settings)


def told_roots(settings: Settings) -> dict[str, Path]:
    """The folders that the setting `roots` names. Raises `SettingsError` if it is none."""
    found: dict[str, Path] = {}
    for entry in filter(None, (settings.roots or "").split(":")):
        name, _, folder = entry.partition("=")
        if not name or not folder.startswith("/"):
            raise SettingsError(
                f"setting roots has {entry!r}: it must be NAME=FOLDER with a folder that begins "
                "with /, several separated by colons"
            )
        if name in found:
            raise SettingsError(f"setting roots has {name!r} twice: give each root one folder")
        found[name] = Path(folder)
    return found
