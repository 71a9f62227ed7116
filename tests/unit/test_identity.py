"""Which folder stands at a path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from indexer.identity import FolderIdentity, folder_identity


def test_a_folder_is_the_same_however_its_content_changes(tmp_path: Path) -> None:
    before = folder_identity(os.fsencode(tmp_path))
    (tmp_path / "new").mkdir()
    assert before == folder_identity(os.fsencode(tmp_path))
    assert before.is_same(before)


def test_a_folder_made_again_is_another_even_with_its_inode(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    before = folder_identity(os.fsencode(folder))
    folder.rmdir()
    folder.mkdir()
    assert not before.is_same(folder_identity(os.fsencode(folder)))


def test_an_unknown_generation_tells_nothing_apart() -> None:
    assert FolderIdentity(1, 2, 3).is_same(FolderIdentity(1, 2))
    assert FolderIdentity(1, 2).is_same(FolderIdentity(1, 2, 3))
    assert not FolderIdentity(1, 2, 3).is_same(FolderIdentity(1, 2, 4))
    assert not FolderIdentity(1, 2).is_same(FolderIdentity(1, 3))
    assert not FolderIdentity(1, 2).is_same(None)


def test_what_is_no_folder_has_no_identity(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        folder_identity(os.fsencode(tmp_path / "file"))
    with pytest.raises(FileNotFoundError):
        folder_identity(os.fsencode(tmp_path / "missing"))
