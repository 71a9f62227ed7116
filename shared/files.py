"""Small files that are complete or absent: written beside, flushed, then renamed."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BESIDE = ".new-"
_ABANDONED_SECONDS = 86_400.0


def write_atomically(path: Path, data: bytes) -> None:
    """Replace `path` with `data`; a reader sees the old bytes or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.parent / f".{path.name}-{secrets.token_hex(6)}"
    try:
        # Not mkstemp: its files are for their owner alone, and searchers may be another user.
        with name.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        name.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    """Replace `path` with the value as JSON, readable by people."""
    write_atomically(path, (json.dumps(value, indent=2, sort_keys=True) + "\n").encode())


@contextlib.contextmanager
def folder_beside(parent: Path) -> Iterator[Path]:
    """An empty folder below `parent` to build in; rename it away or it is removed at the end.

    What a killed process left there more than a day ago is removed as well.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(_BESIDE + "*"):
        if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    path = Path(tempfile.mkdtemp(dir=parent, prefix=_BESIDE))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def publish_folder(built: Path, target: Path) -> bool:
    """Rename a finished folder into place, durably. Returns False, and keeps both, if `target` is
    already there.
    """
    for file in built.rglob("*"):
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
    for folder in [built, *(entry for entry in built.rglob("*") if entry.is_dir())]:
        sync_folder(folder)
    published = not target.exists()
    if published:
        built.chmod(0o755)
        built.rename(target)
    sync_folder(target.parent)
    return published


def sync_folder(path: Path) -> None:
    """Make the folder's entries durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
