"""When a picture was taken, as its camera wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from PIL import ExifTags, Image

_TEXT = re.compile(
    r"(?P<year>\d{4})(?P<mark>[-:/. ])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})"
    r"(?:[T ,:_-]+(?P<hour>\d{1,2})[:.-](?P<minute>\d{1,2})(?:[:.-](?P<second>\d{1,2}))?"
    r"(?:[.,]\d*)?\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*(?:Z|UTC|GMT|[+-]\d\d:?\d\d)?)?"
)
"""EXIF asks for ``2024:05:01 10:00:00``; cameras, phones and editors write other marks, one digit,
fractions of a second, and a zone."""


def capture_date(exif: Image.Exif) -> str | None:
    """The first of DateTimeOriginal, CreateDate (DateTimeDigitized) and DateTime that is a date.

    As ISO 8601 without a zone: it is the camera's clock. A date without a time begins its day. None
    if no tag holds a date of the calendar.
    """
    return next((date for value in _values(exif) if (date := parsed_date(value))), None)


def parsed_date(value: object) -> str | None:
    """A tag's value as an ISO 8601 date and time; None if it is none."""
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    found = _TEXT.fullmatch(text.partition("\0")[0].strip())
    if found is None:
        return None
    given = found.groupdict()
    names = ("year", "month", "day", "hour", "minute", "second")
    year, month, day, hour, minute, second = (int(given[name] or 0) for name in names)
    if given["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (given["half"][0] in "Pp")
    try:
        return datetime(year, month, day, hour, minute, second).isoformat()
    except ValueError:
        return None


def _values(exif: Image.Exif) -> Iterator[Any]:
    try:
        inner = exif.get_ifd(ExifTags.IFD.Exif)
    except Exception:  # noqa: BLE001 - damaged EXIF must not cost the picture
        inner = {}
    yield inner.get(ExifTags.Base.DateTimeOriginal)
    yield inner.get(ExifTags.Base.DateTimeDigitized)
    yield exif.get(ExifTags.Base.DateTime)
