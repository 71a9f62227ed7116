"""A backup's file: what is written can be read back, and nothing else can."""

from __future__ import annotations

import json
import sqlite3
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.backup import reading
from indexer.backup.journals import copy_journal
from indexer.backup.layout import Manifest, is_part_name
from indexer.backup.points import pack, unpack
from indexer.backup.reading import BackupFile
from indexer.backup.settings import KEYS, without
from indexer.backup.writing import BackupWriter
from shared.errors import LookalikeError
from shared.models import Pair
from shared.types import StoredImage
from tests.fakes import axis_vector, record

ENCODER = "0123456789abcdef"


def _points(count: int = 3) -> list[StoredImage]:
    names = ["a/b.jpg", "c\udcff.jpg", "d.jpg"][:count]
    return [
        StoredImage(record(name), axis_vector(np.cos(row), np.sin(row)).astype(np.float16))
        for row, name in enumerate(names)
    ]


def _write(path: Path, points: list[StoredImage] | None = None, **changes: Any) -> Path:
    text, raw = pack(points or _points())
    with BackupWriter(path) as out:
        out.add("roots.json", b"{}")
        out.add(f"points/{ENCODER}/000000.jsonl", text)
        out.add(f"points/{ENCODER}/000000.f16", raw)
        manifest = Manifest(
            "lookalike 0", "2026", Pair(ENCODER, "g1"), None, {ENCODER: (3,)}, dict(out.files)
        )
        value = json.loads(manifest.to_bytes()) | changes
        out.finish(json.dumps(value).encode())
    return path


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    with BackupFile(_write(tmp_path / "b")) as backup:
        told: list[int] = []
        assert backup.verify(told.append, lambda: False)
        assert sum(told) == backup.manifest.size
        assert backup.manifest.current == Pair(ENCODER, "g1")
        records, vectors = unpack(
            backup.read(f"points/{ENCODER}/000000.jsonl"),
            backup.read(f"points/{ENCODER}/000000.f16"),
            3,
        )
    for found, vector, point in zip(records, vectors, _points(), strict=True):
        assert found == point.record
        np.testing.assert_allclose(vector, point.vector, atol=1e-3)
    assert records[1].relative() == b"c\xff.jpg"


def test_vectors_are_little_endian_float16() -> None:
    _, raw = pack([StoredImage(record("a.jpg"), axis_vector(0.6, -0.8))])
    assert (raw[:6].hex(), len(raw)) == ("cd3866ba0000", 1024)


@pytest.mark.parametrize(
    ("change", "value"),
    [("width", "4"), ("folders", "a"), ("cluster", [1]), ("mtime", None), ("root", 1)],
)
def test_a_record_of_another_kind_is_refused(change: str, value: object) -> None:
    text, raw = pack(_points(1))
    spoilt = json.dumps(json.loads(text) | {change: value}).encode() + b"\n"
    with pytest.raises(LookalikeError, match="has a record that cannot be read"):
        unpack(spoilt, raw, 1)


def test_counts_and_vectors_that_cannot_be_are_refused() -> None:
    text, raw = pack(_points())
    for few in ((text, raw[:-1]), (text + text, raw), (b"", raw)):
        with pytest.raises(LookalikeError, match="where 3 points belong"):
            unpack(*few, 3)
    for odd in (bytes(1024), b"\x00\x7c" * 512, b"\xff\x7f" * 512):  # zeros, infinity, NaN
        with pytest.raises(LookalikeError, match="not of unit length"):
            unpack(pack(_points(1))[0], odd, 1)


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("settings.toml", True),
        ("models/current.json", True),
        (f"models/encoders/{ENCODER}/figures/a b-1.png", True),
        (f"models/clusterings/{ENCODER}/g12/centroids.npy", True),
        (f"points/{ENCODER}/000001.f16", True),
        ("manifest.json", False),
        ("models/encoders/../../x", False),
        (f"models/encoders/{ENCODER}/../x", False),
        (f"models/encoders/{ENCODER}/.hidden", False),
        (f"models/encoders/{ENCODER}//x", False),
        (f"models/encoders/{ENCODER}/a\\b", False),
        (f"models/encoders/{ENCODER}/x\n", False),
        ("/settings.toml", False),
        ("settings.toml/x", False),
        (f"points/{ENCODER}/1.f16", False),
        ("points/..../000001.f16", False),
    ],
)
def test_parts_have_known_names(name: str, allowed: bool) -> None:
    assert is_part_name(name) is allowed


