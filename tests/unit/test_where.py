"""`--where`: what is understood, and what is refused with the choices."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from shared.conditions import FIELDS, Condition, grouped
from shared.errors import QueryError
from shared.formats import FORMATS, media_type
from shared.store import wire
from shared.where import parse_where


@pytest.fixture(autouse=True)
def _in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def told(*texts: str) -> list[str]:
    return [f"{one.field}{one.op}{one.value}" for one in parse_where(texts)]


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("folder=./holiday/2024/", ["folder=holiday/2024"]),
        ("folder=a=b<c", ["folder=a=b<c"]),
        (" width >= 1000 ", ["width>=1000"]),
        ("width=1e3", ["width=1000"]),
        ("height<10.5", ["height<10.5"]),
        ("format!=jpg", ["format!=JPEG"]),
        ("root=/", ["root=/"]),
        ("root=/photos/", ["root=/photos"]),
        (f"sha256={'AB' * 32}", [f"sha256={'ab' * 32}"]),
        ("path=a\udcff.jpg", ["path=a\ufffd.jpg"]),
        ("taken_at>=2024-01", ["taken_at>=2024-01-01T00:00:00"]),
        ("taken_at<=2024-01", ["taken_at<2024-02-01T00:00:00"]),
        ("taken_at>2024-12", ["taken_at>=2025-01-01T00:00:00"]),
        ("taken_at<2024", ["taken_at<2024-01-01T00:00:00"]),
        ("taken_at=2024", ["taken_at>=2024-01-01T00:00:00", "taken_at<2025-01-01T00:00:00"]),
        (
            "taken_at=2024-02-29",
            ["taken_at>=2024-02-29T00:00:00", "taken_at<2024-03-01T00:00:00"],
        ),
        ("taken_at>2024-01-05T10:00", ["taken_at>=2024-01-05T10:01:00"]),
        ("taken_at<=2024-01-05 10:00:59", ["taken_at<2024-01-05T10:01:00"]),
        ("indexed_at>=2024-01", ["indexed_at>=2024-01-01T00:00:00-05:00"]),
        ("indexed_at<=2024-07", ["indexed_at<2024-08-01T00:00:00-04:00"]),
        ("indexed_at>=2024-07-01T10:00Z", ["indexed_at>=2024-07-01T06:00:00-04:00"]),
        ("mtime>=1700000000", ["mtime>=1700000000"]),
        ("mtime>=2024", [f"mtime>={datetime.fromisoformat('2024-01-01T05:00Z').timestamp()}"]),
        ("mtime<2024-07-01T00:00+00:00", ["mtime<1719792000.0"]),
    ],
)
def test_conditions_become_what_the_store_can_compare(text: str, conditions: list[str]) -> None:
    assert told(text) == conditions


def test_several_conditions_keep_their_order_and_repetitions_go() -> None:
    assert told("width>=1", "format=PNG", "width>=1", "folder=a", "folder=b") == [
        "width>=1",
        "format=PNG",
        "folder=a",
        "folder=b",
    ]
    assert parse_where([]) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour=red", ["'colour'", "folder, root, path, format, sha256, width", "indexed_at"]),
        ("cluster=g1/0", ["'cluster'", "choose one of folder"]),
        ("width", ["'width'", "FIELD OPERATOR VALUE", "folder, root"]),
        ("", ["''", "FIELD OPERATOR VALUE"]),
        ("folder>=x", ["'folder>=x'", "folder takes only != ="]),
        ("taken_at!=2024", ["taken_at takes only < <= = > >="]),
        ("mtime!=2024", ["'mtime!=2024'", "seconds since the epoch"]),
        ("folder=", ["folder takes a folder"]),
        ("folder=/photos/a", ["'/photos/a'", "inside a root, such as holiday/2024"]),
        ("path=", ["path is compared with nothing"]),
        ("width=wide", ["'width=wide'", "a number such as 1000"]),
        ("width=nan", ["a number such as 1000"]),
        ("width=1_000", ["a number such as 1000"]),
        ("bytes>", ["'bytes>'", "a number such as 1000"]),
        ("format=PGN", ["'format=PGN'", "JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF, HEIC, DNG"]),
        ("sha256=12", ["64 hexadecimal digits"]),
        ("taken_at>yesterday", ["'yesterday'", "2024-01-05T10:00"]),
        ("taken_at=2024-13", ["'2024-13'", "calendar"]),
        ("taken_at=2023-02-29", ["'2023-02-29'", "calendar"]),
        ("taken_at=9999", ["'9999'", "calendar"]),
        ("taken_at=2024-1", ["'2024-1'", "is no date"]),
        ("taken_at>2024-01-05T10:00Z", ["has no zone: leave it out"]),
        ("indexed_at>0001", ["'indexed_at>0001'"]),
        ("mtime>soon", ["'soon'", "is no date"]),
        ("path=" + "x" * 5000, ["5000 characters"]),
    ],
)
def test_what_cannot_be_filtered_is_refused_with_the_choices(text: str, words: list[str]) -> None:
    with pytest.raises(QueryError) as caught:
        parse_where([text])
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 300
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    "texts",
    [
        "taken_at>=2024-05 taken_at<2024-05",
        "taken_at>=2024-05 taken_at<=2024-04",
        "taken_at=2024-05 taken_at=2024-06",
        "taken_at>2024-05 taken_at<=2024-05",
        "indexed_at>2024-01-05T10:00Z indexed_at<2024-01-05T10:00+02:00",
        "mtime>=2024-05 mtime<2024",
        "mtime>=2024 mtime<=1700000000",
        "width>=1000 width<1000",
        "width>1000 width<=1000",
        "width>1000 width<1000",
        "width>=1000 height=3 width<500",
        "width=100 width=200",
        "width=100 width>100",
        "width=100 width!=100",
        "format=PNG format!=png",
        "folder=a folder!=a/",
    ],
)
def test_what_no_picture_can_meet_is_refused(texts: str) -> None:
    name = texts.partition("_at")[0].partition("=")[0].partition(">")[0].strip("<!")
    with pytest.raises(QueryError, match=f"where {name}"):
        parse_where(texts.split())


@pytest.mark.parametrize(
    "texts",
    [
        "taken_at>=2024-05 taken_at<=2024-05",
        "taken_at>=2024-05-01 taken_at<2024-05-01T00:01",
        "indexed_at>2024-01-05T10:00+02:00 indexed_at<2024-01-05T10:00Z",
        "width>=1000 width<=1000",
        "width=100 width>=100 width!=101",
        "format=PNG format=JPEG format!=PNG",
    ],
)
def test_tight_ranges_are_accepted(texts: str) -> None:
    assert parse_where(texts.split())


def test_the_message_names_both_ends() -> None:
    with pytest.raises(QueryError) as caught:
        parse_where(["width>=1000", "width>20", "width<500"])
    assert str(caught.value) == (
        "where width begins at 1000 and ends at 500: "
        "nothing is in between, give a later end or an earlier beginning"
    )


def test_words_of_one_field_are_together() -> None:
    conditions = parse_where(["folder=a", "width>=3", "folder=b", "folder!=c"])
    folder, width = grouped(conditions)
    assert (folder.name, folder.any_of, folder.none_of) == ("folder", ("a", "b"), ("c",))
    assert (width.name, width.any_of, width.bounds) == ("width", None, ((">=", 3),))


def test_conditions_travel_as_json() -> None:
    conditions = parse_where(["width>=1.5", "bytes=1", "taken_at=2024", "folder=a\udcff"])
    assert wire.unpack_where(json.loads(json.dumps(wire.pack_where(conditions)))) == conditions
    assert len({*conditions, *conditions}) == len(conditions)


@pytest.mark.parametrize(
    "value",
    [
        ("colour", "=", "red"),
        ("folder", ">=", "a"),
        ("folder", "=", 3),
        ("width", "=", "3"),
        ("width", "=", True),
        ("width", ">", float("nan")),
        ("taken_at", "=", "2024-01-01T00:00:00"),
        ("taken_at", ">=", "soon"),
        ("taken_at", ">=", 3),
    ],
)
def test_a_condition_is_one_that_the_store_can_take(value: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match=r"no such condition|compared|isoformat"):
        Condition(*value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("HEIC", ["HEIC", "HEIF"]),
        ("heif", ["HEIC", "HEIF"]),
        ("jpg", ["JPEG"]),
        (" Tif ", ["TIFF"]),
        ("avif", ["AVIF"]),
        ("nef", ["NEF"]),
    ],
)
def test_a_format_is_every_name_that_it_was_ever_stored_under(
    value: str, stored: list[str]
) -> None:
    assert [one.value for one in parse_where([f"format={value}"])] == stored
    assert [one.op for one in parse_where([f"format!={value}"])] == ["!="] * len(stored)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_that_is_stored_can_be_asked_for(name: str) -> None:
    assert parse_where([f"format={name}"])[0].value == name
    assert media_type(name).startswith("image/")


def test_fields_that_people_use() -> None:
    assert set(FIELDS) >= {"folder", "root", "format", "width", "taken_at"}
