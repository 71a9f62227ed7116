"""Refused files are tried again once this program reads more than it did when it refused them."""

from __future__ import annotations

import json
from pathlib import Path

from indexer.journal import Journal
from shared.files import write_json
from shared.formats import READING_VERSION, readable

FILE_NAME = "reading.json"


def owe_newly_readable(home: Path, journal: Journal) -> None:
    """Have every refused file read again if an extra was installed, or another version of this
    program, since `reading.json` of the home was written; then write it anew.

    A home without that file was indexed by a version that did not write one.
    """
    reads = {"version": READING_VERSION, "formats": list(readable())}
    path = home / FILE_NAME
    try:
        before = json.loads(path.read_bytes())
    except (OSError, ValueError):
        before = None
    if before != reads:
        journal.owe_refused()
        write_json(path, reads)