def _add(name: str, **about: int) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        info = zipfile.ZipInfo(name)
        for key, value in about.items():
            setattr(info, key, value)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(info, b"x" * 100)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_add("../x"), "holds '../x', which no backup holds"),
        (_add("models/current.json", external_attr=(stat.S_IFLNK | 0o777) << 16), "which no"),
        (_add("models/current.json", compress_type=zipfile.ZIP_DEFLATED), "which no backup"),
        (_add("models/current.json"), "does not hold what its manifest lists"),
        (_add("models/"), "which no backup holds"),
    ],
)
def test_what_does_not_belong_into_it_is_refused(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    path = _write(tmp_path / "b")
    spoil(path)
    with pytest.raises(LookalikeError, match=message):
        BackupFile(path)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_a_part_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "b")
    _add("roots.json")(path)
    with pytest.raises(LookalikeError, match="holds a part twice"):
        BackupFile(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "has format 2, this program reads 1: use the version that made it"),
        ({"collections": {ENCODER: [3, 3]}}, "has a manifest that cannot be read: KeyError"),
        ({"collections": {ENCODER: [5001]}}, "has a manifest that cannot be read"),
        ({"files": {}, "collections": {}}, "does not hold what its manifest lists"),
        ({"current": None}, "has a manifest that cannot be read"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(LookalikeError, match=message):
        BackupFile(_write(tmp_path / "b", **changes))


def test_a_part_with_another_hash_is_found_before_it_is_used(tmp_path: Path) -> None:
    path = _write(tmp_path / "b")
    with BackupFile(path) as backup:
        value = json.loads(backup.raw_manifest)
    value["files"]["roots.json"]["sha256"] = "0" * 64
    other = tmp_path / "other"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            data = old.read(name) if name != "manifest.json" else json.dumps(value).encode()
            new.writestr(name, data)
    with BackupFile(other) as backup:
        for use in (
            lambda: backup.verify(lambda _: None, lambda: False),
            lambda: backup.read("roots.json"),
            lambda: backup.copy("roots.json", tmp_path / "copy"),
        ):
            with pytest.raises(LookalikeError, match=r"damaged: roots\.json has another hash"):
                use()


def test_a_part_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_TEXT_BYTES", 100)
    with BackupFile(_write(tmp_path / "b")) as backup:
        assert backup.read("roots.json") == b"{}"
        with pytest.raises(LookalikeError, match="larger than it may be"):
            backup.read(f"points/{ENCODER}/000000.jsonl")


def test_settings_lose_their_keys_and_nothing_else() -> None:
    text = (
        'api_key = "s3cret"\n"qdrant_api_key" = """\ns3cret"""\nurl = "a\\"é" # c\nbatch_size = 7'
    )
    kept, left_out = without(text, KEYS)
    assert "s3cret" not in kept
    assert left_out == ["api_key", "qdrant_api_key"]
    assert without(kept, ()) == ('url = "a\\"é"\nbatch_size = 7\n', [])


def test_the_journal_is_copied_as_it_was_before_what_is_being_written(tmp_path: Path) -> None:
    path = tmp_path / "a journal?#.sqlite3"
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("CREATE TABLE t (x)")
    writer.execute("INSERT INTO t VALUES (1)")  # in the log only
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO t VALUES (2)")
    copy_journal(path, tmp_path / "copy")
    writer.close()
    copy = sqlite3.connect(tmp_path / "copy")
    assert copy.execute("SELECT x FROM t").fetchall() == [(1,)]
    copy.close()
