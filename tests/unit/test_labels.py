"""Labels from folders and from a CSV, as people and programs write them."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from shared.errors import LabelsError
from shared.labels import labels_for, read_labels


def files(root: Path, *names: str) -> list[Path]:
    paths = [root / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def by_name(labels: dict[bytes, str], root: Path) -> dict[str, str]:
    return {os.path.relpath(os.fsdecode(path), root): label for path, label in labels.items()}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "labels.csv"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "photos"


# --- folders


def test_the_first_folder_is_the_label(root: Path) -> None:
    paths = files(root, "hat/1.jpg", "hat/old/2.jpg", "Mütze/3.jpg", "4.jpg")
    assert by_name(labels_for(paths, [root], None), root) == {
        "hat/1.jpg": "hat",
        "hat/old/2.jpg": "hat",
        "Mütze/3.jpg": "Mütze",
    }


def test_folders_of_one_name_are_one_label_and_the_innermost_counts(root: Path) -> None:
    paths = files(root, "a/hat/1.jpg", "b/hat/2.jpg", "b/inner/bag/3.jpg")
    folders = [root / "a", root / "b", root / "b" / "inner"]
    assert sorted(labels_for(paths, folders, None).values()) == ["bag", "hat", "hat"]


def test_a_folder_whose_name_begins_alike_is_another(root: Path) -> None:
    paths = files(root, "set/hat/1.jpg", "set2/bag/2.jpg")
    assert by_name(labels_for(paths, [root / "set"], None), root) == {"set/hat/1.jpg": "hat"}


def test_names_need_not_be_utf8(root: Path) -> None:
    path = os.fsencode(root) + b"/caf\xe9/1.jpg"
    assert labels_for([path], [root], None) == {path: os.fsdecode(b"caf\xe9")}


def test_a_folder_behind_a_link(root: Path, tmp_path: Path) -> None:
    paths = files(root, "hat/1.jpg")
    (tmp_path / "link").symlink_to(root)
    assert list(labels_for(paths, [tmp_path / "link"], None).values()) == ["hat"]


def test_without_folders_the_deepest_that_holds_all(root: Path) -> None:
    paths = files(root, "hat/1.jpg", "bag/2.jpg")
    assert by_name(labels_for(paths, [], None), root) == {"hat/1.jpg": "hat", "bag/2.jpg": "bag"}
    assert labels_for([], [], None) == {}


# --- CSV


def test_quotes_commas_unicode_bom_and_windows_lines(root: Path, table: Path) -> None:
    paths = files(root, 'a "b", c.jpg', "größe/東京.jpg", "x.jpg", "none.jpg")
    text = (
        'File,note,Label\r\n"a ""b"", c.jpg",,"T-shirt, ""old"""\r\n'
        'größe/東京.jpg,"two\r\nlines",帽子\r\n\r\n./x.jpg,, hat \r\n'
    )
    table.write_bytes(text.encode("utf-8-sig"))
    found = read_labels(paths, [root], table)
    assert by_name(found.by_path, root) == {
        'a "b", c.jpg': 'T-shirt, "old"',
        "größe/東京.jpg": "帽子",
        "x.jpg": "hat",
    }
    assert found.remarks == ()


@pytest.mark.parametrize("column", ["file", "path", "filename", "Filename"])
def test_names_of_the_column_and_absolute_paths(root: Path, table: Path, column: str) -> None:
    paths = files(root, "1.jpg")
    table.write_text(f"label,{column}\nhat,{paths[0]}\n")
    assert labels_for(paths, [root], table) == {os.fsencode(paths[0]): "hat"}


def test_a_name_is_found_however_its_letters_are_composed(root: Path, table: Path) -> None:
    paths = files(root, unicodedata.normalize("NFD", "größe.jpg"))
    table.write_text(f"file,label\n{unicodedata.normalize('NFC', 'größe.jpg')},hat\n")
    assert labels_for(paths, [root], table) == {os.fsencode(paths[0]): "hat"}


def test_rows_that_help_nothing_are_counted(root: Path, table: Path) -> None:
    paths = files(root, "1.jpg", "2.jpg")
    files(root, "notes.txt")  # there, but none of the pictures
    table.write_text("file,label\n1.jpg,hat\ngone.jpg,hat\nlost.jpg,bag\n2.jpg,\nnotes.txt,hat\n")
    found = read_labels(paths, [root], table)
    assert list(found.by_path.values()) == ["hat"]
    missing, unlabelled = found.remarks
    assert missing.endswith("2 rows for files that are not there, the first 'gone.jpg' in line 3")
    assert unlabelled.endswith("1 row with no label, the first '2.jpg' in line 5")


def test_the_same_row_twice_is_no_conflict(root: Path, table: Path) -> None:
    paths = files(root, "1.jpg")
    table.write_text("file,label\n1.jpg,hat\n./1.jpg,hat\n")
    assert list(labels_for(paths, [root], table).values()) == ["hat"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"file,label\n1.jpg,hat\n./1.jpg,bag\n", "'hat' in line 2 and 'bag' in line 3"),
        (b"file;label\n1.jpg;hat\n", "first line is 'file;label': it must name the columns"),
        (b"picture,label\n1.jpg,hat\n", "first line is 'picture,label'"),
        (b"", "first line is ''"),
        (b"file,label\n1.jpg\n", "line 2 is '1.jpg': it must have a file and a label"),
        (b"file,label\n,hat\n", "line 2 is ',hat'"),
        (b"file,label\n\0,hat\n", "line 2"),
        ("file,label\n1.jpg,Mütze\n".encode("latin-1"), r"not UTF-8 \(byte 0xfc\)"),
        (b'file,label\n1.jpg,"hat\n', "line 2 is no CSV"),
        (b"file,label\ngone.jpg,hat\n", "no row gives one of 1 pictures a label .*'gone.jpg' in"),
        (b"file,label\n", "no row gives one of 1 pictures a label: files must"),
    ],
)
def test_what_is_wrong_is_one_clear_line(
    root: Path, table: Path, content: bytes, message: str
) -> None:
    paths = files(root, "1.jpg")
    table.write_bytes(content)
    with pytest.raises(LabelsError, match=message) as raised:
        labels_for(paths, [root], table)
    assert "\n" not in str(raised.value)


def test_a_table_that_cannot_be_read(root: Path, table: Path) -> None:
    with pytest.raises(LabelsError, match="cannot be read: No such file"):
        labels_for(files(root, "1.jpg"), [root], table)
