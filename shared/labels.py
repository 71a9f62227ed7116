"""Which label each picture has: its first folder, or what a CSV says."""

from __future__ import annotations

import csv
import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from shared.errors import LabelsError

FilePath = str | bytes | os.PathLike[str]

_FILE_COLUMNS, _LABEL_COLUMN = ("file", "path", "filename"), "label"


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels by path (`os.fsencode`); a picture without one is absent. `remarks`: one line for each
    thing in a CSV that a person will want to know."""

    by_path: dict[bytes, str]
    remarks: tuple[str, ...] = ()


def labels_for(
    paths: Sequence[FilePath], folders: Sequence[Path], csv: Path | None
) -> dict[bytes, str]:
    """The label of each path, by `os.fsencode(path)`; see `read_labels`."""
    return read_labels(paths, folders, csv).by_path


def read_labels(paths: Sequence[FilePath], folders: Sequence[Path], csv: Path | None) -> Labels:
    """From the first folder level below one of `folders`, or from a CSV.

    Folders of the same name below several of `folders` are one label; where these lie in each
    other, the innermost counts. Without any, they are the deepest folder that holds all paths. A
    picture that lies in one of `folders` itself has no label.

    The CSV is UTF-8 and RFC 4180 with a header: a column `label`, and one called `file`, `path` or
    `filename` that is absolute or relative to one of `folders`. Raises `LabelsError` with one
    line if it cannot be read, lacks a column, gives a picture two labels, or none to any picture.
    """
    known = [os.fsencode(path) for path in paths]
    roots = _roots(known, folders)
    if csv is not None:
        return _from_csv(known, roots, csv)
    return Labels({path: label for path in known if (label := _first_folder(path, roots))})


def _roots(paths: Sequence[bytes], folders: Sequence[Path]) -> list[bytes]:
    """The folders, each with a slash, innermost first. One that is spelled through a link is there
    twice."""
    if not folders:
        common = os.path.commonpath([os.path.dirname(path) for path in paths]) if paths else b""
        return [os.path.join(common, b"")]
    spellings = {one for folder in folders for one in (folder.absolute(), folder.resolve())}
    return sorted((os.path.join(os.fsencode(one), b"") for one in spellings), key=len, reverse=True)


def _first_folder(path: bytes, roots: Sequence[bytes]) -> str | None:
    root = next((root for root in roots if path.startswith(root)), None)
    if root is None:
        return None
    name, slash, _ = path.removeprefix(root).partition(b"/")
    return os.fsdecode(name) if slash else None


def _from_csv(paths: Sequence[bytes], roots: Sequence[bytes], table: Path) -> Labels:
    found: dict[bytes, tuple[str, int]] = {}
    unlabelled: list[str] = []
    missing: list[str] = []
    known = _Known(paths)
    for line, file, label in _rows(table):
        spelled = [os.path.normpath(os.path.join(root, os.fsencode(file))) for root in roots]
        pictures = {path for one in spelled if (path := known.find(one))}
        if not label:
            unlabelled.append(f"{file!r} in line {line}")
            continue
        if not pictures and not any(map(os.path.lexists, spelled)):
            missing.append(f"{file!r} in line {line}")
        for path in sorted(pictures):
            before, where = found.setdefault(path, (label, line))
            if before != label:
                raise LabelsError(
                    f"labels {table}: {file!r} is {before!r} in line {where} and {label!r} in "
                    f"line {line}: a picture has one label"
                )
    if not found:
        first = f" (the first missing is {missing[0]})" if missing else ""
        raise LabelsError(
            f"labels {table}: no row gives one of {len(paths)} pictures a label{first}: files must "
            "be relative to the folder of pictures, or absolute"
        )
    remarks = (
        *_remark(table, missing, "for files that are not there"),
        *_remark(table, unlabelled, "with no label"),
    )
    return Labels({path: label for path, (label, _) in found.items()}, remarks)


def _remark(table: Path, rows: Sequence[str], what: str) -> Iterator[str]:
    if rows:
        noun = "row" if len(rows) == 1 else "rows"
        yield f"labels {table}: {len(rows):,} {noun} {what}, the first {rows[0]}"


class _Known:
    """Paths as they are, and as Unicode composes them: macOS takes names apart, editors do not."""

    def __init__(self, paths: Sequence[bytes]) -> None:
        self._exact = frozenset(paths)
        self._composed = {_composed(path): path for path in paths}

    def find(self, path: bytes) -> bytes | None:
        """The known path that this one means."""
        return path if path in self._exact else self._composed.get(_composed(path))


def _composed(path: bytes) -> str:
    return unicodedata.normalize("NFC", os.fsdecode(path))


def _rows(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line, file and label of every row; the label may be empty."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as opened:
            yield from _parsed(path, opened)
    except OSError as error:
        raise LabelsError(f"labels {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise LabelsError(
            f"labels {path} are not UTF-8 (byte {error.object[error.start]:#04x}): "
            "save the file as UTF-8"
        ) from error


def _parsed(path: Path, opened: TextIO) -> Iterator[tuple[int, str, str]]:
    reader = csv.reader(opened, strict=True)
    try:
        header = [name.strip().casefold() for name in next(reader, [])]
        at_file = next((header.index(name) for name in _FILE_COLUMNS if name in header), None)
        if at_file is None or _LABEL_COLUMN not in header:
            raise LabelsError(
                f"labels {path}: the first line is {','.join(header)[:80]!r}: it must name the "
                "columns, file and label, with a comma between"
            )
        at_label = header.index(_LABEL_COLUMN)
        for row in reader:
            if not any(row):
                continue
            short = len(row) <= max(at_file, at_label)
            if short or not row[at_file].strip() or "\0" in row[at_file]:
                raise LabelsError(
                    f"labels {path}: line {reader.line_num} is {','.join(row)[:80]!r}: "
                    "it must have a file and a label"
                )
            yield reader.line_num, row[at_file].strip(), row[at_label].strip()
    except csv.Error as error:
        raise LabelsError(f"labels {path}: line {reader.line_num} is no CSV: {error}") from error
