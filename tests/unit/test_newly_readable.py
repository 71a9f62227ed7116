"""Refused files are tried again once more can be read than when they were refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.database import Database
from indexer.journal import Journal
from indexer.newly_readable import FILE_NAME, owe_newly_readable
from shared import formats
from shared.reading import Signature

FILE = ("root", b"a.dng", Signature(1, 2, 3, 4, 5))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    database = Database(tmp_path / "journal.sqlite3")
    yield Journal(database)
    database.close()


def state(journal: Journal) -> str:
    found = journal.file(FILE[0], FILE[1])
    assert found is not None
    return found.state


def test_a_refused_file_is_left_alone_while_nothing_has_changed(
    tmp_path: Path, journal: Journal
) -> None:
    owe_newly_readable(tmp_path, journal)
    journal.refuse([(*FILE, "needs an extra")])
    owe_newly_readable(tmp_path, journal)
    assert state(journal) == "refused"


def test_an_extra_that_was_installed_gives_it_another_try(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    owe_newly_readable(tmp_path, journal)
    before = json.loads((tmp_path / FILE_NAME).read_text())["formats"]
    assert not {"HEIC", "DNG", "NEF"}.intersection(before)
    journal.refuse([(*FILE, "needs an extra")])
    monkeypatch.setattr(formats, "find_spec", lambda name: object())
    owe_newly_readable(tmp_path, journal)
    assert state(journal) == "owed"


@pytest.mark.parametrize("content", [None, "", "[1", '{"version": 1, "formats": []}'])
def test_another_version_gives_it_another_try(
    tmp_path: Path, journal: Journal, content: str | None
) -> None:
    journal.refuse([(*FILE, "is damaged")])
    if content is not None:
        (tmp_path / FILE_NAME).write_text(content)
    owe_newly_readable(tmp_path, journal)
    assert state(journal) == "owed"
    journal.refuse([(*FILE, "is damaged")])
    owe_newly_readable(tmp_path, journal)
    assert state(journal) == "refused"
