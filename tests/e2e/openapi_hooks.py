"""What schemathesis cannot know from the document: pictures, ids of images, conditions.

Loaded by its command line in a process of its own; see `test_openapi.py`.
"""

from __future__ import annotations

import json
import os
import urllib.request
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import strategies as st

_PICTURES = [path.read_bytes() for path in sorted(Path(os.environ["PICTURES"]).rglob("*.jpg"))]
_CONDITIONS = ["width>=10", "folder!=nowhere", "format=jpeg", "indexed_at>2000", "bytes<1e9"]
_FOR_RECALL = "recall is for `probes: auto`"


def _ids() -> list[str]:
    with urllib.request.urlopen(f"{os.environ['SERVICE']}/images") as reply:  # noqa: S310 - ours
        return [image["id"] for image in json.load(reply)["images"]]


schemathesis.openapi.format("uuid", st.sampled_from(_ids()) | st.uuids().map(str))
schemathesis.openapi.format("binary", st.sampled_from(_PICTURES))
schemathesis.openapi.format("condition", st.sampled_from(_CONDITIONS))


@schemathesis.check
def valid_data_is_accepted(_context: Any, response: Any, case: Any) -> None:
    """In place of `positive_data_acceptance`: the generator passes over `dependentSchemas`, by
    which the document says that `recall` needs `probes: auto`."""
    if case.meta.generation.mode.value != "positive":
        return
    if response.status_code not in (200, 204, 304, 404) and _FOR_RECALL not in response.text:
        raise AssertionError(f"{response.status_code}: {response.text[:500]}")
