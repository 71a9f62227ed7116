"""The formats of pictures: one table for reading, conditions, payloads and media types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True, slots=True)
class Format:
    """A format that is decoded.

    `name`: as payloads and people have it. `media_type`: as HTTP has it. `decoders`: Pillow's names
    of what is stored under this name; none for camera raw. `aliases`: what people write for it in a
    condition, in capitals. `former`: names under which older versions may have stored it. `extra`:
    of this package, which decodes it; None where the base installation does.
    """

    name: str
    media_type: str
    decoders: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    former: tuple[str, ...] = ()
    extra: str | None = None


_TABLE = (
    Format("JPEG", "image/jpeg", ("JPEG", "MPO"), aliases=("JPG", "JPE", "JFIF", "MPO")),
    Format("PNG", "image/png", ("PNG",), aliases=("APNG",)),
    Format("WEBP", "image/webp", ("WEBP",)),
    Format("GIF", "image/gif", ("GIF",)),
    Format("BMP", "image/bmp", ("BMP", "DIB"), aliases=("DIB",)),
    Format("TIFF", "image/tiff", ("TIFF",), aliases=("TIF",)),
    Format("AVIF", "image/avif", ("AVIF",), aliases=("AVIFS",)),
    Format("HEIC", "image/heic", ("HEIF",), aliases=("HEIF",), former=("HEIF",), extra="heic"),
    Format("DNG", "image/x-adobe-dng", extra="raw"),
    Format("NEF", "image/x-nikon-nef", aliases=("NRW",), extra="raw"),
    Format("CR2", "image/x-canon-cr2", extra="raw"),
    Format("ARW", "image/x-sony-arw", extra="raw"),
    # Of all other cameras.
    Format("RAW", "image/x-dcraw", extra="raw"),
)
# JPEG 2000 and JPEG XL are off: few photographs have them, and their decoders are large.

FORMATS: Mapping[str, Format] = {one.name: one for one in _TABLE}
"""What is decoded, by name; in the order in which people are told of it."""

PILLOW = tuple(one.decoders[0] for one in _TABLE if one.decoders and one.extra is None)
"""What Pillow is asked to open. Never its full list: it registers 43 decoders, one runs
Ghostscript."""

READING_VERSION = 2
"""Raised whenever files can be read that were refused before: 2 reads AVIF, camera raw, and
pictures with damaged parts beside their pixels."""

_MODULES = {"heic": "pillow_heif", "raw": "rawpy"}
"""What each extra installs."""

_BY_DECODER = {decoder: one for one in _TABLE for decoder in one.decoders}
_BY_WORD = {word: one for one in _TABLE for word in (one.name, *one.aliases)}


def readable() -> tuple[str, ...]:
    """The names of the formats that can be decoded here, with the extras that are installed."""
    return tuple(
        one.name
        for one in _TABLE
        if one.extra is None or find_spec(_MODULES[one.extra]) is not None
    )


def of_decoder(decoder: str | None) -> str:
    """The name under which a picture that this decoder of Pillow's opened is stored."""
    found = _BY_DECODER.get(str(decoder))
    return found.name if found else str(decoder)


def stored_names(word: str) -> tuple[str, ...]:
    """Every name that pictures of a format are stored under; `word` is a name or alias in any case.

    Raises ValueError, with the choices, for any other word.
    """
    found = _BY_WORD.get(word.strip().upper())
    if found is None:
        raise ValueError(f"format is one of {', '.join(FORMATS)}")
    return (found.name, *found.former)


def media_type(name: str) -> str:
    """The media type of a stored name."""
    found = FORMATS.get(name) or _BY_WORD.get(name)
    return found.media_type if found else "application/octet-stream"
