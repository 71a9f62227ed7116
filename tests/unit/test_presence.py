"""Where code decides whether something is on disk: any error but absence means unknown."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from shared.reading import is_absent

ROOT = Path(__file__).parent.parent.parent
BLIND = {"exists", "lexists", "isfile", "isdir", "islink"}
"""Functions of `os.path` that take every error for absence."""

ALLOWED = {
    "indexer/backup/placing.py": "files of the home, which this process has just moved",
    "shared/labels.py": "a remark about rows of a CSV",
    "shared/reading.py": "the words of a refusal",
}
"""Where nothing is deleted for it."""


def test_no_error_is_taken_for_absence() -> None:
    found = set()
    for package in ("indexer", "shared"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute) and node.attr in BLIND:
                    base = node.value
                    if isinstance(base, ast.Attribute) and base.attr == "path":
                        found.add(path.relative_to(ROOT).as_posix())
    assert found == set(ALLOWED), "use shared.reading.is_absent, or say why it may be taken so"


@pytest.mark.parametrize(
    ("error", "absent"),
    [
        (FileNotFoundError(2, ""), True),
        (NotADirectoryError(20, ""), True),
        (PermissionError(13, ""), False),
        (OSError(5, "Input/output error"), False),
        (OSError("no number"), False),
    ],
)
def test_what_is_absent(error: OSError, absent: bool) -> None:
    assert is_absent(error) == absent
