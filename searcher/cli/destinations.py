"""Where `--sheet` and `--html` go, and how `--open` shows them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.errors import LookalikeError

SHEET_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def check_destination(path: Path, given: Sequence[str], roots: Mapping[str, Path]) -> None:
    """Raise `LookalikeError` where writing would touch the user's pictures or cannot work.

    That is: over one of the query images, inside an indexed folder, or where no folder is.
    """
    target = os.path.realpath(path)
    if any(os.path.realpath(text) == target for text in given):
        raise LookalikeError(f"{path} is a query image: choose another place to write to")
    for root in roots.values():
        if os.path.commonpath([target, folder := os.path.realpath(root)]) == folder:
            raise LookalikeError(
                f"{path} lies in the indexed folder {root}, where nothing is written: "
                "choose another place"
            )
    if os.path.isdir(target):
        raise LookalikeError(f"{path} is a folder: give the name of a file")
    if not os.path.isdir(os.path.dirname(target)):
        raise LookalikeError(f"{path} cannot be written: its folder does not exist")


def temporary_page() -> Path:
    """An empty HTML file of the user's own that nobody removes: the viewer opens it later."""
    import tempfile

    descriptor, name = tempfile.mkstemp(prefix="lookalike-", suffix=".html")
    os.close(descriptor)
    return Path(name)


def view(path: Path) -> None:
    """Show a file with the platform's viewer and do not wait. Raises `LookalikeError`."""
    viewer = "open" if sys.platform == "darwin" else "xdg-open"
    quiet = subprocess.DEVNULL
    try:
        subprocess.Popen(
            [viewer, os.fspath(path.absolute())],
            stdin=quiet,
            stdout=quiet,
            stderr=quiet,
            start_new_session=True,
        )
    except OSError as error:
        raise LookalikeError(
            f"{viewer} cannot be started ({error.strerror}): open {path} yourself"
        ) from error
