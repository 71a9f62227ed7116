"""When a picture was taken: the tags that are looked at, and what cameras write in them."""

from __future__ import annotations

import pytest
from PIL import ExifTags, Image

from shared.capture_date import parsed_date
from shared.images import decode
from tests.unit.test_images import encoded, scene

ORIGINAL, CREATED = ExifTags.Base.DateTimeOriginal, ExifTags.Base.DateTimeDigitized
CHANGED = ExifTags.Base.DateTime


def taken_at(form: str = "JPEG", **tags: str) -> str | None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "a camera"  # without one, Pillow takes it for empty
    if "changed" in tags:
        exif[CHANGED] = tags["changed"]
    for name, tag in (("original", ORIGINAL), ("created", CREATED)):
        if name in tags:
            exif.get_ifd(ExifTags.IFD.Exif)[tag] = tags[name]
    return decode(encoded(scene(), form, exif=exif), []).taken_at


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2024:05:01 10:20:30", "2024-05-01T10:20:30"),
        ("2024-05-01 10:20:30", "2024-05-01T10:20:30"),
        ("2024/05/01 10:20:30", "2024-05-01T10:20:30"),
        ("2024.05.01 10:20:30", "2024-05-01T10:20:30"),
        ("2024-05-01T10:20:30", "2024-05-01T10:20:30"),
        ("2024:05:01T10:20:30Z", "2024-05-01T10:20:30"),
        ("2024:05:01 10:20:30.123", "2024-05-01T10:20:30"),
        ("2024:05:01 10:20:30.123+02:00", "2024-05-01T10:20:30"),
        ("2024-05-01 10:20:30 +0200", "2024-05-01T10:20:30"),
        ("2024:05:01 10:20:30-07:00", "2024-05-01T10:20:30"),
        ("2024:05:01 10.20.30", "2024-05-01T10:20:30"),
        ("2024:05:01  10:20:30", "2024-05-01T10:20:30"),
        ("2024:05:01 10:20", "2024-05-01T10:20:00"),
        ("2024:5:1 9:20:30", "2024-05-01T09:20:30"),
        ("2024:05:01 01:20:30 PM", "2024-05-01T13:20:30"),
        ("2024:05:01 12:20:30 a.m.", "2024-05-01T00:20:30"),
        ("2024/05/01", "2024-05-01T00:00:00"),
        ("2024:05:01 10:20:30\0", "2024-05-01T10:20:30"),
        ("2024:05:01 10:20:30\0junk", "2024-05-01T10:20:30"),
        (" 2024:05:01 10:20:30   ", "2024-05-01T10:20:30"),
        (b"2024:05:01 10:20:30\0", "2024-05-01T10:20:30"),
    ],
)
def test_what_cameras_write(text: str | bytes, wanted: str) -> None:
    assert parsed_date(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "0000:00:00 00:00:00",
        "    :  :     :  :  ",
        "",
        "\0" * 20,
        "yesterday",
        "2024:13:01 00:00:00",
        "2023:02:29 00:00:00",
        "2024:05:01 25:00:00",
        "2024:05:01 13:00:00 PM",
        "2024:05/01 10:00:00",
        "20240501",
        "1714557600",
        "2024:05:01 10:20:30 and more",
        None,
        b"\xff\xfe",
        (2024, 5, 1),
    ],
)
def test_what_is_no_date(text: object) -> None:
    assert parsed_date(text) is None


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_the_first_tag_with_a_date_counts(form: str) -> None:
    first, second, third = "2021:01:01 01:01:01", "2022:02:02 02:02:02", "2023:03:03 03:03:03"
    assert taken_at(form, original=first, created=second, changed=third) == "2021-01-01T01:01:01"
    assert taken_at(form, created=second, changed=third) == "2022-02-02T02:02:02"
    assert taken_at(form, changed=third) == "2023-03-03T03:03:03"
    none = "0000:00:00 00:00:00"
    assert taken_at(form, original=none, created=second) == "2022-02-02T02:02:02"
    assert taken_at(form, original=none, created=" ", changed=none) is None
