"""Files that are complete or absent, and the map from root ids to folders."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path

import pytest

from shared.errors import LookalikeError, SettingsError
from shared.files import folder_beside, publish_folder, write_atomically, write_json
from shared.points import point_id
from shared.roots import FILE_NAME, known_roots, read_roots, root_id, write_roots
from shared.settings import load_settings


class Interrupted(BaseException):
    """Stands for Ctrl-C at the worst moment."""


def interrupt(*_: object, **__: object) -> None:
    raise Interrupted


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_file_is_written_with_its_folders_and_replaced(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "file"
    write_atomically(file, b"old")
    write_atomically(file, b"new")
    assert file.read_bytes() == b"new"
    assert names(file.parent) == ["file"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    write_atomically(file, b"old")
    monkeypatch.setattr(f"shared.files.os.{step}", interrupt)
    with pytest.raises(Interrupted):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_file_is_flushed_before_it_is_renamed_and_its_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def noted_replace(source: Path, target: Path) -> None:
        done.append("rename")
        replace(source, target)

    monkeypatch.setattr("shared.files.os.fsync", noted_fsync)
    monkeypatch.setattr("shared.files.os.replace", noted_replace)
    write_atomically(tmp_path / "file", b"x")
    assert done == ["file", "rename", "folder"]


def test_the_mode_is_the_umasks(tmp_path: Path) -> None:
    """Models may be mounted by searchers that run as another user."""
    before = os.umask(0o022)
    try:
        write_atomically(tmp_path / "file", b"x")
        with folder_beside(tmp_path) as built:
            write_json(built / "a.json", 1)
            publish_folder(built, tmp_path / "folder")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "folder" / "a.json").stat().st_mode) == 0o644


def test_json_is_for_people_and_the_same_for_the_same_value(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": [1], "a": "ä"})
    written = (tmp_path / "a.json").read_text()
    assert written == '{\n  "a": "\\u00e4",\n  "b": [\n    1\n  ]\n}\n'


def test_a_folder_beside_vanishes_unless_it_is_published(tmp_path: Path) -> None:
    with folder_beside(tmp_path) as built:
        (built / "a").mkdir()
        (built / "a" / "file").write_bytes(b"x")
        assert built.parent == tmp_path
        assert built.name.startswith(".")
    assert names(tmp_path) == []
    with pytest.raises(Interrupted), folder_beside(tmp_path) as built:
        interrupt((built / "file").write_bytes(b"x"))
    assert names(tmp_path) == []
    with folder_beside(tmp_path) as built:
        (built / "file").write_bytes(b"x")
        assert publish_folder(built, tmp_path / "whole") is True
    assert names(tmp_path) == ["whole"]
    assert (tmp_path / "whole" / "file").read_bytes() == b"x"


def test_publishing_keeps_what_is_there(tmp_path: Path) -> None:
    for content, published in ((b"first", True), (b"second", False)):
        with folder_beside(tmp_path) as built:
            (built / "file").write_bytes(content)
            assert publish_folder(built, tmp_path / "whole") is published
    assert (tmp_path / "whole" / "file").read_bytes() == b"first"
    assert names(tmp_path) == ["whole"]


def test_roots_survive_and_are_replaced_as_a_whole(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(b"/photos/\xff\n"))
    assert read_roots(tmp_path) == {}
    write_roots(tmp_path, {"a": Path("/a"), root_id(odd): odd})
    assert read_roots(tmp_path) == {"a": Path("/a"), root_id(odd): odd}
    write_roots(tmp_path, {"b": Path("/b")})
    assert read_roots(tmp_path) == {"b": Path("/b")}


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", "null", '{"format": 1}', '{"format": 1, "roots": [1]}', "\xff"]
)
def test_damaged_roots(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(content, encoding="latin-1")
    with pytest.raises(LookalikeError, match=r"roots.json is damaged: .* `indexer scan`"):
        read_roots(tmp_path)


def test_roots_of_a_later_version(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(json.dumps({"format": 2, "roots": {}}))
    with pytest.raises(LookalikeError, match=r"has format 2, this program reads 1"):
        read_roots(tmp_path)


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ("", {"a": "/a", "b": "/b"}),
        ("b=/elsewhere:c=/with=sign:", {"a": "/a", "b": "/elsewhere", "c": "/with=sign"}),
    ],
)
def test_the_setting_wins_over_the_home(told: str, wanted: dict[str, str], tmp_path: Path) -> None:
    write_roots(tmp_path, {"a": Path("/a"), "b": Path("/b")})
    settings = load_settings({"home": tmp_path}, {"LOOKALIKE_ROOTS": told})
    assert known_roots(settings) == {name: Path(folder) for name, folder in wanted.items()}


def test_a_home_that_nobody_indexes_into_knows_the_roots_of_the_setting(tmp_path: Path) -> None:
    settings = load_settings({"home": tmp_path / "none"}, {"LOOKALIKE_ROOTS": "photos=/photos"})
    assert known_roots(settings) == {"photos": Path("/photos")}


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("photos", "'photos': it must be NAME=FOLDER"),
        ("=/photos", "'=/photos': it must be"),
        ("a=/a:photos=photos", "'photos=photos': it must be .* begins with /"),
        ("a=", "'a=': it must be"),
        ("a=/a:a=/b", "'a' twice"),
    ],
)
def test_a_bad_setting_is_named(told: str, why: str, tmp_path: Path) -> None:
    settings = load_settings({"home": tmp_path}, {"LOOKALIKE_ROOTS": told})
    with pytest.raises(SettingsError, match=f"setting roots has {why}"):
        known_roots(settings)


def test_a_root_id_is_the_canonical_path_or_the_name_given(tmp_path: Path) -> None:
    folder = tmp_path.resolve() / "photos"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    assert root_id(folder) == root_id(tmp_path / "link") == root_id(folder / "..") + "/photos"
    assert root_id(folder) == str(folder)
    assert root_id(folder, "holiday") == "holiday"
    assert root_id(folder, "") == str(folder)


def test_every_root_id_is_valid_unicode_and_makes_a_point_id() -> None:
    odd = os.fsdecode(b"/photos/\xff")
    assert root_id(Path(odd)) == "/photos/\\xff"
    assert root_id(Path("/a"), odd) == "/photos/\\xff"
    assert point_id(root_id(Path(odd)), b"a.jpg") == point_id("/photos/\\xff", b"a.jpg")


def test_what_a_killed_process_left_is_removed_after_a_day(tmp_path: Path) -> None:
    old, young = tmp_path / ".new-old", tmp_path / ".new-young"
    for left in (old, young):
        left.mkdir()
        (left / "half.tflite").touch()
    long_ago = time.time() - 90_000
    os.utime(old, (long_ago, long_ago))
    with folder_beside(tmp_path) as built:
        assert built.is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".new-young"]
